//! The life of one lease on this rig: its stages, and the one table of what may follow what.

use crate::effect::Effect;
use crate::facts::Moment;
use crate::meter::Meter;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use sublet_protocol::ids::{GpuId, LeaseId};
use sublet_protocol::lease::{Checkpoint, EndCode, Ending, LeaseGrant, LeaseState, Output};
use sublet_protocol::reason::Reason;

/// Where a lease stands here. The word in brackets is the effect that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The image is on its way, then inputs and what the job goes on from (pull).
    Pulling,
    /// The container is being made (start).
    Starting,
    /// It runs (watch).
    Running,
    /// It is held for a while, to let the GPU cool (freeze).
    Paused,
    /// It is let go on (thaw).
    Thawing,
    /// It is being stopped: first of all it stands still (freeze).
    Freezing,
    /// It may end in order, for a while (interrupt).
    Interrupting,
    /// It is being ended (kill).
    #[serde(alias = "stopping")]
    Killing,
    /// It has ended, and what another rig goes on from is sealed and sent (save). Its GPU is back by now.
    Saving,
    /// Outputs are being sealed (collect).
    Collecting,
    /// Outputs are on their way (upload).
    Uploading,
    /// Nothing more happens but removal and the last reports.
    Over,
}

/// What moves a lease from stage to stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// All that it needs is here.
    Pulled,
    /// The container runs.
    Started,
    /// It shall stand still for a while.
    Hold,
    /// It shall go on.
    Release,
    /// It goes on.
    Thawed,
    /// It ended well and there is something to keep.
    ExitedWithOutputs,
    /// It ended, and there is nothing to keep.
    ExitedBare,
    /// Somebody wants it stopped.
    Stop,
    /// It stands still, and has time to end in order.
    FrozenWithGrace,
    /// Nothing keeps it from being ended now: it stands still without any grace, its grace is over, it ended, or it
    /// cannot be frozen.
    EndNow,
    /// It was ended.
    Killed,
    /// It was ended, and another rig may go on from what it has written.
    KilledInMidWork,
    /// What another rig goes on from is with the marketplace, or is given up.
    Saved,
    /// Outputs are sealed.
    Collected,
    /// Outputs are with the marketplace.
    Uploaded,
    /// A step cannot be done.
    Failed,
}

impl Stage {
    /// All stages, in the order of a good life; those of being stopped stand between.
    pub const ALL: [Self; 12] = [
        Self::Pulling,
        Self::Starting,
        Self::Running,
        Self::Paused,
        Self::Thawing,
        Self::Freezing,
        Self::Interrupting,
        Self::Killing,
        Self::Saving,
        Self::Collecting,
        Self::Uploading,
        Self::Over,
    ];

    /// The one table. `None`: the signal is late or repeated, and changes nothing.
    pub fn after(self, signal: Signal) -> Option<Self> {
        use Signal as S;
        use Stage as G;
        match (self, signal) {
            (G::Pulling, S::Pulled) => Some(G::Starting),
            (G::Starting, S::Started) => Some(G::Running),
            (G::Running | G::Thawing, S::Hold) => Some(G::Paused),
            (G::Paused, S::Release) => Some(G::Thawing),
            (G::Thawing, S::Thawed) => Some(G::Running),
            (G::Starting | G::Running | G::Paused | G::Thawing, S::ExitedWithOutputs) => {
                Some(G::Collecting)
            }
            (G::Starting | G::Running | G::Paused | G::Thawing, S::ExitedBare) => Some(G::Over),
            (G::Collecting, S::Collected) => Some(G::Uploading),
            (G::Uploading, S::Uploaded) => Some(G::Over),
            (G::Starting | G::Running | G::Paused | G::Thawing, S::Stop) => Some(G::Freezing),
            (G::Pulling | G::Collecting | G::Uploading, S::Stop) => Some(G::Killing),
            (G::Freezing, S::FrozenWithGrace) => Some(G::Interrupting),
            (G::Freezing | G::Interrupting, S::EndNow) => Some(G::Killing),
            (G::Killing, S::Killed) => Some(G::Over),
            (G::Killing, S::KilledInMidWork) => Some(G::Saving),
            (G::Saving, S::Saved | S::Stop) => Some(G::Over),
            (
                G::Pulling
                | G::Starting
                | G::Running
                | G::Paused
                | G::Thawing
                | G::Collecting
                | G::Uploading,
                S::Failed,
            ) => Some(G::Over),
            _ => None,
        }
    }

