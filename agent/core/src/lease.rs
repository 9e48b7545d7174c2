//! The life of one lease on this rig: its stages, and the one table of what may follow what.

use crate::effect::Effect;
use crate::facts::Moment;
use crate::meter::Meter;
use serde::{Deserialize, Serialize};
use sublet_protocol::ids::LeaseId;
use sublet_protocol::lease::{EndCode, Ending, LeaseGrant, LeaseState, Output};

/// Where a lease stands here. The word in brackets is the effect that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The image is on its way (pull).
    Pulling,
    /// The container is being made (start).
    Starting,
    /// It runs (watch).
    Running,
    /// It is being stopped (kill).
    Stopping,
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
    /// The image is here.
    Pulled,
    /// The container runs.
    Started,
    /// It ended well and there is something to keep.
    ExitedWithOutputs,
    /// It ended, and there is nothing to keep.
    ExitedBare,
    /// Somebody wants it stopped.
    Stop,
    /// It was stopped.
    Killed,
    /// Outputs are sealed.
    Collected,
    /// Outputs are with the marketplace.
    Uploaded,
    /// A step cannot be done.
    Failed,
}

impl Stage {
    /// All stages, in the order of a good life.
    pub const ALL: [Self; 7] = [
        Self::Pulling,
        Self::Starting,
        Self::Running,
        Self::Stopping,
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
            (G::Starting | G::Running, S::ExitedWithOutputs) => Some(G::Collecting),
            (G::Starting | G::Running, S::ExitedBare) => Some(G::Over),
            (G::Collecting, S::Collected) => Some(G::Uploading),
            (G::Uploading, S::Uploaded) => Some(G::Over),
            (G::Pulling | G::Starting | G::Running | G::Collecting | G::Uploading, S::Stop) => {
                Some(G::Stopping)
            }
            (G::Stopping, S::Killed) => Some(G::Over),
            (G::Pulling | G::Starting | G::Running | G::Collecting | G::Uploading, S::Failed) => {
                Some(G::Over)
            }
            _ => None,
        }
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
    /// What was sealed.
    pub outputs: Vec<Output>,
    /// Nothing of it is left in Docker.
    pub removed: bool,
    /// When removal may be tried again, on the monotonic clock.
    #[serde(skip)]
    pub retry_removal_at_ms: Option<u64>,
    /// The marketplace needs no more reports.
    pub settled: bool,
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
            outputs: Vec::new(),
            removed: false,
            retry_removal_at_ms: None,
            settled: false,
        }
    }

    /// A lease that is not taken, and why.
    pub fn refused(grant: LeaseGrant, now: Moment, message: String) -> Self {
        let mut lease = Self::new(grant, now);
        lease.stage = Stage::Over;
        lease.removed = true;
        lease.ending = Some(Ending {
            code: EndCode::NotAccepted,
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
            },
            Stage::Starting => Effect::Start {
                lease: id,
                spec: self.grant.spec.clone(),
                gpus: self.grant.gpus.clone(),
            },
            Stage::Running => Effect::Watch { lease: id },
            Stage::Stopping => Effect::Kill { lease: id },
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

    /// Whether its GPUs are taken: until its container is certainly gone. Sealing and sending need no GPU.
    pub fn holds_gpu(&self) -> bool {
        match self.stage {
            Stage::Pulling | Stage::Starting | Stage::Running | Stage::Stopping => true,
            Stage::Collecting | Stage::Uploading => false,
            Stage::Over => !self.removed && !self.is_completed(),
        }
    }

    fn is_completed(&self) -> bool {
        self.ending
            .as_ref()
            .is_some_and(|e| e.code == EndCode::Completed)
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
            Stage::Stopping => LeaseState::Reclaiming,
            Stage::Collecting | Stage::Uploading => LeaseState::Uploading,
            Stage::Over => match self.ending.as_ref().map(|e| e.code) {
                Some(EndCode::NotAccepted) => LeaseState::Refused,
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

    /// Every cell of the table that changes something, written down a second time on purpose.
    const MOVES: [(Stage, Signal, Stage); 19] = [
        (G::Pulling, S::Pulled, G::Starting),
        (G::Starting, S::Started, G::Running),
        (G::Starting, S::ExitedWithOutputs, G::Collecting),
        (G::Running, S::ExitedWithOutputs, G::Collecting),
        (G::Starting, S::ExitedBare, G::Over),
        (G::Running, S::ExitedBare, G::Over),
        (G::Collecting, S::Collected, G::Uploading),
        (G::Uploading, S::Uploaded, G::Over),
        (G::Pulling, S::Stop, G::Stopping),
        (G::Starting, S::Stop, G::Stopping),
        (G::Running, S::Stop, G::Stopping),
        (G::Collecting, S::Stop, G::Stopping),
        (G::Uploading, S::Stop, G::Stopping),
        (G::Stopping, S::Killed, G::Over),
        (G::Pulling, S::Failed, G::Over),
        (G::Starting, S::Failed, G::Over),
        (G::Running, S::Failed, G::Over),
        (G::Collecting, S::Failed, G::Over),
        (G::Uploading, S::Failed, G::Over),
    ];

    #[test]
    fn every_cell_of_the_table_is_as_meant() {
        let signals = [
            S::Pulled,
            S::Started,
            S::ExitedWithOutputs,
            S::ExitedBare,
            S::Stop,
            S::Killed,
            S::Collected,
            S::Uploaded,
            S::Failed,
        ];
        for stage in Stage::ALL {
            for signal in signals {
                let meant = MOVES
                    .iter()
                    .find(|(from, by, _)| *from == stage && *by == signal)
                    .map(|(_, _, to)| *to);
                assert_eq!(stage.after(signal), meant, "{stage:?} after {signal:?}");
            }
        }
    }

    #[test]
    fn nothing_leaves_over_and_every_stage_can_reach_it() {
        for stage in Stage::ALL {
            assert!(stage == G::Over || stage.after(S::Stop).is_some() || stage == G::Stopping);
        }
        assert_eq!(G::Stopping.after(S::Killed), Some(G::Over));
    }
}
