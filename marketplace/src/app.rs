//! What every handler can reach, and how the marketplace is set up.

use crate::blobs::BlobStore;
use crate::board::Board;
use crate::db::Writer;
use crate::logs::Logs;
use crate::matching::Waiting;
use crate::session::Challenges;
use k256::ecdsa::SigningKey;
use sqlx::SqlitePool;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use sublet_protocol::money::BasisPoints;
use sublet_protocol::voucher::VoucherDomain;
use tokio_util::sync::CancellationToken;

/// How the marketplace is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where everything is kept.
    pub data: PathBuf,
    /// Its name for itself; rigs sign for it.
    pub audience: String,
    /// What it keeps of each price.
    pub fee: BasisPoints,
    /// What vouchers are bound to.
    pub voucher_domain: VoucherDomain,
    /// The clockwork.
    pub timing: Timing,
    /// The largest blob, in bytes.
    pub largest_blob: u64,
    /// The longest log of one lease, in bytes.
    pub longest_log: u64,
}

/// The clockwork. Tests run it fast.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// How often rigs heartbeat.
    pub heartbeat_ms: u64,
    /// Silence after which a rig gets no new lease.
    pub suspect_ms: u64,
    /// Silence after which its leases are given to others.
    pub lost_ms: u64,
    /// How long a rig may take to answer an offer.
    pub accept_ms: u64,
    /// How long outputs may take after the rig's last word.
    pub outputs_ms: u64,
    /// How long a rig that refused a job is not asked again for it.
    pub refused_ms: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat_ms: 15_000,
            suspect_ms: 45_000,
            lost_ms: 90_000,
            accept_ms: 30_000,
            outputs_ms: 600_000,
            refused_ms: 60_000,
        }
    }
}

impl Timing {
    /// A rig stops its jobs by itself after so much silence: before they are given away.
    pub fn fence_ms(&self) -> u64 {
        self.lost_ms / 5 * 4
    }

    /// How far ahead of the used time money is set aside: further than any silence that a lease survives, so a rig
    /// stops for want of money only where there is none.
    pub fn ahead_ms(&self) -> u64 {
        let silence = self.lost_ms.saturating_add(self.heartbeat_ms * 2);
        silence.max(60_000)
    }

    /// How often the clockwork is looked at.
    pub fn tick(&self) -> Duration {
        Duration::from_millis((self.lost_ms.min(self.accept_ms) / 10).clamp(10, 1_000))
    }
}

/// What every handler can reach.
pub struct App {
    /// How it is set up.
    pub config: Config,
    /// The one that writes.
    pub db: Writer,
    /// Those that read.
    pub readers: SqlitePool,
    /// What is known of rigs right now.
    pub board: Arc<Board>,
    /// Questions put to rigs.
    pub challenges: Challenges,
    /// Signs vouchers; never leaves this process.
    pub voucher_key: SigningKey,
    /// Inputs and outputs.
    pub blobs: BlobStore,
    /// What jobs print.
    pub logs: Logs,
    /// Why jobs wait.
    pub waiting: Waiting,
    /// Ends long polls when the server goes down.
    pub closing: CancellationToken,
}

/// How handlers hold it.
pub type Shared = Arc<App>;

impl Timing {
    /// What of it matters to lease reports.
    pub fn rules(&self) -> crate::leases::report::Rules {
        crate::leases::report::Rules {
            ahead_ms: self.ahead_ms(),
        }
    }

    /// What of it matters to leases that time runs out on.
    pub fn patience(&self) -> crate::leases::stale::Patience {
        crate::leases::stale::Patience {
            lost: Duration::from_millis(self.lost_ms),
            accept: Duration::from_millis(self.accept_ms),
            outputs: Duration::from_millis(self.outputs_ms),
        }
    }

    /// Silence after which a rig gets no new lease.
    pub fn suspect(&self) -> Duration {
        Duration::from_millis(self.suspect_ms)
    }
}
