//! How fast a GPU is: an fp32 matrix product and a memory triad in WGSL, so that one program measures every maker's
//! cards, in a child process of their own. Results are checked; a GPU that computes wrongly gets no score.

mod child_side;
mod device;
mod measure;
mod message;
mod reference;
mod score;
mod statistics;

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use child_side::child_main;
pub use message::{Failure, Progress, Stage};

use crate::child::{self, ChildError};
use crate::probe::AdapterId;
use message::Message;

/// How long a measurement may take; on a slow machine under load it takes some 15 s.
pub const TIMEOUT: Duration = Duration::from_secs(90);

/// What `sublet-gpu` is told so that it measures the adapter that is named next.
pub const WORD: &str = "measure";

/// Version of the kernels. Figures of different versions cannot be compared.
pub const KERNEL_VERSION: u32 = 1;

/// What a GPU can do, measured.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct BenchResult {
    /// Which adapter.
    pub adapter: AdapterId,
    /// Its name.
    pub adapter_name: String,
    /// Driver and version that it ran under.
    pub driver: String,
    /// fp32 matrix product, in 10^9 operations a second: the run in the middle.
    pub gflops_fp32: f64,
    /// Distance of the quartiles of these runs, as a share of the median.
    pub gflops_spread: f64,
    /// Side of the matrices that were multiplied.
    pub matrix_side: u32,
    /// Memory triad, in 10^9 bytes a second: the run in the middle.
    pub bandwidth_gb_s: f64,
    /// Distance of the quartiles of these runs, as a share of the median.
    pub bandwidth_spread: f64,
    /// Numbers in each vector of the triad.
    pub vector_length: u32,
    /// Whose clock timed it.
    pub timed_by: TimedBy,
    /// [`KERNEL_VERSION`] at the time.
    pub kernel_version: u32,
    /// How long the whole measurement took, in milliseconds.
    pub duration_ms: u64,
    /// When it ended, in milliseconds since 1970 (UTC).
    pub measured_at_ms: u64,
}

/// Whose clock a measurement was timed by.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TimedBy {
    /// The GPU's own.
    Device,
    /// The machine's, around submitting and waiting.
    WallClock,
}

impl TimedBy {
    fn and(self, other: Self) -> Self {
        if self == Self::Device { other } else { self }
    }
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The measuring process did not end well.
    #[error("the GPU could not be measured, because the process that measures failed: {0}")]
    Child(#[from] ChildError),
    /// It said why not.
    #[error("the GPU could not be measured: {0}")]
    Failed(#[from] Failure),
    /// It ended well and gave no result.
    #[error("the GPU could not be measured, because the process that measures gave no result")]
    NoResult,
}

/// Measures one adapter. `program` is `sublet-gpu` ([`child::graphics_program`]); `on_progress` hears how far it is.
///
/// # Errors
/// See [`BenchError`].
pub async fn run(
    program: &Path,
    adapter: &AdapterId,
    mut on_progress: impl FnMut(Progress) + Send,
    timeout: Duration,
) -> Result<BenchResult, BenchError> {
    let mut answer = None;
    // Lines that are none of ours come from drivers that print.
    let hear = |line: &str| match serde_json::from_str(line) {
        Ok(Message::Progress(progress)) => on_progress(progress),
        Ok(Message::Result(result)) => answer = Some(Ok(result)),
        Ok(Message::Failure(failure)) => answer = Some(Err(failure)),
        Err(error) => tracing::debug!(line, %error, "the measuring process wrote something else"),
    };
    child::run(program, &[WORD, adapter.as_str()], timeout, hear).await?;
    Ok(answer.ok_or(BenchError::NoResult)??)
}
