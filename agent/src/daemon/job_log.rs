//! A job's output on its way: kept here in part, sent to the renter, and read for the job's own progress.

use super::work::Tools;
use crate::market::Market;
use crate::sandbox::Sandbox;
use futures_util::StreamExt;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use sublet_core::event::News;
use sublet_protocol::ids::LeaseId;
use sublet_protocol::problem::ProblemCode;
use sublet_protocol::renter::LogAppend;

/// The file's name in the lease's folder.
const FILE_NAME: &str = "log";
/// How much is kept on this machine, in bytes. A job that writes more is not kept beyond.
const KEPT_BYTES: u64 = 1 << 20;
/// How much goes into one message.
const PIECE_BYTES: usize = 32 * 1024;
/// How long output may wait for more before it is sent.
const GATHER: Duration = Duration::from_millis(500);
/// How much of the end is shown at most, in bytes.
const TAIL_BYTES: u64 = 64 * 1024;

/// One job's log.
pub struct JobLog {
    tools: Tools,
    lease: LeaseId,
    folder: PathBuf,
    /// Bytes handed on so far, since the job's log began.
    offset: u64,
    waiting: String,
    /// The marketplace takes no more of it.
    full: bool,
    /// The last line, not ended yet.
    line: String,
}

impl JobLog {
    /// A log that is read from its beginning: Docker keeps it, and a repeat does no harm at the other end.
    pub fn new(tools: Tools, lease: LeaseId, folder: PathBuf) -> Self {
        Self {
            tools,
            lease,
            folder,
            offset: 0,
            waiting: String::new(),
            full: false,
            line: String::new(),
        }
    }

    /// Follows it to its end.
    pub async fn follow(mut self, sandbox: &Sandbox) {
        let mut file = match self.open() {
            Ok(file) => Some(file),
            Err(error) => {
                tracing::warn!(lease = %self.lease, %error, "a job's log cannot be kept on this machine");
                None
            }
        };
        let mut kept = 0;
        let mut chunks = sandbox.logs(&self.lease, 0, true);
        loop {
            let next = tokio::time::timeout(GATHER, chunks.next()).await;
            match next {
                Ok(Some(Ok(chunk))) => {
                    let text = String::from_utf8_lossy(&chunk.bytes).into_owned();
                    if let Some(open) = &mut file
                        && kept < KEPT_BYTES
                    {
                        kept += text.len() as u64;
                        if let Err(error) = open.write_all(text.as_bytes()) {
                            tracing::warn!(lease = %self.lease, %error, "a job's log is kept no further");
                            file = None;
                        }
                    }
                    self.read_progress(&text).await;
                    self.waiting.push_str(&text);
                    if self.waiting.len() >= PIECE_BYTES {
                        self.send(false).await;
                    }
                }
                Ok(Some(Err(error))) => {
                    tracing::info!(lease = %self.lease, %error, "a job's log broke off");
                    break;
                }
                Ok(None) => break,
                Err(_) if self.waiting.is_empty() => {}
                Err(_) => self.send(false).await,
            }
        }
        self.send(true).await;
    }

    fn open(&self) -> std::io::Result<std::fs::File> {
        std::fs::create_dir_all(&self.folder)?;
        std::fs::File::create(self.folder.join(FILE_NAME))
    }

    /// Reads lines such as `progress 0.4200 42 of 100 passes`.
    async fn read_progress(&mut self, text: &str) {
        let mut newest = None;
        for part in text.split_inclusive('\n') {
            self.line.push_str(part);
            if self.line.ends_with('\n') {
                newest = progress(&self.line).or(newest);
                self.line.clear();
            }
            if self.line.len() > 4_096 {
                self.line.clear();
            }
        }
        if let Some(permille) = newest {
            self.tools
                .tell(self.lease.clone(), News::Progress(permille))
                .await;
        }
    }

    async fn send(&mut self, end: bool) {
        let mut session = self.tools.session.clone();
        while !self.full && (end || !self.waiting.is_empty()) {
            let Ok(open) = session
                .wait_for(Option::is_some)
                .await
                .map(|open| open.clone())
            else {
                return;
            };
            let Some(open) = open else { continue };
            let mut cut = self.waiting.len().min(PIECE_BYTES);
            while !self.waiting.is_char_boundary(cut) {
                cut -= 1;
            }
            let last = end && cut == self.waiting.len();
            let part = LogAppend {
                offset: self.offset,
                text: self.waiting[..cut].to_owned(),
                end: last,
            };
            match self
                .tools
                .market
                .append_log(&open, &self.lease, &part)
                .await
            {
                Ok(_) => {
                    self.offset += cut as u64;
                    self.waiting.drain(..cut);
                    if last {
                        return;
                    }
                }
                Err(error) if error.may_pass() => {
                    // The rest waits; this keeps a job that writes much from filling memory meanwhile.
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Err(error) => {
                    if error.code() != Some(ProblemCode::TooLarge) {
                        tracing::warn!(lease = %self.lease, %error, "the marketplace takes no more of a job's log");
                    }
                    self.full = true;
                    self.waiting.clear();
                }
            }
        }
        if self.full {
            self.waiting.clear();
        }
    }
}

/// The share in a line `progress 0.42 …`, in thousandths.
fn progress(line: &str) -> Option<u16> {
    let share: f64 = line
        .strip_prefix("progress ")?
        .split_whitespace()
        .next()?
        .parse()
        .ok()?;
    // The cast saturates, and the range is checked.
    (0.0..=1.0)
        .contains(&share)
        .then_some((share * 1000.0).round() as u16)
}

/// The last lines of what was kept.
pub fn tail(folder: &Path, lines: u32) -> std::io::Result<String> {
    let mut file = std::fs::File::open(folder.join(FILE_NAME))?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    let from = all.len().saturating_sub(lines as usize);
    Ok(all[from..].join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_from_its_own_lines_alone() {
        assert_eq!(progress("progress 0.4200 42 of 100 passes\n"), Some(420));
        assert_eq!(progress("progress 1\n"), Some(1000));
        for other in [
            "progress\n",
            "progress 1.5\n",
            "progress NaN\n",
            "my progress 0.5\n",
            "progress x\n",
        ] {
            assert_eq!(progress(other), None, "{other}");
        }
    }

    #[test]
    fn the_tail_is_the_last_lines() {
        let folder = tempfile::tempdir().unwrap();
        let text: String = (0..10_000).map(|n| format!("line {n}\n")).collect();
        std::fs::write(folder.path().join(FILE_NAME), text).unwrap();
        assert_eq!(tail(folder.path(), 2).unwrap(), "line 9998\nline 9999");
    }
}
