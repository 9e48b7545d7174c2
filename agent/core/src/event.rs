//! What happened outside.

use crate::custody::Held;
use crate::memory::Pause;
use sublet_protocol::heartbeat::{Command, Funding};
use sublet_protocol::ids::{GpuId, LeaseId};
use sublet_protocol::lease::{Checkpoint, EndCode, Output};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A second went by.
    Tick,
    /// The owner pauses, for a span, until a wall-clock time, or until further notice.
    Pause(Pause),
    /// The owner takes every pause back.
    Resume,
    /// The owner pauses one GPU.
    PauseGpu(GpuId, Pause),
    /// The owner takes that back.
    ResumeGpu(GpuId),
    /// The marketplace asks for something.
    Command(Command),
    /// A session with the marketplace is open.
    SessionOpened {
        /// How long the marketplace may be silent before jobs are stopped, in ms.
        fence_ms: u64,
    },
    /// The marketplace answered a heartbeat.
    Answered {
        /// How far running leases are covered.
        funding: Vec<Funding>,
        /// Leases that need no more reports.
        settled: Vec<LeaseId>,
    },
    /// The wallet took a voucher: running time of a lease that is proven, in ms.
    Paid {
        /// Which lease.
        lease: LeaseId,
        /// How much of its time.
        paid_ms: u64,
    },
    /// Something about a lease's container.
    Container {
        /// Which lease.
        lease: LeaseId,
        /// What.
        news: News,
    },
    /// Something about a GPU.
    Gpu {
        /// Which GPU.
        gpu: GpuId,
        /// What.
        news: GpuNews,
    },
    /// The agent goes down in order: what it changed on the machine is put back. Jobs run on.
    GoingDown,
    /// At start-up: every container of this rig that Docker knows. Whatever is not listed does not exist.
    Reconciled(Vec<FoundContainer>),
}

/// News of one lease's container.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// The image is here, with inputs and what the job goes on from.
    Pulled,
    /// It runs.
    Started,
    /// The job says how far it is, in thousandths.
    Progress(u16),
    /// It is frozen.
    Frozen,
    /// It could not be frozen.
    FreezeFailed {
        /// Why.
        message: String,
    },
    /// It goes on after a freeze.
    Thawed,
    /// The time in which it could end in order is over.
    GraceOver,
    /// It ended by itself.
    Exited {
        /// The exit code.
        code: i64,
        /// The kernel ended it for memory.
        out_of_memory: bool,
        /// How long it ran by Docker's account, in ms.
        ran_ms: Option<u64>,
    },
    /// It was stopped on our word.
    Killed,
    /// Its outputs are sealed on this machine.
    Collected(Vec<Output>),
    /// The marketplace holds all its outputs.
    Uploaded,
    /// What lay in its checkpoint folder is with the marketplace; or nothing, where there was nothing to keep or it
    /// could not be.
    Saved {
        /// What the marketplace holds now.
        checkpoint: Option<Checkpoint>,
        /// The job had ended, and its lease waited for this.
        last: bool,
    },
    /// Nothing of it is left on this machine.
    Removed,
    /// A step could not be done, for good.
    Failed {
        /// The code to report.
        code: EndCode,
        /// What happened, for people.
        message: String,
    },
    /// A step that has no other way out (thawing, killing, removing) did not work yet; to be tried again.
    NotYet {
        /// Why.
        message: String,
    },
}

/// News of one GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GpuNews {
    /// Its memory is free of the job that ended.
    Freed {
        /// How long that took, in ms since it was asked for.
        after_ms: u64,
    },
    /// Memory is still held.
    Held(Held),
    /// It cannot be told whether its memory is free.
    Unread {
        /// Why.
        why: String,
    },
    /// Its power limit was set.
    LimitSet,
    /// Its power limit is what it was before we came.
    LimitRestored,
    /// Its power limit could not be set.
    LimitRefused {
        /// Why.
        why: String,
    },
}

/// A container that was found at start-up.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundContainer {
    /// The lease on its label.
    pub lease: LeaseId,
    /// How it stands.
    pub state: FoundState,
}

/// How a found container stands.
#[derive(Debug, Clone, PartialEq)]
pub enum FoundState {
    /// Made, never started.
    Created,
    /// Running, for so long by Docker's account, in ms.
    Running {
        /// Since its start.
        ran_ms: u64,
    },
    /// Frozen.
    Frozen {
        /// Since its start, frozen or not.
        ran_ms: u64,
    },
    /// Over.
    Exited {
        /// The exit code.
        code: i64,
        /// The kernel ended it for memory.
        out_of_memory: bool,
        /// How long it ran, in ms.
        ran_ms: u64,
    },
}
