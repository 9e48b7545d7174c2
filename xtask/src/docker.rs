//! Docker: the one that runs, or one of our own.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::console::Console;
use crate::http::{Answer, exchange};
use crate::mounts;
use crate::packages::program;
use crate::privilege::Privilege;
use crate::process::{Life, Process, wait_until};

const USUAL_SOCKET: &str = "/var/run/docker.sock";
/// A path of its own, so that a stopped Docker's leftovers are neither met nor removed; short, since the sockets in it
/// must not be longer than a socket's path may be.
const EXEC_ROOT: &str = "/run/sublet-docker";
const BRIDGE: &str = "/sys/class/net/docker0";
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const START_WITHIN: Duration = Duration::from_secs(60);
/// Words added to our own dockerd's command line, for machines that need some: `--storage-driver=vfs`.
const EXTRA_ARGUMENTS: &str = "SUBLET_DOCKERD_ARGS";

/// A Docker daemon that answers.
pub struct Docker {
    socket: PathBuf,
    ours: Option<Ours>,
}

/// The daemon that we started, and what it makes on the machine that would outlive it.
struct Ours {
    process: Process,
    privilege: Privilege,
    bridge_was_there: bool,
}

enum Answering {
    Yes,
    No,
    NotToUs,
}

impl Docker {
    /// Finds the running daemon, or starts one with its data and log in `folder`.
    ///
    /// # Errors
    /// When there is one that this user may not use, or none can be started; the text says what to do.
    pub fn find_or_start(
        console: &Console,
        folder: &Path,
        logs: &Path,
        life: Life,
    ) -> anyhow::Result<Docker> {
        let socket = socket()?;
        // Where systemd has just been told to start it, it takes a moment.
        let patience = if Path::new("/run/systemd/system").exists() {
            Duration::from_secs(20)
        } else {
            Duration::ZERO
        };
        let found = wait_until("Docker", patience, || match answering(&socket) {
            Answering::No => Ok(None),
            other => Ok(Some(other)),
        });
        match found.unwrap_or(Answering::No) {
            Answering::Yes => {
                console.say(&format!(
                    "Docker is running and answers on {}.",
                    socket.display()
                ));
                Ok(Docker { socket, ours: None })
            }
            Answering::NotToUs => bail!(
                "Docker is running, but you may not use it ({} is closed to you). Run `sudo usermod -aG docker $USER`, log in anew, and run this again; or run it as root.",
                socket.display()
            ),
            Answering::No => start(console, socket, folder, logs, life),
        }
    }

    /// `DOCKER_HOST` for programs that are to use this daemon.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// The process id of the daemon, where we started it.
    pub fn our_process(&self) -> Option<u32> {
        self.ours.as_ref().map(|ours| ours.process.id())
    }

    /// The answer to `GET path`, as JSON.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = ask(&self.socket, "GET", path)?;
        if answer.status != 200 {
            bail!(
                "Docker answered {} to {path}: {}",
                answer.status,
                answer.excerpt()
            );
        }
        serde_json::from_slice(&answer.body)
            .with_context(|| format!("Docker's answer to {path} is not JSON"))
    }

    /// Removes one thing, as `/containers/ID?force=1`. Something that is gone already is fine.
    pub fn delete(&self, path: &str) -> anyhow::Result<()> {
        let answer = ask(&self.socket, "DELETE", path)?;
        match answer.status {
            200..=299 | 404 => Ok(()),
            status => bail!(
                "Docker answered {status} to DELETE {path}: {}",
                answer.excerpt()
            ),
        }
    }

    /// Stops the daemon if we started it, and takes its bridge and its run folder away.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        match &mut self.ours {
            Some(ours) => ours.stop(),
            None => Ok(()),
        }
    }
}

impl Ours {
    fn stop(&mut self) -> anyhow::Result<()> {
        self.process.stop()?;
        // What a container on the machine's own network leaves mounted there.
        for place in mounts::below(Path::new(EXEC_ROOT))? {
            finish(self.privilege.command("umount").arg("--lazy").arg(place))?;
        }
        let mut rm = self.privilege.command("rm");
        finish(rm.args(["-r", "-f", EXEC_ROOT]))?;
        if !self.bridge_was_there && Path::new(BRIDGE).exists() {
            let mut ip = self
                .privilege
                .command(program("ip").context("ip is not installed")?);
            finish(ip.args(["link", "delete", "docker0"]))?;
        }
        Ok(())
    }
}