    /// Whether the job is to go on here: its owner, its renter or its marketplace may stop it.
    pub fn may_run(self) -> bool {
        matches!(
            self,
            Self::Pulling | Self::Starting | Self::Running | Self::Paused | Self::Thawing
        )
    }
}

/// One lease.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lease {
    /// Its terms.
    pub grant: LeaseGrant,
    /// When it was taken, ms since 1970.
    pub granted_at_ms: u64,
    /// Where it stands.
    pub stage: Stage,
    /// Its running time.
    pub meter: Meter,
    /// How far the renter's reserved money goes, in ms of running time.
    pub funded_ms: u64,
    /// How much running time vouchers prove, in ms.
    pub paid_ms: u64,
    /// The job's own progress in thousandths.
    pub progress_permille: Option<u16>,
    /// How it ends or will end, once that is decided.
    pub ending: Option<Ending>,
    /// The reason of its owner's side for that ending, where there is one: with names and figures that are nobody
    /// else's business, so it stays on this machine while the marketplace hears [`Self::ending`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What was sealed.
    pub outputs: Vec<Output>,
    /// The newest checkpoint that the marketplace holds.
    #[serde(default)]
    pub checkpoint: Option<Checkpoint>,
    /// How long it had run when a checkpoint was last asked for, in ms.
    #[serde(default)]
    pub checkpoint_asked_ms: u64,
    /// GPU memory that no program accounted for when it was taken, in bytes, where the driver told.
    #[serde(default)]
    pub baseline_bytes: BTreeMap<GpuId, u64>,
    /// Its container was asked for, and may have run.
    #[serde(default = "yes")]
    pub started: bool,
    /// Its container has certainly ended: no process of it is left.
    #[serde(default)]
    pub ended: bool,
    /// How long it may take to end in order once it is being stopped, in ms.
    #[serde(default)]
    pub grace_ms: u64,
    /// When that is over, on the monotonic clock.
    #[serde(skip)]
    pub grace_until_ms: Option<u64>,
    /// Nothing of it is left in Docker.
    pub removed: bool,
    /// When a step that failed may be tried again, on the monotonic clock.
    #[serde(skip)]
    pub retry_at_ms: Option<u64>,
    /// The marketplace needs no more reports.
    pub settled: bool,
}

/// What an earlier version stored may have run.
fn yes() -> bool {
    true
}

impl Lease {
    /// A lease just granted.
    pub fn new(grant: LeaseGrant, now: Moment) -> Self {
        Self {
            funded_ms: grant.funded_ms,
            grant,
            granted_at_ms: now.wall_ms,
            stage: Stage::Pulling,
            meter: Meter::default(),
            paid_ms: 0,
            progress_permille: None,
            ending: None,
            reason: None,
            outputs: Vec::new(),
            checkpoint: None,
            checkpoint_asked_ms: 0,
            baseline_bytes: BTreeMap::new(),
            started: false,
            ended: false,
            grace_ms: 0,
            grace_until_ms: None,
            removed: false,
            retry_at_ms: None,
            settled: false,
        }
    }

    /// A lease that is not taken, and why: as others hear it, and as its owner does.
    pub fn refused(
        grant: LeaseGrant,
        now: Moment,
        code: EndCode,
        message: String,
        reason: Option<Reason>,
    ) -> Self {
        let mut lease = Self::new(grant, now);
        lease.stage = Stage::Over;
        lease.removed = true;
        lease.reason = reason;
        lease.ending = Some(Ending {
            code,
            exit_code: None,
            message,
            outputs: Vec::new(),
        });
        lease
    }

    /// Its id.
    pub fn id(&self) -> &LeaseId {
        &self.grant.lease
    }

