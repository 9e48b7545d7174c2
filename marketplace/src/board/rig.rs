//! One rig on the board.

use super::Mirror;
use crate::secret::Token;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use sublet_protocol::gpu::Telemetry;
use sublet_protocol::ids::{GpuId, LeaseId, RigId};
use sublet_protocol::keys::RigKey;
use sublet_protocol::lease::Transfer;
use sublet_protocol::money::MicroUsd;
use sublet_protocol::offer::Offer;
use sublet_protocol::reason::RigState;
use sublet_protocol::voucher::{Channel, SignedVoucher};
use tokio::sync::Notify;

/// A rig: what never changes of it, and what is known right now.
pub struct Rig {
    /// Which.
    pub id: RigId,
    /// Its public key.
    pub key: RigKey,
    /// Where it is paid.
    pub channel: Channel,
    /// Held for the length of one heartbeat, so that two of the same rig are taken one after the other.
    pub turn: tokio::sync::Mutex<()>,
    /// Wakes those who wait for its commands.
    pub commands_ready: Notify,
    live: Mutex<Live>,
}

/// What is known of a rig right now.
#[derive(Default)]
pub struct Live {
    /// Its session, once it opened one with this server.
    pub session: Option<OpenSession>,
    /// When it last proved that it lives.
    pub last_seen: Option<Instant>,
    /// Its own word for its state.
    pub state: Option<RigState>,
    /// Its last readings.
    pub gpus: Vec<Telemetry>,
    /// What is on its way for its leases.
    pub transfers: BTreeMap<LeaseId, Transfer>,
    /// What it sells.
    pub offer: Option<Offer>,
    /// GPUs on which it still runs a lease that is closed here: it was told to stop, and has not yet.
    pub draining: BTreeSet<GpuId>,
    /// A heartbeat named such a lease, and its GPUs are still being looked up.
    pub unsure: bool,
    /// What the database holds of it.
    pub mirror: Mirror,
    /// The voucher signed last, to be shown again while its amount stands.
    pub voucher: Option<SignedVoucher>,
}

/// A session.
pub struct OpenSession {
    /// What the rig shows.
    pub token: Token,
    /// Grows with each session.
    pub epoch: u64,
    /// When it was opened.
    pub opened: Instant,
    /// The last heartbeat taken in it; 0 before the first.
    pub seq: u64,
    /// Nothing was owed to be told in it yet: its first heartbeat is answered with a statement in any case.
    pub fresh: bool,
}

impl Rig {
    /// A rig with what the database holds of it.
    pub fn new(id: RigId, key: RigKey, channel: Channel, mirror: Mirror) -> Self {
        Self {
            id,
            key,
            channel,
            turn: tokio::sync::Mutex::new(()),
            commands_ready: Notify::new(),
            live: Mutex::new(Live {
                mirror,
                ..Live::default()
            }),
        }
    }

    /// What is known right now. Hold it briefly, and never across an await.
    pub fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a new copy of what the database holds.
    pub fn replace(&self, mirror: Mirror) {
        self.live().mirror = mirror;
        self.commands_ready.notify_waiters();
    }
}

impl Live {
    /// The voucher of this amount, if it is the one signed last.
    pub fn signed(&self, amount: MicroUsd) -> Option<SignedVoucher> {
        self.voucher
            .as_ref()
            .filter(|voucher| voucher.amount == amount)
            .cloned()
    }
}
