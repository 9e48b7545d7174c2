//! A part of the agent that runs as a child process, because what it touches may crash, hang or keep memory: GPU
//! drivers. The parent gets what the child wrote, or a typed reason why not, and always within a time limit.
//!
//! A child ends with its parent: it holds the reading end of a pipe that only the parent can keep open.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout_at;

/// Tells the child that its standard input is the parent's pipe.
const PARENT_PIPE_VARIABLE: &str = "SUBLET_PARENT_PIPE";
/// The most that a child may write on standard output.
const OUTPUT_LIMIT: u64 = 1024 * 1024;
/// How much of the end of standard error is kept for the error's text.
const ERRORS_KEPT: usize = 2048;
/// How long a killed child gets to vanish. One that hangs in a driver call vanishes later, or never.
const GONE_WITHIN: Duration = Duration::from_secs(2);

/// Where the program is that touches graphics drivers: beside the running one.
///
/// # Errors
/// When the system does not say where the running program's file is.
pub fn graphics_program() -> io::Result<PathBuf> {
    let name = format!("sublet-gpu{}", std::env::consts::EXE_SUFFIX);
    Ok(std::env::current_exe()?.with_file_name(name))
}

/// Why a child process gave no good answer.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// It could not be started.
    #[error("{} could not be started: {why}", program.display())]
    NotStarted {
        /// Its file.
        program: PathBuf,
        /// What the system said.
        #[source]
        why: io::Error,
    },
    /// It took too long and was killed.
    #[error("it did not finish within {} s and was stopped; the driver may hang", .0.as_secs_f32())]
    TimedOut(Duration),
    /// It ended badly: a crash, as a rule in the driver.
    #[error("it ended badly ({how}){}", said(.errors))]
    Crashed {
        /// The exit code or signal, in words.
        how: String,
        /// The end of what it wrote on standard error.
        errors: String,
    },
    /// Its output could not be read.
    #[error("its output could not be read: {0}")]
    Output(#[source] io::Error),
    /// It wrote more than any good answer takes.
    #[error("it wrote more than {OUTPUT_LIMIT} bytes, so the answer was not used")]
    TooMuchOutput,
}

fn said(errors: &str) -> String {
    if errors.is_empty() {
        String::new()
    } else {
        format!("; it said: {errors}")
    }
}

/// Runs `program` with `arguments` and hands every line of its standard output to `on_line`.
///
/// # Errors
/// See [`ChildError`]; lines that came before the error were handed over.
pub async fn run(
    program: &Path,
    arguments: &[&str],
    limit: Duration,
    mut on_line: impl FnMut(&str) + Send,
) -> Result<(), ChildError> {
    let deadline = tokio::time::Instant::now() + limit;
    let mut child = Command::new(program)
        .args(arguments)
        .env(PARENT_PIPE_VARIABLE, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|why| ChildError::NotStarted {
            program: program.to_owned(),
            why,
        })?;
    // Waiting for a child closes its standard input, so the pipe is taken out and kept until the end.
    let _parent_pipe = child.stdin.take();
    let output = child.stdout.take();
    let errors = child.stderr.take();

    let work = async {
        let (lines, errors, status) = tokio::join!(
            each_line(output, &mut on_line),
            last_part(errors),
            child.wait()
        );
        lines?;
        Ok((status.map_err(ChildError::Output)?, errors))
    };
    let ended = timeout_at(deadline, work).await;
    match ended {
        Ok(Ok((status, _))) if status.success() => Ok(()),
        Ok(Ok((status, errors))) => Err(ChildError::Crashed {
            how: how(status),
            errors,
        }),
        Ok(Err(error)) => {
            stop(child).await;
            Err(error)
        }
        Err(_elapsed) => {
            stop(child).await;
            Err(ChildError::TimedOut(limit))
        }
    }
}

async fn each_line<R: AsyncRead + Unpin>(
    output: Option<R>,
    on_line: &mut impl FnMut(&str),
) -> Result<(), ChildError> {
    let Some(output) = output else { return Ok(()) };
    let mut reader = BufReader::new(output.take(OUTPUT_LIMIT + 1));
    let mut line = Vec::new();
    let mut total = 0;
    loop {
        line.clear();
        let length = reader
            .read_until(b'\n', &mut line)
            .await
            .map_err(ChildError::Output)?;
        if length == 0 {
            return Ok(());
        }
        total += length as u64;
        if total > OUTPUT_LIMIT {
            return Err(ChildError::TooMuchOutput);
        }
        on_line(String::from_utf8_lossy(&line).trim_end());
    }
}

/// The end of what was written on standard error. A pipe that breaks ends the text, which is only for people.
async fn last_part<R: AsyncRead + Unpin>(errors: Option<R>) -> String {
    let Some(mut errors) = errors else {
        return String::new();
    };
    let mut kept = Vec::new();
    let mut piece = [0; 1024];
    while let Ok(length @ 1..) = errors.read(&mut piece).await {
        kept.extend_from_slice(&piece[..length]);
        let surplus = kept.len().saturating_sub(ERRORS_KEPT);
        kept.drain(..surplus);
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
}

async fn stop(mut child: Child) {
    if let Err(error) = child.start_kill() {
        tracing::warn!(%error, "a child process could not be stopped");
    }
    if tokio::time::timeout(GONE_WITHIN, child.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            pid = child.id(),
            "a stopped child process is still there; its driver call does not return"
        );
    }
}

#[cfg(unix)]
fn how(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    status
        .signal()
        .map_or_else(|| status.to_string(), |signal| format!("signal {signal}"))
}

#[cfg(not(unix))]
fn how(status: ExitStatus) -> String {
    status.to_string()
}

/// In the child: ends this process as soon as the parent is gone. Does nothing in a process that a person started.
///
/// # Errors
/// When the system gives no thread.
pub fn end_with_parent() -> io::Result<()> {
    if std::env::var_os(PARENT_PIPE_VARIABLE).is_none() {
        return Ok(());
    }
    std::thread::Builder::new()
        .name("parent-watch".into())
        .spawn(|| {
            // Nothing is ever written to this pipe, so that a read only returns when the other end is closed.
            let _ = io::stdin().lock().read(&mut [0]);
            std::process::exit(1);
        })?;
    Ok(())
}

/// In the child: writes one value as one line of JSON on standard output.
///
/// # Errors
/// When nobody reads any more.
pub fn write_line(value: &impl serde::Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    let mut output = io::stdout().lock();
    output.write_all(&line)?;
    output.flush()
}
