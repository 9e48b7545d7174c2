//! How a job keeps its place, so that another rig can go on where this one had to stop.

use super::file::CheckpointKeys;
use super::folders::{is_clean, is_system};
use super::place::{JobError, at};
use super::quantity;
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;
use utoipa::ToSchema;

/// A minute, where the job file names no interval.
const DEFAULT_MS: u64 = 60_000;
const SHORTEST_MS: u64 = 1_000;
const LONGEST_MS: u64 = 24 * 60 * 60_000;

/// Where a job writes what it would go on from, and how often that is kept.
///
/// Kept are the plain files that lie directly in the folder and whose names do not begin with a dot. A file under
/// such a name must be whole: it is written under another name (`.state`), and renamed. Whatever else lies there is
/// left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckpointPlan {
    /// The folder, an absolute path in the container. It is there and writable when the job starts, with the files of
    /// the last checkpoint in it if there was one.
    pub folder: String,
    /// How much running time may lie between two checkpoints that are kept, in ms; 1 minute by default.
    pub interval_ms: u64,
}

pub(super) fn checked(plan: &Spanned<CheckpointKeys>) -> Result<CheckpointPlan, JobError> {
    let folder = &plan.value.folder;
    if !is_clean(&folder.value) || is_system(&folder.value) {
        let what = format!(
            "`{}` is not a folder for checkpoints; write an absolute path such as /checkpoint",
            folder.value
        );
        return Err(at(folder, what));
    }
    let interval_ms = match &plan.value.interval {
        None => DEFAULT_MS,
        Some(interval) => {
            let ms = quantity::milliseconds(&interval.value.0).map_err(|e| at(interval, e))?;
            if !(SHORTEST_MS..=LONGEST_MS).contains(&ms) {
                return Err(at(interval, "`interval` must be 1s to 24h"));
            }
            ms
        }
    };
    Ok(CheckpointPlan {
        folder: folder.value.clone(),
        interval_ms,
    })
}

#[cfg(test)]
mod tests {
    use crate::job::parse;

    const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn job(checkpoint: &str) -> String {
        format!(
            "services:\n  a:\n    image: r.example/a@{DIGEST}\n    x-sublet:\n      max_price_per_hour: 1\n      outputs: [/out/a]\n      checkpoint: {checkpoint}\n"
        )
    }

    #[test]
    fn a_checkpoint_has_a_folder_and_an_interval() {
        let plan = |text: &str| parse(&job(text)).unwrap().checkpoint.unwrap();
        assert_eq!(plan("{folder: /checkpoint}").interval_ms, 60_000);
        let whole = plan("{folder: /work/state, interval: 5m}");
        assert_eq!(
            (whole.folder.as_str(), whole.interval_ms),
            ("/work/state", 300_000)
        );
    }

    #[test]
    fn what_is_no_checkpoint_is_refused_where_it_stands() {
        for (text, word) in [
            ("{folder: checkpoint}", "absolute path"),
            ("{folder: /}", "absolute path"),
            ("{folder: /a/../b}", "absolute path"),
            ("{folder: /tmp/state}", "absolute path"),
            ("{folder: /out}", "its own folder"),
            ("{folder: /out/state}", "its own folder"),
            ("{folder: /checkpoint, interval: 10ms}", "1s to 24h"),
            ("{folder: /checkpoint, interval: often}", "not a time"),
            ("{interval: 5m}", "folder"),
            ("{folder: /checkpoint, keep: 3}", "keep"),
        ] {
            let error = parse(&job(text)).unwrap_err();
            assert!(error.what.contains(word), "{text}: {error}");
            assert!(error.line >= 5, "{text}: {error}");
        }
    }
}
