//! Programs that run beside us and end with us.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use crate::interrupt;
use crate::privilege::Privilege;
use crate::run::tail;

/// How long a program may take to end when asked, before it is made to.
const GRACE: Duration = Duration::from_secs(15);
const BEAT: Duration = Duration::from_millis(50);

/// What becomes of a program when we end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It ends, whatever ends us, `kill -9` included.
    WithUs,
    /// It stays: somebody asked to keep it. Nobody but that somebody will end it.
    Stays,
}

/// A program running in a process group of its own, its output in a file.
pub struct Process {
    name: String,
    child: Child,
    life: Life,
    privilege: Privilege,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts `command`. Call it from the main thread: [`Life::WithUs`] is bound to the thread that starts it.
    pub fn start(name: &str, command: Command, log: &Path, life: Life) -> anyhow::Result<Process> {
        Process::start_as(name, command, log, life, Privilege::Root)
    }

    /// The same for a command made by [`Privilege::command`].
    pub fn start_as(
        name: &str,
        mut command: Command,
        log: &Path,
        life: Life,
        privilege: Privilege,
    ) -> anyhow::Result<Process> {
        let output = File::create(log)
            .with_context(|| format!("the log {} cannot be written", log.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0);
        if life == Life::WithUs {
            end_with_parent(&mut command);
        }
        let child = command
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        Ok(Process {
            name: name.to_owned(),
            child,
            life,
            privilege,
            log: log.to_owned(),
            ended: None,
        })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// An error with the end of its log when it is no longer running.
    pub fn must_run(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.exited()? {
            bail!(
                "{} ended at once ({status}). The end of {}:\n{}",
                self.name,
                self.log.display(),
                tail(&self.log)
            );
        }
        Ok(())
    }

    pub fn exited(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
        }
        Ok(self.ended)
    }

    /// Ends it and everything in its group: asked first, made to after 15 seconds; and waits until it is gone.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)?;
        if !self.gone_within(GRACE)? {
            self.signal(Signal::KILL)?;
            if !self.gone_within(GRACE)? {
                bail!(
                    "{} (process {}) does not end, not even by SIGKILL.",
                    self.name,
                    self.id()
                );
            }
        }
        Ok(())
    }

    fn group(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.child.id()).ok()?)
    }

    fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        let Some(group) = self.group() else {
            return Ok(());
        };
        match self.privilege {
            // The group outlives its first process, so this must reach it even when that one is reaped.
            Privilege::Root => match kill_process_group(group, signal) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
                Err(error) => {
                    Err(error).with_context(|| format!("{} cannot be stopped", self.name))
                }
            },
            Privilege::Sudo { .. } => {
                let mut kill = self.privilege.command("kill");
                let number = format!("-{}", signal.as_raw());
                kill.args([&number, "--", &format!("-{}", self.child.id())]);
                // Fails when it is gone already; whether it is, the caller finds out.
                kill.stderr(Stdio::null())
                    .status()
                    .map(drop)
                    .context("sudo does not run")
            }
        }
    }

    fn gone_within(&mut self, patience: Duration) -> anyhow::Result<bool> {
        let deadline = Instant::now() + patience;
        loop {
            let first_gone = self.exited()?.is_some();
            let group_gone = self.group().is_none_or(|group| !lives(group));
            if first_gone && group_gone {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            thread::sleep(BEAT);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.life == Life::WithUs {
            // Whoever wants to know how it went calls stop(); here nobody can be told.
            drop(self.stop());
        }
    }
}

/// Whether anybody in the group still runs. Those who ended but were not asked after by whoever inherited them do not
/// count: in a container without an init they are never asked after.
fn lives(group: Pid) -> bool {
    if test_kill_process_group(group) == Err(rustix::io::Errno::SRCH) {
        return false;
    }
    let Ok(all) = fs::read_dir("/proc") else {
        return true;
    };
    all.filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("stat")).ok())
        .filter_map(|stat| state_and_group(&stat))
        .any(|(state, of)| of == group.as_raw_nonzero().get() && state != 'Z')
}

/// The third and the fifth field of /proc/PID/stat; the second, a name in brackets, may hold anything.
fn state_and_group(stat: &str) -> Option<(char, i32)> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(1)?.parse().ok()?))
}

/// Has the kernel send SIGTERM to the command's process when the thread that starts it dies.
pub fn end_with_parent(command: &mut Command) {
    let parent = rustix::process::getpid();
    #[expect(
        unsafe_code,
        reason = "pre_exec runs between fork and exec, where only async-signal-safe calls are allowed: these are two plain system calls"
    )]
    // SAFETY: both closures' calls are system calls without allocation or locks.
    unsafe {
        command.pre_exec(move || {
            rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
            // It may have died before the call above.
            if rustix::process::getppid() == Some(parent) {
                Ok(())
            } else {
                Err(rustix::io::Errno::SRCH.into())
            }
        });
    }
}

/// Asks `condition` until it has an answer. `what` completes "waited 20 s for ...".
///
/// # Errors
/// After `patience`, when the chore is interrupted, or with the condition's own error.
pub fn wait_until<T>(
    what: &str,
    patience: Duration,
    mut condition: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        interrupt::check()?;
        if let Some(answer) = condition()? {
            return Ok(answer);
        }
        if Instant::now() >= deadline {
            bail!("waited {} s for {what}, in vain.", patience.as_secs());
        }
        thread::sleep(BEAT);
    }
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
