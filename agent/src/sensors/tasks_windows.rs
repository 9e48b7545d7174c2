//! Which processes are new, by comparing lists.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Follows the processes of this machine.
#[derive(Debug)]
pub(super) struct NewTasks {
    known: HashSet<u32>,
}

impl NewTasks {
    pub(super) fn new(_root: PathBuf) -> Self {
        Self {
            known: HashSet::new(),
        }
    }

    /// Every process; `None` where they cannot be listed.
    pub(super) fn all(&mut self) -> Option<Vec<u32>> {
        let listed = super::process_windows::list()?;
        self.known = listed.into_iter().map(|(pid, _)| pid).collect();
        Some(self.known.iter().copied().collect())
    }

    /// Those that started since the last look.
    pub(super) fn since(&mut self) -> Option<Vec<u32>> {
        let before = std::mem::take(&mut self.known);
        let all = self.all()?;
        Some(
            all.into_iter()
                .filter(|pid| !before.contains(pid))
                .collect(),
        )
    }
}

/// Windows lists no threads among them.
pub(super) fn is_process(_root: &Path, _task: u32) -> bool {
    true
}
