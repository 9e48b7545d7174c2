//! Has a GPU been given back? Its memory is free again, and no process of the job is left on it.

use std::time::{Duration, Instant};

use sublet_core::facts::GpuUser;
use tokio::sync::oneshot;

use super::{GpuUsers, MemoryUse, ProcessUse, SensorError};

/// When a GPU counts as given back.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FreeWanted {
    /// How much memory may still be in use, in bytes, not counting what listed processes of others hold: what
    /// [`super::GpuReading::unclaimed_bytes`] said before the job, and some slack.
    pub at_most_bytes: u64,
    /// Processes that must be gone.
    pub pids: Vec<u32>,
    /// Containers, by their full ids, of which no process may be left.
    pub containers: Vec<String>,
}

/// How giving back went.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FreeOutcome {
    /// The GPU is free.
    Free {
        /// How long that took from the request.
        after: Duration,
        /// Memory in use now, in bytes, of whomever.
        used_bytes: u64,
    },
    /// It was not free at the deadline.
    Held {
        /// Memory in use then, in bytes, of whomever.
        used_bytes: u64,
        /// How much of it is too much, in bytes: what listed processes of others hold is not counted.
        held_bytes: u64,
        /// Those of the job that are left; else those that do not tell what they hold. Empty: no process shows that
        /// holds it.
        suspects: Vec<GpuUser>,
        /// Every process on the GPU with what it holds; empty: the driver names none, and the memory is held all the
        /// same.
        holders: Vec<GpuUser>,
    },
    /// It could not be read.
    Unknown(SensorError),
}

/// One request that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) uuid: String,
    pub(super) wanted: FreeWanted,
    pub(super) since: Instant,
    pub(super) until: Instant,
    pub(super) answer: Option<oneshot::Sender<FreeOutcome>>,
}

impl Waiting {
    /// Judges one look at the GPU and answers when it settles the matter. True: nobody waits any more.
    pub(super) fn look(
        &mut self,
        look: Result<(MemoryUse, Vec<ProcessUse>), SensorError>,
        users: &mut GpuUsers,
        now: Instant,
    ) -> bool {
        let outcome = judge(&self.wanted, look, users, now, now - self.since);
        let settled = matches!(outcome, FreeOutcome::Free { .. }) || now >= self.until;
        let abandoned = self.answer.as_ref().is_none_or(oneshot::Sender::is_closed);
        if settled && let Some(answer) = self.answer.take() {
            // Whoever asked may have given up waiting.
            let _ = answer.send(outcome);
        }
        settled || abandoned
    }
}

fn judge(
    wanted: &FreeWanted,
    look: Result<(MemoryUse, Vec<ProcessUse>), SensorError>,
    users: &mut GpuUsers,
    now: Instant,
    after: Duration,
) -> FreeOutcome {
    let (memory, processes) = match look {
        Ok(look) => look,
        Err(error) => return FreeOutcome::Unknown(error),
    };
    let used_bytes = memory.used_bytes;
    let mut others_hold = 0;
    let mut left = Vec::new();
    for process in &processes {
        users.learn(process.pid, now);
        if wanted.pids.contains(&process.pid) || users.belongs(process.pid, &wanted.containers) {
            left.push(process);
        } else {
            others_hold += process.memory_bytes.unwrap_or(0);
        }
    }
    if left.is_empty() && used_bytes.saturating_sub(others_hold) <= wanted.at_most_bytes {
        return FreeOutcome::Free { after, used_bytes };
    }
    if left.is_empty() {
        left.extend(processes.iter().filter(|it| it.memory_bytes.is_none()));
    }
    FreeOutcome::Held {
        used_bytes,
        held_bytes: used_bytes
            .saturating_sub(others_hold)
            .saturating_sub(wanted.at_most_bytes),
        suspects: left.into_iter().map(|it| users.user(it)).collect(),
        holders: processes.iter().map(|it| users.user(it)).collect(),
    }
}
