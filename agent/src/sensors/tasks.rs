//! Which processes and threads are new. The kernel tells the number of the newest task in one short line; while that
//! stands still, nothing has started and nothing need be listed.

use std::path::{Path, PathBuf};

/// More new tasks than this are found faster by a list of all processes.
const FEW: u32 = 256;

/// Follows the numbers of tasks in one `/proc`.
#[derive(Debug)]
pub(super) struct NewTasks {
    root: PathBuf,
    newest: Option<u32>,
}

impl NewTasks {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, newest: None }
    }

    /// Every process; `None` where they cannot be listed.
    pub(super) fn all(&mut self) -> Option<Vec<u32>> {
        // Taken first: what starts during the listing is new at the next look.
        self.newest = Some(newest(&self.root)?);
        let entries = std::fs::read_dir(&self.root).ok()?;
        let pid = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
        Some(entries.flatten().filter_map(pid).collect())
    }

    /// Tasks that started since the last look, threads among them; `None`: too many, or nobody knows.
    pub(super) fn since(&mut self) -> Option<Vec<u32>> {
        let newest = newest(&self.root)?;
        let last = self.newest.replace(newest)?;
        // Numbers begin again from the bottom when they have reached the top.
        let count = newest.checked_sub(last).filter(|count| *count <= FEW)?;
        Some((0..count).map(|step| last + step + 1).collect())
    }
}

/// The last field of `/proc/loadavg`.
fn newest(root: &Path) -> Option<u32> {
    let line = std::fs::read_to_string(root.join("loadavg")).ok()?;
    line.split_whitespace().last()?.parse().ok()
}

/// Whether the task is a process, rather than one more thread of one.
pub(super) fn is_process(root: &Path, task: u32) -> bool {
    let status = std::fs::read_to_string(root.join(task.to_string()).join("status"));
    let leader = |status: String| -> Option<u32> {
        let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
        line.trim().parse().ok()
    };
    status
        .ok()
        .and_then(leader)
        .is_none_or(|leader| leader == task)
}
