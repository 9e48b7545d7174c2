//! Where the local API of a data folder is reached, and who is calling.

use std::path::{Path, PathBuf};

/// The address that belongs to one data folder: a socket in it, or a named pipe made from its path. Agent and
/// clients find each other by the data folder alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    path: PathBuf,
}

impl Endpoint {
    /// `<data>/run/agent.sock`. The folder `run` is the agent's own, so that it can be closed to everyone else
    /// without touching the rights of a folder the owner chose.
    #[cfg(unix)]
    pub fn of(data: &Path) -> Self {
        Self {
            path: data.join("run").join("agent.sock"),
        }
    }

    /// `\\.\pipe\sublet-<user>-<hash of the data folder>`.
    #[cfg(windows)]
    pub fn of(data: &Path) -> Self {
        Self {
            path: PathBuf::from(pipe_name(&super::windows::user_name(), &full_path(data))),
        }
    }

    /// The socket's path, or the pipe's name.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The folder's full path in one spelling, so that agent and client hash the same text.
#[cfg(windows)]
fn full_path(data: &Path) -> String {
    let full = std::fs::canonicalize(data)
        .or_else(|_| std::path::absolute(data))
        .unwrap_or_else(|_| data.to_owned());
    full.to_string_lossy()
        .trim_start_matches(r"\\?\")
        .to_lowercase()
}

/// Pipe names take no backslash, and 256 characters at most.
#[cfg(any(windows, test))]
fn pipe_name(user: &str, data: &str) -> String {
    use sha2::{Digest, Sha256};
    let user: String = user
        .chars()
        .take(40)
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let hash = hex::encode(&Sha256::digest(data.as_bytes())[..8]);
    format!(r"\\.\pipe\sublet-{user}-{hash}")
}

/// Who holds the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// The user the agent runs as, or root.
    Owner,
    /// Somebody else, with the user id where the system told it.
    Stranger(Option<u32>),
}

/// Why the local API cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another agent answers there.
    #[error(
        "another agent already answers at {0}: it serves the same data folder. Stop it first, or start this one with another --data"
    )]
    AlreadyServed(PathBuf),
    /// A socket's path has room for about 100 bytes.
    #[error(
        "the socket's path {0} is longer than the system takes (107 bytes): choose a data folder with a shorter path (--data)"
    )]
    PathTooLong(PathBuf),
    /// The folder of the socket belongs to somebody else, or is not a folder.
    #[error(
        "{0} is not a folder of this user: the local API would not be private there. Remove it, or choose another --data"
    )]
    FolderNotOurs(PathBuf),
    /// The system said no.
    #[error("could not {what} {path}: {source}")]
    System {
        /// The attempt, such as "make the folder".
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_name_is_one_plain_word_and_differs_by_folder() {
        let name = pipe_name(r"DOMAIN\ann maria", r"c:\data");
        let word = name.strip_prefix(r"\\.\pipe\").unwrap();
        assert!(
            word.starts_with("sublet-DOMAIN_ann_maria-") && !word.contains('\\'),
            "{name}"
        );
        assert_ne!(name, pipe_name(r"DOMAIN\ann maria", r"c:\data2"));
        assert!(pipe_name(&"u".repeat(300), "x").len() < 100);
    }
}