fn finish(command: &mut Command) -> anyhow::Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{:?} does not run", command.get_program()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} failed: {}", said.trim());
    }
    Ok(())
}

fn socket() -> anyhow::Result<PathBuf> {
    match std::env::var("DOCKER_HOST") {
        Ok(host) if !host.is_empty() => match host.strip_prefix("unix://") {
            Some(path) => Ok(PathBuf::from(path)),
            None => bail!(
                "DOCKER_HOST is {host:?}, but the chores need a Docker on this machine's own socket. Unset DOCKER_HOST, or set it to unix:///path/to/docker.sock."
            ),
        },
        _ => Ok(PathBuf::from(USUAL_SOCKET)),
    }
}

fn answering(socket: &Path) -> Answering {
    match UnixStream::connect(socket) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Answering::NotToUs,
        Err(_) => Answering::No,
        Ok(_) => match ask(socket, "GET", "/_ping") {
            Ok(answer) if answer.status == 200 => Answering::Yes,
            _ => Answering::No,
        },
    }
}

fn ask(socket: &Path, method: &str, path: &str) -> anyhow::Result<Answer> {
    let stream = UnixStream::connect(socket)
        .with_context(|| format!("Docker does not answer on {}", socket.display()))?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(ANSWER_WITHIN))?;
    exchange(stream, method, path, &[], b"")
}

fn start(
    console: &Console,
    socket: PathBuf,
    folder: &Path,
    logs: &Path,
    life: Life,
) -> anyhow::Result<Docker> {
    let Some(dockerd) = program("dockerd") else {
        bail!(
            "no Docker answers on {}, and dockerd is not installed.",
            socket.display()
        );
    };
    let privilege = Privilege::get(console.can_ask(), "start Docker")?;
    fs::create_dir_all(folder)
        .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    let task = console.task("Starting a Docker of our own");
    let mut command = privilege.command(dockerd);
    command.args(arguments(&socket, folder));
    command.args(
        std::env::var(EXTRA_ARGUMENTS)
            .unwrap_or_default()
            .split_whitespace(),
    );
    let log = logs.join("dockerd.log");
    let mut ours = Ours {
        bridge_was_there: Path::new(BRIDGE).exists(),
        process: Process::start_as("Docker", command, &log, life, privilege)?,
        privilege,
    };
    let outcome = wait_until("our Docker to answer", START_WITHIN, || {
        ours.process.must_run()?;
        Ok(matches!(answering(&socket), Answering::Yes).then_some(()))
    });
    match outcome {
        Ok(()) => {
            task.done();
            Ok(Docker {
                socket,
                ours: Some(ours),
            })
        }
        Err(error) => {
            task.failed();
            Err(error.context(format!(
                "Docker did not start; its log is {}",
                log.display()
            )))
        }
    }
}

fn arguments(socket: &Path, folder: &Path) -> Vec<OsString> {
    let with = |name: &str, value: &Path| {
        let mut argument = OsString::from(name);
        argument.push(value);
        argument
    };
    vec![
        with("--host=unix://", socket),
        with("--data-root=", &folder.join("data")),
        with("--exec-root=", Path::new(EXEC_ROOT)),
        with("--pidfile=", &folder.join("dockerd.pid")),
        // The socket is to be ours, where we became root only for this.
        OsString::from(format!("--group={}", rustix::process::getgid().as_raw())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_of_our_own_touches_no_place_of_the_usual_one() {
        let all = arguments(Path::new("/x/docker.sock"), Path::new("/x/docker"));
        let text: Vec<String> = all
            .iter()
            .map(|a| a.to_string_lossy().into_owned())
            .collect();
        assert!(text.contains(&"--data-root=/x/docker/data".to_owned()));
        assert!(text.contains(&"--pidfile=/x/docker/dockerd.pid".to_owned()));
        assert!(text.iter().all(|a| !a.contains("/var/")), "{text:?}");
    }
}
