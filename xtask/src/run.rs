//! Commands that are run to their end, with their output kept, and shown when they fail.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::console::{Console, Task};
use crate::interrupt;
use crate::process::end_with_parent;

/// How many lines of a failed command are shown.
const SHOWN: usize = 30;
/// How long a command may take to end when the chore is interrupted.
const GRACE: Duration = Duration::from_secs(20);

/// A command with a title for people.
pub struct Run {
    title: String,
    command: Command,
    again: String,
}

impl Run {
    pub fn new(title: &str, command: Command) -> Run {
        Run {
            title: title.to_owned(),
            again: spelled(&command),
            command,
        }
    }

    /// What to type to run it again, where that is not the command itself.
    pub fn again_with(mut self, again: &str) -> Run {
        again.clone_into(&mut self.again);
        self
    }

    /// Runs it as a task; its output goes to a log in `logs`, of which the last line is shown as it comes.
    ///
    /// # Errors
    /// When it fails: with the last 30 lines of output, and how to run it again.
    pub fn in_task(self, console: &Console, logs: &Path) -> anyhow::Result<()> {
        let mut task = console.task(&self.title);
        let outcome = self.carry_out(logs, &mut task);
        match outcome {
            Ok(()) => task.done(),
            Err(_) => task.failed(),
        }
        outcome
    }

    fn carry_out(mut self, logs: &Path, task: &mut Task) -> anyhow::Result<()> {
        let log = self.log(logs)?;
        let status = watch(&mut self.command, &log, task)
            .with_context(|| format!("{:?} cannot be run", self.command.get_program()))?;
        interrupt::check()?;
        if status.success() {
            return Ok(());
        }
        bail!(
            "{} failed ({status}). The end of {}:\n\n{}\n\nTo run it again:\n  {}",
            self.title,
            log.display(),
            tail(&log),
            self.again
        )
    }

    fn log(&self, logs: &Path) -> anyhow::Result<PathBuf> {
        fs::create_dir_all(logs)
            .with_context(|| format!("the folder {} cannot be made", logs.display()))?;
        let name: String = self
            .title
            .to_lowercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        Ok(logs.join(format!("{name}.log")))
    }
}

/// Runs `command` in a process group of its own and hands each line of its output to the log and the task.
fn watch(command: &mut Command, log: &Path, task: &mut Task) -> anyhow::Result<ExitStatus> {
    let mut file = File::create(log)?;
    let (reader, writer) = std::io::pipe()?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0);
    end_with_parent(command);
    let mut child = command.spawn()?;
    // The command holds ends of the pipe that would keep it open after the child's end.
    command.stdout(Stdio::null()).stderr(Stdio::null());

    let (send, lines) = mpsc::channel();
    let reading = thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            if send.send(std::mem::take(&mut line)).is_err() {
                break;
            }
        }
    });
    let mut asked_at: Option<Instant> = None;
    let status = loop {
        match lines.recv_timeout(Duration::from_millis(100)) {
            Ok(line) => {
                file.write_all(&line)?;
                let text = String::from_utf8_lossy(&line);
                if !text.trim().is_empty() {
                    task.note(text.trim());
                }
            }
            // A service that the command started may hold the pipe for ever: its end counts, not the pipe's.
            Err(RecvTimeoutError::Timeout) => match child.try_wait()? {
                Some(status) => break status,
                None => task.note(""),
            },
            Err(RecvTimeoutError::Disconnected) => break child.wait()?,
        }
        if interrupt::asked() {
            let since = *asked_at.get_or_insert_with(|| {
                signal(child.id(), Signal::TERM);
                Instant::now()
            });
            if since.elapsed() > GRACE {
                signal(child.id(), Signal::KILL);
                break child.wait()?;
            }
        }
    };
    // What a killed group left behind may hold the pipe; only a reader that is done is worth joining.
    if reading.is_finished() {
        drop(reading.join());
    }
    Ok(status)
}

fn signal(group: u32, signal: Signal) {
    if let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw)
        && let Err(error) = kill_process_group(group, signal)
        && error != rustix::io::Errno::SRCH
    {
        Console::new().say(&format!("A command could not be stopped: {error}."));
    }
}

/// What one of our own programs says; an error when it fails.
pub fn said(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{command:?}"))?;
    // 4 says that the owner is needed, beside the answer.
    if !matches!(output.status.code(), Some(0 | 4)) {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} ended with {}: {}", output.status, error.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The last 30 lines of a log.
pub fn tail(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let mut last = VecDeque::with_capacity(SHOWN);
    for line in text.lines() {
        if last.len() == SHOWN {
            last.pop_front();
        }
        last.push_back(line);
    }
    last.make_contiguous().join("\n")
}

/// The command as one would type it, with the environment that it was given.
fn spelled(command: &Command) -> String {
    let quoted = |text: &std::ffi::OsStr| {
        let text = text.to_string_lossy();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@,+%".contains(c);
        if !text.is_empty() && text.chars().all(plain) {
            text.into_owned()
        } else {
            format!("'{}'", text.replace('\'', "'\\''"))
        }
    };
    let set = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={}", name.to_string_lossy(), quoted(value?))));
    set.chain([quoted(command.get_program())])
        .chain(command.get_args().map(quoted))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failure_shows_the_last_thirty_lines_and_how_to_run_it_again() {
        let logs = tempfile::tempdir().unwrap();
        let run = Run::new("Counting", shell("seq 1 100; echo done >&2; exit 4"));
        let error = run.in_task(&Console::new(), logs.path()).err().unwrap();
        let text = error.to_string();
        assert!(text.contains("Counting failed (exit status: 4)"), "{text}");
        assert!(
            text.contains("\n72\n") && text.contains("\n100\ndone\n"),
            "{text}"
        );
        assert!(!text.contains("\n71\n"), "{text}");
        assert!(
            text.ends_with("sh -c 'seq 1 100; echo done >&2; exit 4'"),
            "{text}"
        );
    }

    #[test]
    fn a_success_keeps_its_whole_output() {
        let logs = tempfile::tempdir().unwrap();
        let run = Run::new("Counting", shell("seq 1 100; printf end"));
        run.in_task(&Console::new(), logs.path()).unwrap();
        let log = fs::read_to_string(logs.path().join("counting.log")).unwrap();
        assert!(log.starts_with("1\n2\n") && log.ends_with("100\nend"));
    }

    #[test]
    fn commands_are_spelled_as_one_would_type_them() {
        let mut command = Command::new("cargo");
        command
            .args(["test", "it's"])
            .env("RUSTFLAGS", "-C a")
            .env_remove("CARGO");
        assert_eq!(spelled(&command), "RUSTFLAGS='-C a' cargo test 'it'\\''s'");
    }
}
