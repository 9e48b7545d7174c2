//! The folder in which a run's tests make their temporary ones. A test that is killed cannot tidy up: what it leaves is
//! found here, and nobody else's is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::mount::{UnmountFlags, unmount};

use crate::mounts;

/// Short, since the paths of sockets in it must be. A process id follows.
const NAME: &str = "sublet-";

pub struct Temporary(PathBuf);

impl Temporary {
    /// Makes it among the system's temporary files, and removes those of runs that are gone.
    pub fn make() -> anyhow::Result<Temporary> {
        Self::make_in(&std::env::temp_dir())
    }

    fn make_in(folder: &Path) -> anyhow::Result<Temporary> {
        for path in abandoned(folder)? {
            // Another user's are left to them.
            let _ = remove(&path);
        }
        let path = folder.join(format!("{NAME}{}", std::process::id()));
        fs::create_dir(&path)
            .with_context(|| format!("the folder {} cannot be made", path.display()))?;
        Ok(Temporary(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Removes it, with what is mounted in it. A second time there is nothing to do.
    pub fn remove(&self) -> anyhow::Result<()> {
        remove(&self.0).with_context(|| format!("{} cannot be removed", self.0.display()))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}

/// Those whose process is gone.
fn abandoned(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| name.strip_prefix(NAME));
        let id = id.and_then(|id| id.parse::<u32>().ok());
        if id.is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists()) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn remove(folder: &Path) -> io::Result<()> {
    // The last mounted first: one may lie on another.
    for place in mounts::below(folder)?.iter().rev() {
        unmount(place.as_str(), UnmountFlags::DETACH)?;
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;

    #[test]
    fn those_of_runs_that_are_gone_go_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        // Process ids end far below.
        let gone = folder.path().join(format!("{NAME}4194999"));
        let ours = folder.path().join(format!("{NAME}1"));
        let other = folder.path().join(format!("{NAME}notes"));
        for path in [&gone, &ours, &other] {
            fs::create_dir_all(path.join("data")).unwrap();
        }
        let temporary = Temporary::make_in(folder.path()).unwrap();
        fs::create_dir(temporary.path().join("left")).unwrap();
        assert!(!gone.exists() && ours.exists() && other.exists());
        let path = temporary.path().to_owned();
        temporary.remove().unwrap();
        assert!(!path.exists());
        temporary.remove().unwrap();
    }
}
