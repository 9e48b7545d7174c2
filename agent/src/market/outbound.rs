//! What the daemon wants the marketplace to know, and when that cannot wait.

use ed25519_dalek::SigningKey;
use sublet_protocol::gpu::Telemetry;
use sublet_protocol::heartbeat::{Heartbeat, LeaseReport};
use sublet_protocol::ids::LeaseId;
use sublet_protocol::lease::{Checkpoint, Ending, LeaseState, Transfer};
use sublet_protocol::offer::{GpuOffer, HostLimits, Offer, SandboxFacts, WorkRules};
use sublet_protocol::reason::{Reason, RigState};
use sublet_protocol::session::Session;
use sublet_protocol::usage::SignedUsage;

/// How the rig stands now. The daemon replaces it whenever it likes; the link sends the newest.
#[derive(Debug, Clone, PartialEq)]
pub struct Outbound {
    /// Chosen by the daemon, and handed back with the reply: what the marketplace has heard of.
    pub snapshot: u64,
    /// The GPUs that may be rented now. Empty withdraws the offer.
    pub offer: Vec<GpuOffer>,
    /// What a job may take beside GPUs.
    pub limits: HostLimits,
    /// What the sandbox enforces.
    pub sandbox: SandboxFacts,
    /// Which work the owner takes.
    pub work: WorkRules,
    /// The state in one word.
    pub state: RigState,
    /// Why it does not rent, most important first.
    pub reasons: Vec<Reason>,
    /// One look at each GPU.
    pub telemetry: Vec<Telemetry>,
    /// Every lease that the marketplace has not settled yet.
    pub leases: Vec<LeaseStand>,
    /// The highest command id that the daemon has taken in for good.
    pub commands_seen: u64,
}

/// One lease as the daemon knows it; the link signs its meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseStand {
    /// Which.
    pub lease: LeaseId,
    /// Where it stands.
    pub state: LeaseState,
    /// Billable running time, in ms. Never shrinks.
    pub used_ms: u64,
    /// The job's own progress, in thousandths.
    pub progress_permille: Option<u16>,
    /// How it ended, once it did.
    pub ending: Option<Ending>,
    /// The newest checkpoint that the marketplace holds.
    pub checkpoint: Option<Checkpoint>,
    /// What is on its way for it.
    pub transfer: Option<Transfer>,
}

impl Outbound {
    /// Whether the marketplace should hear of `self` at once, where it last heard `told`. Figures that always
    /// move (telemetry, meters, progress) wait for the next regular heartbeat, and so does a lease that is no
    /// longer named: the marketplace has settled it.
    pub(super) fn presses_after(&self, told: &Self) -> bool {
        // What bars no offer came from the marketplace's own last answer: it need not hear it at once.
        let codes = |of: &Self| {
            let codes = of.reasons.iter().map(|reason| reason.code);
            codes.filter(|code| code.bars()).collect::<Vec<_>>()
        };
        let news = |stand: &LeaseStand| {
            !told.leases.iter().any(|old| {
                old.lease == stand.lease
                    && old.state == stand.state
                    && old.ending == stand.ending
                    && old.checkpoint == stand.checkpoint
            })
        };
        self.state != told.state
            || codes(self) != codes(told)
            || self.leases.iter().any(news)
            || self.offers_else(told)
    }

    /// Whether the two offer different things.
    pub(super) fn offers_else(&self, other: &Self) -> bool {
        self.offer != other.offer
            || self.limits != other.limits
            || self.sandbox != other.sandbox
            || self.work != other.work
    }

    /// The offer for one session.
    pub(super) fn offer_in(&self, session: &Session) -> Offer {
        Offer {
            epoch: session.epoch,
            gpus: self.offer.clone(),
            limits: self.limits,
            sandbox: self.sandbox.clone(),
            work: self.work.clone(),
        }
    }

    /// The heartbeat for one session, with every meter signed.
    pub(super) fn heartbeat_in(
        &self,
        session: &Session,
        key: &SigningKey,
        seq: u64,
        sent_at_ms: u64,
    ) -> Heartbeat {
        let report = |stand: &LeaseStand| LeaseReport {
            lease: stand.lease.clone(),
            state: stand.state,
            usage: SignedUsage::new(
                key,
                &session.audience,
                &session.rig,
                &stand.lease,
                stand.used_ms,
            ),
            progress_permille: stand.progress_permille,
            ending: stand.ending.clone(),
            checkpoint: stand.checkpoint.clone(),
            transfer: stand.transfer,
        };
        Heartbeat {
            epoch: session.epoch,
            seq,
            sent_at_ms,
            state: self.state,
            reasons: self.reasons.clone(),
            gpus: self.telemetry.clone(),
            leases: self.leases.iter().map(report).collect(),
            commands_seen: self.commands_seen,
        }
    }
}
