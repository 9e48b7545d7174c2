//! Which graphics adapters there are, asked through wgpu in a short-lived child process: drivers crash, and the memory
//! that they take stays out of the daemon.

mod adapter;
mod enumerate;

use std::io;
use std::path::Path;
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

/// What `sublet-gpu` is told so that it lists the adapters.
pub const WORD: &str = "list";

/// Lists every adapter. `program` is `sublet-gpu` ([`child::graphics_program`]).
///
/// # Errors
/// See [`ProbeError`].
pub async fn run(program: &Path, timeout: Duration) -> Result<Vec<Adapter>, ProbeError> {
    let mut last = String::new();
    // A driver may print on standard output too, so the answer is the last line.
    let keep = |line: &str| {
        if !line.is_empty() {
            line.clone_into(&mut last);
        }
    };
    child::run(program, &[WORD], timeout, keep).await?;
    serde_json::from_str(&last).map_err(ProbeError::Garbage)
}

/// In the child: writes the adapters as one line of JSON.
///
/// # Errors
/// When the system gives no thread, or nobody reads any more.
pub fn child_main() -> io::Result<()> {
    child::end_with_parent()?;
    let adapters: Vec<Adapter> = adapters().into_iter().map(|(adapter, _)| adapter).collect();
    child::write_line(&adapters)
}
