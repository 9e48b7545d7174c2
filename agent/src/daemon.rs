//! Joins the parts of the agent.

use crate::cli::RunOptions;

/// Runs the agent until it is told to end.
///
/// # Errors
/// Always, for now.
pub fn run(options: RunOptions) -> anyhow::Result<()> {
    anyhow::bail!(
        "the daemon is not there yet (data folder {})",
        options.data.display()
    )
}
