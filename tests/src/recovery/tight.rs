//! A small disk of a program's own, which can be full.

use crate::program::run;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Its size: a database with its log, and little more.
const SIZE: &str = "size=24m,mode=0700";

/// A file system in memory.
pub struct TightDisk {
    folder: PathBuf,
}

impl TightDisk {
    /// Mounts one at `folder`.
    ///
    /// # Panics
    /// Where it cannot be mounted: that takes root's rights.
    pub fn new(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let mount = &mut Command::new("mount");
        let said = run(mount
            .args(["-t", "tmpfs", "-o", SIZE, "sublet-test"])
            .arg(folder));
        assert_eq!(
            said.code, 0,
            "a small disk could not be mounted; that takes root's rights: {said:?}"
        );
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Takes every byte that is left.
    pub fn fill(&self) {
        use std::io::Write;
        let mut file = std::fs::File::create(self.ballast()).unwrap();
        let piece = vec![0; 1 << 16];
        while file.write_all(&piece).is_ok() {}
        while file.write_all(&[0]).is_ok() {}
    }

    /// Gives it back.
    pub fn free(&self) {
        let _ = std::fs::remove_file(self.ballast());
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }
}

impl Drop for TightDisk {
    fn drop(&mut self) {
        let _ = run(Command::new("umount").arg("--lazy").arg(&self.folder));
    }
}
