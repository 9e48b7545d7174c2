//! What is known of each rig right now, in memory: its session, its last heartbeat, its standing offer, and a copy
//! of its open leases and commands. The copy is made by the writer after each commit ([`Board::reload`]), so most
//! heartbeats are answered without touching the database. What only lives here is lost at a restart, and comes
//! back by itself: rigs open a new session, and offer again.

mod mirror;
mod rig;

pub use mirror::Mirror;
pub use rig::{Live, OpenSession, Rig};

use crate::fault::Fault;
use sqlx::SqliteConnection;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use sublet_protocol::ids::RigId;
use tokio::sync::Notify;

/// Every rig that has a session, or an open lease.
pub struct Board {
    rigs: RwLock<HashMap<RigId, Arc<Rig>>>,
    /// When this server began to listen: no rig is blamed for silence before it.
    began: Instant,
    /// Something changed that may let an order be filled.
    pub order_book: Notify,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            rigs: RwLock::default(),
            began: Instant::now(),
            order_book: Notify::new(),
        }
    }
}

impl Board {
    /// A rig, if it is on the board.
    pub fn rig(&self, id: &RigId) -> Option<Arc<Rig>> {
        let rigs = self.rigs.read().unwrap_or_else(PoisonError::into_inner);
        rigs.get(id).cloned()
    }

    /// Puts a rig on the board, or gives the one that is there.
    pub fn place(&self, rig: Rig) -> Arc<Rig> {
        let mut rigs = self.rigs.write().unwrap_or_else(PoisonError::into_inner);
        let id = rig.id.clone();
        Arc::clone(rigs.entry(id).or_insert_with(|| Arc::new(rig)))
    }

    /// All rigs, in the order of their ids.
    pub fn all(&self) -> Vec<Arc<Rig>> {
        let rigs = self.rigs.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = rigs.values().cloned().collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// For how long a rig has been silent.
    pub fn silence(&self, live: &Live) -> Duration {
        live.last_seen.unwrap_or(self.began).elapsed()
    }

    /// Makes the copies of these rigs' leases and commands anew, wakes who waits for commands, and has the order
    /// book looked at: a lease that closed may have freed a GPU or queued its job again.
    ///
    /// # Errors
    /// The database does not answer as it should; the caller tries again before it goes on.
    pub async fn reload(
        &self,
        conn: &mut SqliteConnection,
        touched: &BTreeSet<RigId>,
    ) -> Result<(), sqlx::Error> {
        for id in touched {
            let Some(rig) = self.rig(id) else { continue };
            let mirror = Mirror::read(conn, id).await.map_err(|fault| match fault {
                Fault::Database(error) => error,
                other => sqlx::Error::Decode(other.to_string().into()),
            })?;
            rig.replace(mirror);
        }
        if !touched.is_empty() {
            self.order_book.notify_one();
        }
        Ok(())
    }
}
