//! Stand-ins for what sensors read: a `/proc`, a `/sys`, a message bus.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Waits until `met` gives something.
pub(super) async fn until<T>(what: &str, mut met: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(value) = met() {
            return value;
        }
        assert!(Instant::now() < deadline, "{what} never came");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A folder of files, made as a test asks.
pub(super) struct Tree(TempDir);

impl Tree {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn write(&self, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub(super) fn link(&self, path: &str, to: impl AsRef<Path>) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(to, path).unwrap();
    }

    pub(super) fn remove(&self, path: &str) {
        fs::remove_dir_all(self.path().join(path)).unwrap();
    }
}

/// A `/proc` in which processes come and go.
pub(super) struct FakeProc {
    pub(super) tree: Tree,
}

impl FakeProc {
    pub(super) fn new() -> Self {
        let tree = Tree::new();
        tree.link("self/ns/pid", "pid:[4026531836]");
        let proc = Self { tree };
        proc.newest(1);
        proc.start(1, "/usr/lib/systemd/systemd", &["/sbin/init"]);
        proc
    }

    pub(super) fn path(&self) -> PathBuf {
        self.tree.path().to_owned()
    }

    pub(super) fn newest(&self, task: u32) {
        self.tree
            .write("loadavg", format!("0.00 0.01 0.05 1/123 {task}\n"));
    }

    pub(super) fn start(&self, pid: u32, exe: &str, arguments: &[&str]) {
        let file = exe.rsplit('/').next().unwrap();
        let comm: String = file.chars().take(15).collect();
        self.tree.write(&format!("{pid}/comm"), format!("{comm}\n"));
        self.tree.link(&format!("{pid}/exe"), exe);
        self.tree
            .write(&format!("{pid}/cmdline"), arguments.join("\0") + "\0");
        self.newest(pid);
    }

    pub(super) fn end(&self, pid: u32) {
        self.tree.remove(&pid.to_string());
    }
}

/// A message bus of a test's own. It ends with the test.
pub(super) struct Bus {
    daemon: Child,
    folder: Tree,
}

impl Bus {
    pub(super) async fn start() -> Self {
        let folder = Tree::new();
        let socket = folder.path().join("bus");
        let services = folder.path().join("services");
        let config = folder.write(
            "bus.conf",
            format!(
                r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={}</listen><servicedir>{}</servicedir>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>"#,
                socket.display(),
                services.display()
            ),
        );
        let daemon = Command::new("dbus-daemon")
            .arg("--nofork")
            .arg(format!("--config-file={}", config.display()))
            .stdout(Stdio::null())
            .spawn()
            .expect("dbus-daemon, of the package dbus, is needed for this test");
        let bus = Self { daemon, folder };
        until("the bus", || socket.exists().then_some(())).await;
        bus
    }

    pub(super) fn address(&self) -> String {
        format!("unix:path={}", self.folder.path().join("bus").display())
    }

    /// A service that whoever calls it by its name would start. What it would do: leave a note.
    pub(super) fn startable(&self, service: &str) -> PathBuf {
        let note = self.folder.path().join("started");
        self.folder.write(
            &format!("services/{service}.service"),
            format!(
                "[D-BUS Service]\nName={service}\nExec=/usr/bin/touch {}\n",
                note.display()
            ),
        );
        note
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }
}
