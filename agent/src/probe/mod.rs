//! Which graphics adapters there are, asked through wgpu in a short-lived child process: drivers crash, and the memory
//! that they take stays out of the daemon.

mod adapter;
mod enumerate;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

pub use adapter::{Adapter, AdapterId, AdapterKind, Backend, Limits};
pub(crate) use enumerate::adapters;

use crate::child::{self, ChildError};

/// How long the probe may take. The first start of a driver can need seconds.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Why the adapters are not known. The agent goes on without them.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The child process did not end well.
    #[error(
        "the graphics adapters could not be listed, because the process that looks for them failed: {0}"
    )]
    Child(#[from] ChildError),
    /// It ended well and wrote something that is no answer.
    #[error(
        "the graphics adapters could not be listed, because the process that looks for them gave no proper answer: {0}"
    )]
    Garbage(#[source] serde_json::Error),
}

/// Lists every adapter. `exe` is the agent's own executable.
///
/// # Errors
/// See [`ProbeError`].
pub async fn run(exe: &Path, timeout: Duration) -> Result<Vec<Adapter>, ProbeError> {
    let mut last = String::new();
    // A driver may print on standard output too, so the answer is the last line.
    let keep = |line: &str| {
        if !line.is_empty() {
            line.clone_into(&mut last);
        }
    };
    child::run(exe, &["probe", "--json"], timeout, keep).await?;
    serde_json::from_str(&last).map_err(ProbeError::Garbage)
}

/// What the hidden subcommand `probe --json` does: writes the adapters as one line of JSON.
#[must_use]
pub fn child_main() -> ExitCode {
    let answer = child::end_with_parent().and_then(|()| {
        let adapters: Vec<Adapter> = adapters().into_iter().map(|(adapter, _)| adapter).collect();
        child::write_line(&adapters)
    });
    match answer {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the adapters could not be written");
            ExitCode::FAILURE
        }
    }
}
