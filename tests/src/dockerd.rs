//! A Docker daemon of a test's own, which it may kill.

use crate::program::{Running, run};
use crate::wait::until;
use rustix::process::{Pid, Signal};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A daemon with its own data, and containers of its own.
pub struct Dockerd {
    folder: PathBuf,
    words: Vec<String>,
    process: Option<Running>,
}

impl Dockerd {
    /// Starts one in `folder`.
    #[track_caller]
    pub fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[])
    }

    /// As [`Dockerd::start`], with more words on its command line.
    #[track_caller]
    pub fn start_with(folder: &Path, words: &[String]) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let mut daemon = Self {
            folder: folder.to_owned(),
            words: words.to_vec(),
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
            .arg(path("pid"))
            .args(&self.words);
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

/// However the test ended: nothing of the daemon runs on, and nothing stays mounted.
impl Drop for Dockerd {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = run(Command::new("sh")
                .arg("-c")
                .arg("docker ps -aq | xargs -r timeout 20 docker rm -f")
                .env(
                    "DOCKER_HOST",
                    format!("unix://{}", self.folder.join("s").display()),
                ));
            // It unmounts what it mounted; only then may its folder go.
            process.end_in_order(Duration::from_secs(20));
        }
        self.process = None;
        let own = self.folder.to_string_lossy().into_owned();
        kill_those_of(&own);
        unmount_below(&own);
    }
}

/// What a daemon that was killed leaves running: its containerd and the shims of its containers, which have its folder
/// among their arguments, and the jobs, which are their children.
fn kill_those_of(folder: &str) {
    let below = format!("{folder}/");
    let mut parents = BTreeMap::new();
    let mut theirs = BTreeSet::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&arguments).contains(&below) {
            theirs.insert(pid);
        }
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name in brackets may have spaces in it; the state and the parent follow.
        let after = stat.rsplit(')').next().unwrap_or_default();
        let parent = after.split(' ').nth(2).and_then(|id| id.parse().ok());
        parents.insert(pid, parent.unwrap_or(0));
    }
    loop {
        let more: Vec<i32> = parents
            .iter()
            .filter(|(pid, parent)| theirs.contains(parent) && !theirs.contains(pid))
            .map(|(pid, _)| *pid)
            .collect();
        if more.is_empty() {
            break;
        }
        theirs.extend(more);
    }
    for pid in theirs.into_iter().filter_map(Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}

/// The last mounted first: one may lie on another.
fn unmount_below(folder: &str) {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let places = table.lines().filter_map(|line| line.split(' ').nth(4));
    let below = format!("{folder}/");
    let below: Vec<&str> = places.filter(|place| place.starts_with(&below)).collect();
    for place in below.into_iter().rev() {
        let _ = run(Command::new("umount").arg("--lazy").arg(place));
    }
}