    /// What its stage asks for.
    pub fn work(&self) -> Effect {
        let id = self.id().clone();
        match self.stage {
            Stage::Pulling => Effect::Pull {
                lease: id,
                spec: self.grant.spec.clone(),
                checkpoint: self.grant.checkpoint.clone(),
            },
            Stage::Starting => Effect::Start {
                lease: id,
                spec: self.grant.spec.clone(),
                gpus: self.grant.gpus.clone(),
                checkpoint: self.grant.checkpoint.clone(),
            },
            Stage::Running => Effect::Watch { lease: id },
            Stage::Paused | Stage::Freezing => Effect::Freeze { lease: id },
            Stage::Thawing => Effect::Thaw { lease: id },
            Stage::Interrupting => Effect::Interrupt {
                lease: id,
                grace_ms: self.grace_ms,
            },
            Stage::Killing => Effect::Kill { lease: id },
            Stage::Saving => self.save(true),
            Stage::Collecting => Effect::Collect {
                lease: id,
                spec: self.grant.spec.clone(),
            },
            Stage::Uploading => Effect::Upload {
                lease: id,
                outputs: self.outputs.clone(),
            },
            Stage::Over => Effect::Remove { lease: id },
        }
    }

    /// Asks for what another rig goes on from: `last` once the job has ended, else while it runs.
    fn save(&self, last: bool) -> Effect {
        Effect::Save {
            lease: self.id().clone(),
            spec: self.grant.spec.clone(),
            used_ms: self.checkpoint_asked_ms,
            last,
        }
    }

    /// Asks for a checkpoint of a job that runs, once it has run for an interval since the last one.
    pub(crate) fn checkpoint_due(&mut self, now: Moment) -> Option<Effect> {
        let plan = self.grant.spec.checkpoint.as_ref()?;
        let used = self.used_ms(now);
        let due = self.checkpoint_asked_ms.saturating_add(plan.interval_ms);
        if self.stage != Stage::Running || used < due {
            return None;
        }
        self.checkpoint_asked_ms = used;
        Some(self.save(false))
    }

    /// Whether what it has written is worth sending once it was killed: it ran, and another rig may go on with it.
    /// One that never ran holds no more than it was given, and perhaps not even that; one that was fenced is
    /// another's by now.
    pub(crate) fn ends_in_mid_work(&self, now: Moment) -> bool {
        let code = self.ending.as_ref().map(|ending| ending.code);
        self.grant.spec.checkpoint.is_some()
            && self.used_ms(now) > 0
            && code.is_some_and(|code| code.may_retry() && code != EndCode::Fenced)
    }

    /// Whether its GPUs are taken: until its container has certainly ended. Sealing and sending need no GPU.
    pub fn holds_gpu(&self) -> bool {
        match self.stage {
            Stage::Saving | Stage::Collecting | Stage::Uploading => false,
            Stage::Over => self.started && !self.ended && !self.removed,
            // Also one that is ended while it seals: another job may run where it did.
            _ => !self.ended,
        }
    }

    /// Billable time up to now, in ms: never more than what is funded and what the deadline allows.
    pub fn used_ms(&self, now: Moment) -> u64 {
        self.meter.used_ms(now).min(self.limit_ms())
    }

    /// The longest it may run, in ms.
    pub fn limit_ms(&self) -> u64 {
        self.funded_ms.min(self.grant.spec.deadline_ms)
    }

