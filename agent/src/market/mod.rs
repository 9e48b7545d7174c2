//! The agent's side of the wire to a marketplace.
//!
//! [`Market`] is what any marketplace must offer; [`HttpMarket`] is protocol v1 over HTTP. [`Link`] keeps one
//! session alive, heartbeats, and brings in commands; the daemon feeds it [`Outbound`] snapshots and acts on its
//! [`LinkEvent`]s. Logs and blobs are sent by the daemon's own tasks, with the session that the link hands out.

mod blobs;
mod client;
mod error;
mod http;
mod link;
mod outbound;
mod pace;

#[cfg(test)]
mod client_tests;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod in_memory;
#[cfg(test)]
mod link_tests;

pub use client::HttpMarket;
pub use error::MarketError;
pub use http::{Patience, check_address};
pub use link::{Link, LinkEvent};
pub use outbound::{LeaseStand, Outbound};

use ed25519_dalek::SigningKey;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use sublet_protocol::blob::BlobId;
use sublet_protocol::heartbeat::{CommandBatch, Heartbeat, HeartbeatReply};
use sublet_protocol::ids::LeaseId;
use sublet_protocol::offer::Offer;
use sublet_protocol::renter::{LogAppend, LogPosition};
use sublet_protocol::session::Session;

/// A network that rents out GPUs. Every call returns within a bounded time; retrying is the caller's.
pub trait Market: Send + Sync + 'static {
    /// Proves who the rig is, and opens a session that makes every earlier one void. The session is checked:
    /// it is this rig's, its channel follows from both keys, and the marketplace is the known one.
    fn open_session(
        &self,
        key: &SigningKey,
        known: &Known,
    ) -> impl Future<Output = Result<Session, MarketError>> + Send;

    /// Replaces the standing offer.
    fn put_offer(
        &self,
        session: &Session,
        offer: &Offer,
    ) -> impl Future<Output = Result<(), MarketError>> + Send;

    /// Says how the rig and its leases stand, and hears what is owed.
    fn heartbeat(
        &self,
        session: &Session,
        beat: &Heartbeat,
    ) -> impl Future<Output = Result<HeartbeatReply, MarketError>> + Send;

    /// Waits up to `wait` for commands with an id above `after`.
    fn commands(
        &self,
        session: &Session,
        after: u64,
        wait: Duration,
    ) -> impl Future<Output = Result<CommandBatch, MarketError>> + Send;

    /// Adds to a lease's log, and says where it ends now. A repeat does no harm; a piece that begins beyond the end
    /// is refused with `conflict`, and one for a full log with `too_large`.
    fn append_log(
        &self,
        session: &Session,
        lease: &LeaseId,
        part: &LogAppend,
    ) -> impl Future<Output = Result<LogPosition, MarketError>> + Send;

    /// Sends a file's bytes, unless the marketplace holds them already; from where an earlier try broke off, if it kept
    /// that. `sent` is told how many bytes are there or on their way. Memory use does not grow with the file.
    fn put_blob(
        &self,
        session: &Session,
        blob: &BlobId,
        file: &Path,
        sent: &Arc<AtomicU64>,
    ) -> impl Future<Output = Result<BlobSent, MarketError>> + Send;

    /// The length of a blob that this rig may fetch.
    fn blob_length(
        &self,
        session: &Session,
        blob: &BlobId,
    ) -> impl Future<Output = Result<u64, MarketError>> + Send;

    /// A blob's bytes from byte `from` on, which is less than its length, or 0. They are not checked here.
    fn get_blob(
        &self,
        session: &Session,
        blob: &BlobId,
        from: u64,
    ) -> impl Future<Output = Result<BlobBytes, MarketError>> + Send;
}

/// A blob on its way here, piece by piece.
#[derive(Debug)]
pub struct BlobBytes {
    /// Where its bytes begin: never after what was asked for, perhaps before.
    pub from: u64,
    /// How long the whole blob is.
    pub length: u64,
    answer: Option<reqwest::Response>,
    url: String,
    patience: Duration,
}

/// How a blob got to the marketplace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobSent {
    /// Its bytes were sent.
    Now,
    /// It held them before.
    AlreadyThere,
}

/// What this rig knows of its marketplace from earlier sessions. Empty before the first one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Its name for itself.
    pub audience: Option<String>,
    /// The address whose key signs its vouchers, `0x` and 40 hexadecimal digits.
    pub payer: Option<String>,
}

impl Known {
    /// What a session tells.
    pub fn from_session(session: &Session) -> Self {
        Self {
            audience: Some(session.audience.clone()),
            payer: Some(session.channel.payer.clone()),
        }
    }

    fn check_audience(&self, found: &str) -> Result<(), MarketError> {
        same("name", self.audience.as_deref(), found)
    }

    fn check_payer(&self, found: &str) -> Result<(), MarketError> {
        same("paying address", self.payer.as_deref(), found)
    }
}

fn same(what: &'static str, expected: Option<&str>, found: &str) -> Result<(), MarketError> {
    match expected {
        Some(expected) if expected != found => Err(MarketError::Changed {
            what,
            expected: expected.to_owned(),
            found: found.to_owned(),
        }),
        _ => Ok(()),
    }
}
