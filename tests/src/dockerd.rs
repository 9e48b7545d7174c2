//! A Docker daemon of a test's own, which it may kill.

use crate::program::{Running, run};
use crate::wait::until;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A daemon with its own data, and containers of its own.
pub struct Dockerd {
    folder: PathBuf,
    process: Option<Running>,
}

impl Dockerd {
    /// Starts one in `folder`.
    #[track_caller]
    pub fn start(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let mut daemon = Self {
            folder: folder.to_owned(),
            process: None,
        };
        daemon.go();
        daemon
    }

    /// Where it answers, for `DOCKER_HOST`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.folder.join("s").display())
    }

    /// Starts it, again or for the first time, and waits until it answers.
    #[track_caller]
    pub fn go(&mut self) {
        self.process = None;
        let path = |name: &str| self.folder.join(name);
        // A killed daemon leaves pid files, its own and its containerd's, which a later one takes for running twins.
        for stale in ["pid", "exec/containerd/containerd.pid"] {
            let _ = std::fs::remove_file(path(stale));
        }
        let mut command = Command::new("dockerd");
        command
            .args([
                "--bridge=none",
                "--iptables=false",
                "--ip6tables=false",
                "-H",
                &self.host(),
            ])
            .arg("--data-root")
            .arg(path("data"))
            .arg("--exec-root")
            .arg(path("exec"))
            .arg("--pidfile")
            .arg(path("pid"));
        self.process = Some(Running::start(command, &path("log")));
        until("the test's own dockerd", Duration::from_secs(60), || {
            let said = run(Command::new("docker")
                .arg("version")
                .env("DOCKER_HOST", self.host()));
            if said.code == 0 {
                Ok(())
            } else {
                Err(said.err)
            }
        });
    }

    /// Whether it runs, as far as we know.
    pub fn runs(&self) -> bool {
        self.process.is_some()
    }

    /// Ends it as a power cut would; its containers' processes are ended by the next start or with the folder.
    pub fn kill_dead(&mut self) {
        self.process.take().unwrap().kill_dead();
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        let Some(process) = &mut self.process else {
            return;
        };
        let _ = run(Command::new("sh")
            .arg("-c")
            .arg("docker ps -aq | xargs -r docker rm -f")
            .env(
                "DOCKER_HOST",
                format!("unix://{}", self.folder.join("s").display()),
            ));
        process.signal(rustix::process::Signal::TERM);
        // It unmounts what it mounted; only then may its folder go.
        let begun = std::time::Instant::now();
        while process.ended().is_none() && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