    /// The word for the wire and the screen.
    pub fn state(&self) -> LeaseState {
        match self.stage {
            Stage::Pulling => LeaseState::Pulling,
            Stage::Starting => LeaseState::Starting,
            Stage::Running => LeaseState::Running,
            Stage::Paused | Stage::Thawing => LeaseState::Paused,
            Stage::Freezing | Stage::Interrupting | Stage::Killing => LeaseState::Reclaiming,
            Stage::Saving | Stage::Collecting | Stage::Uploading => LeaseState::Uploading,
            Stage::Over => match self.ending.as_ref().map(|e| e.code) {
                Some(code) if code.is_refusal() => LeaseState::Refused,
                Some(
                    EndCode::Completed
                    | EndCode::Cancelled
                    | EndCode::OutOfFunds
                    | EndCode::DeadlineReached
                    | EndCode::Reclaimed,
                ) => LeaseState::Finished,
                _ => LeaseState::Failed,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Signal as S;
    use Stage as G;

    /// The table, a second time and from the other side: row by row where each signal leads, `.` where nowhere.
    /// In the order of [`SIGNALS`].
    const ROWS: [(Stage, [Option<Stage>; 16]); 12] = {
        const N: Option<Stage> = None;
        const fn to(stage: Stage) -> Option<Stage> {
            Some(stage)
        }
        const OVER: Option<Stage> = to(G::Over);
        const SEAL: Option<Stage> = to(G::Collecting);
        const KILL: Option<Stage> = to(G::Killing);
        const SAVE: Option<Stage> = to(G::Saving);
        const ICE: Option<Stage> = to(G::Freezing);
        const HELD: Option<Stage> = to(G::Paused);
        const RUN: Option<Stage> = to(G::Running);
        #[rustfmt::skip]
        let rows = [
            //                pulled            started hold  release           thawed outputs bare  stop  grace                   end   killed midway saved collected         uploaded failed
            (G::Pulling,      [to(G::Starting), N,      N,    N,                N,     N,      N,    KILL, N,                      N,    N,     N,     N,    N,                N,       OVER]),
            (G::Starting,     [N,               RUN,    N,    N,                N,     SEAL,   OVER, ICE,  N,                      N,    N,     N,     N,    N,                N,       OVER]),
            (G::Running,      [N,               N,      HELD, N,                N,     SEAL,   OVER, ICE,  N,                      N,    N,     N,     N,    N,                N,       OVER]),
            (G::Paused,       [N,               N,      N,    to(G::Thawing),   N,     SEAL,   OVER, ICE,  N,                      N,    N,     N,     N,    N,                N,       OVER]),
            (G::Thawing,      [N,               N,      HELD, N,                RUN,   SEAL,   OVER, ICE,  N,                      N,    N,     N,     N,    N,                N,       OVER]),
            (G::Freezing,     [N,               N,      N,    N,                N,     N,      N,    N,    to(G::Interrupting),    KILL, N,     N,     N,    N,                N,       N]),
            (G::Interrupting, [N,               N,      N,    N,                N,     N,      N,    N,    N,                      KILL, N,     N,     N,    N,                N,       N]),
            (G::Killing,      [N,               N,      N,    N,                N,     N,      N,    N,    N,                      N,    OVER,  SAVE,  N,    N,                N,       N]),
            (G::Saving,       [N,               N,      N,    N,                N,     N,      N,    OVER, N,                      N,    N,     N,     OVER, N,                N,       N]),
            (G::Collecting,   [N,               N,      N,    N,                N,     N,      N,    KILL, N,                      N,    N,     N,     N,    to(G::Uploading), N,       OVER]),
            (G::Uploading,    [N,               N,      N,    N,                N,     N,      N,    KILL, N,                      N,    N,     N,     N,    N,                OVER,    OVER]),
            (G::Over,         [N,               N,      N,    N,                N,     N,      N,    N,    N,                      N,    N,     N,     N,    N,                N,       N]),
        ];
        rows
    };

    const SIGNALS: [Signal; 16] = [
        S::Pulled,
        S::Started,
        S::Hold,
        S::Release,
        S::Thawed,
        S::ExitedWithOutputs,
        S::ExitedBare,
        S::Stop,
        S::FrozenWithGrace,
        S::EndNow,
        S::Killed,
        S::KilledInMidWork,
        S::Saved,
        S::Collected,
        S::Uploaded,
        S::Failed,
    ];

    #[test]
    fn every_cell_of_the_table_is_as_meant() {
        assert_eq!(ROWS.map(|(stage, _)| stage), Stage::ALL);
        for (stage, row) in ROWS {
            for (signal, meant) in SIGNALS.into_iter().zip(row) {
                assert_eq!(stage.after(signal), meant, "{stage:?} after {signal:?}");
            }
        }
    }

    #[test]
    fn nothing_leaves_over_and_whatever_is_stopped_gets_there() {
        for stage in Stage::ALL {
            let mut at = stage;
            for signal in [S::Stop, S::EndNow, S::Killed] {
                at = at.after(signal).unwrap_or(at);
            }
            assert_eq!(at, G::Over, "{stage:?}");
        }
        assert!(
            SIGNALS
                .iter()
                .all(|signal| G::Over.after(*signal).is_none())
        );
    }
}
