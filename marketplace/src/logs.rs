//! What jobs print: one file per lease, appended at its end only, so a repeat does no harm. Bounded.

use crate::fault::Fault;
use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use sublet_protocol::ids::LeaseId;
use sublet_protocol::problem::ProblemCode;
use sublet_protocol::renter::LogAppend;
use tokio::sync::Notify;

/// The most that one chunk holds, in bytes.
pub const CHUNK: usize = 256 * 1024;

/// The logs of all leases.
#[derive(Debug)]
pub struct Logs {
    folder: PathBuf,
    longest: u64,
    readers: Mutex<HashMap<LeaseId, Weak<Notify>>>,
    /// One append at a time: where a log ends is read before it is written.
    appending: Mutex<()>,
}

/// A piece of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The text; bytes that are not UTF-8 are replaced.
    pub text: String,
    /// Where to go on.
    pub next_offset: u64,
    /// The rig said that no more will come, and this is the last of it.
    pub end: bool,
}

impl Logs {
    /// Opens the folder.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(folder: PathBuf, longest: u64) -> Result<Self, Fault> {
        std::fs::create_dir_all(&folder)
            .map_err(Fault::file(format!("making {}", folder.display())))?;
        Ok(Self {
            folder,
            longest,
            readers: Mutex::default(),
            appending: Mutex::default(),
        })
    }

    fn text_of(&self, lease: &LeaseId) -> PathBuf {
        self.folder.join(format!("{lease}.log"))
    }

    /// Stands beside a log that is complete.
    fn end_of(&self, lease: &LeaseId) -> PathBuf {
        self.folder.join(format!("{lease}.end"))
    }

    /// Woken at each append to this lease's log.
    pub fn appended(&self, lease: &LeaseId) -> Arc<Notify> {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(notify) = readers.get(lease).and_then(Weak::upgrade) {
            return notify;
        }
        readers.retain(|_, notify| notify.strong_count() > 0);
        let notify = Arc::new(Notify::new());
        readers.insert(lease.clone(), Arc::downgrade(&notify));
        notify
    }

    /// Appends where the log ends; what was taken already is passed over. Returns where it ends now.
    ///
    /// # Errors
    /// `conflict` where the text begins beyond the end; `too_large` where the log is full.
    pub fn append(&self, lease: &LeaseId, append: &LogAppend) -> Result<u64, Fault> {
        let path = self.text_of(lease);
        let failed = |source| Fault::file(format!("writing {}", path.display()))(source);
        let _turn = self
            .appending
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let Some(known) = length.checked_sub(append.offset) else {
            return Err(Fault::refused(
                ProblemCode::Conflict,
                format!("The log of lease {lease} ends at {length}; send on from there."),
            ));
        };
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        let new = append.text.as_bytes().get(known..).unwrap_or_default();
        if length.saturating_add(new.len() as u64) > self.longest {
            return Err(Fault::refused(
                ProblemCode::TooLarge,
                format!(
                    "The log of lease {lease} is full: {} bytes at most are kept. Send no more of it.",
                    self.longest
                ),
            ));
        }
        file.write_all(new).map_err(failed)?;
        if append.end {
            std::fs::File::create(self.end_of(lease)).map_err(failed)?;
        }
        self.appended(lease).notify_waiters();
        Ok(length + new.len() as u64)
    }

    /// Reads on from an offset: nothing where there is no more (yet).
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&self, lease: &LeaseId, offset: u64) -> Result<Piece, Fault> {
        let path = self.text_of(lease);
        let failed = |source| Fault::file(format!("reading {}", path.display()))(source);
        // Before the text is read: what is appended in between is then not taken for the last.
        let ended = self.end_of(lease).exists();
        let mut file = match std::fs::File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Piece {
                    text: String::new(),
                    next_offset: offset,
                    end: ended,
                });
            }
            other => other.map_err(failed)?,
        };
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(CHUNK as u64)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        let full = bytes.len() == CHUNK;
        bytes.truncate(whole(&bytes, full));
        let next_offset = offset + bytes.len() as u64;
        Ok(Piece {
            text: String::from_utf8_lossy(&bytes).into_owned(),
            next_offset,
            end: ended && !full,
        })
    }
}

/// How much of a full chunk to give, so that no letter is cut in two: up to its last line's end, or else up to the
/// last place where a letter begins.
fn whole(bytes: &[u8], full: bool) -> usize {
    if !full {
        return bytes.len();
    }
    if let Some(newline) = bytes.iter().rposition(|b| *b == b'\n') {
        return newline + 1;
    }
    let begins = |b: &u8| (*b & 0xC0) != 0x80;
    match bytes.iter().rposition(begins) {
        Some(0) | None => bytes.len(),
        Some(last) => last,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(offset: u64, text: &str, end: bool) -> LogAppend {
        LogAppend {
            offset,
            text: text.into(),
            end,
        }
    }

    #[test]
    fn a_log_grows_at_its_end_alone_and_repeats_do_no_harm() {
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::open(folder.path().join("logs"), 20).unwrap();
        let lease = LeaseId::new("lease-1").unwrap();
        assert_eq!(logs.append(&lease, &append(0, "one\n", false)).unwrap(), 4);
        assert_eq!(logs.append(&lease, &append(0, "one\n", false)).unwrap(), 4);
        assert_eq!(
            logs.append(&lease, &append(2, "e\ntwo\n", false)).unwrap(),
            8
        );
        let beyond = logs.append(&lease, &append(9, "x", false)).unwrap_err();
        assert_eq!(beyond.problem().code, ProblemCode::Conflict);
        assert!(beyond.problem().detail.contains("ends at 8"), "{beyond}");
        let full = logs
            .append(&lease, &append(8, "0123456789abcdef", false))
            .unwrap_err();
        assert_eq!(full.problem().code, ProblemCode::TooLarge);
        assert!(!logs.read(&lease, 0).unwrap().end);
        logs.append(&lease, &append(8, "", true)).unwrap();
        let piece = logs.read(&lease, 4).unwrap();
        assert_eq!(
            (piece.text.as_str(), piece.next_offset, piece.end),
            ("two\n", 8, true)
        );
    }

    #[test]
    fn a_long_log_is_read_in_pieces_that_cut_no_letter() {
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::open(folder.path().join("logs"), 10 << 20).unwrap();
        let lease = LeaseId::new("lease-1").unwrap();
        let text = "ä".repeat(CHUNK) + "\nend\n";
        // One byte in front, so that the chunk's border falls into a letter.
        logs.append(&lease, &append(0, &format!("x{text}"), true))
            .unwrap();
        let (mut whole, mut offset) = (String::new(), 0);
        loop {
            let piece = logs.read(&lease, offset).unwrap();
            whole.push_str(&piece.text);
            offset = piece.next_offset;
            if piece.end {
                break;
            }
        }
        assert_eq!(whole, format!("x{text}"));
    }
}
