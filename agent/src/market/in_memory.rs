//! A marketplace in memory at the trait's edge, so that the link's story can be told with the clock held still.

use super::fake::{reply, session_for};
use super::{
    BlobBytes, BlobSent, Known, LeaseStand, Link, LinkEvent, Market, MarketError, Outbound,
};
use ed25519_dalek::SigningKey;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use sublet_protocol::blob::BlobId;
use sublet_protocol::heartbeat::{
    Action, Command, CommandBatch, Heartbeat, HeartbeatReply, StopWhy,
};
use sublet_protocol::ids::LeaseId;
use sublet_protocol::keys::RigKey;
use sublet_protocol::lease::LeaseState;
use sublet_protocol::offer::{HostLimits, Offer, SandboxFacts};
use sublet_protocol::problem::{Problem, ProblemCode};
use sublet_protocol::reason::RigState;
use sublet_protocol::renter::{LogAppend, LogPosition};
use sublet_protocol::session::Session;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

pub(super) fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

pub(super) fn outbound() -> Outbound {
    Outbound {
        snapshot: 1,
        offer: Vec::new(),
        limits: HostLimits {
            cpu_milli: 1000,
            memory_bytes: 1,
            output_bytes: 1,
            disk_bytes: None,
            longest_ms: None,
        },
        sandbox: SandboxFacts::default(),
        work: Default::default(),
        state: RigState::Ready,
        reasons: Vec::new(),
        telemetry: Vec::new(),
        leases: Vec::new(),
        commands_seen: 0,
    }
}

pub(super) fn stand(state: LeaseState, used_ms: u64) -> LeaseStand {
    LeaseStand {
        lease: LeaseId::new("lease-1").unwrap(),
        state,
        used_ms,
        progress_permille: None,
        ending: None,
        checkpoint: None,
        transfer: None,
    }
}

pub(super) fn command(id: u64) -> Command {
    Command {
        id,
        action: Action::Stop {
            lease: LeaseId::new("lease-1").unwrap(),
            why: StopWhy::Cancelled,
        },
    }
}

pub(super) fn refused(code: ProblemCode) -> MarketError {
    Problem::new(code, "as the test wants it").into()
}

pub(super) fn away() -> MarketError {
    MarketError::Unreachable {
        url: "memory".into(),
        why: "as the test wants it".into(),
    }
}

/// A marketplace in memory. It answers well unless told otherwise.
#[derive(Default)]
pub(super) struct InMemory {
    pub seen: Mutex<Seen>,
    /// The commands that polls bring, as often as they are asked for.
    pub commands: watch::Sender<Vec<Command>>,
}

#[derive(Default)]
pub(super) struct Seen {
    pub epoch: u64,
    pub opened: Vec<Instant>,
    pub beats: Vec<(Instant, Heartbeat)>,
    pub offers: Vec<Offer>,
    pub polls: usize,
    /// What the next heartbeats end in, first one first.
    pub beat_errors: VecDeque<MarketError>,
    pub open_errors: VecDeque<MarketError>,
    pub in_replies: Vec<Command>,
}

impl InMemory {
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }
}

impl Market for InMemory {
    async fn open_session(&self, key: &SigningKey, _: &Known) -> Result<Session, MarketError> {
        let mut seen = self.seen();
        seen.opened.push(Instant::now());
        if let Some(error) = seen.open_errors.pop_front() {
            return Err(error);
        }
        seen.epoch += 1;
        Ok(session_for(&RigKey::of(key), seen.epoch))
    }

    async fn put_offer(&self, _: &Session, offer: &Offer) -> Result<(), MarketError> {
        self.seen().offers.push(offer.clone());
        Ok(())
    }

    async fn heartbeat(
        &self,
        _: &Session,
        beat: &Heartbeat,
    ) -> Result<HeartbeatReply, MarketError> {
        let mut seen = self.seen();
        seen.beats.push((Instant::now(), beat.clone()));
        match seen.beat_errors.pop_front() {
            Some(error) => Err(error),
            None => Ok(reply(10_000, seen.in_replies.clone())),
        }
    }

    async fn commands(
        &self,
        _: &Session,
        _: u64,
        wait: Duration,
    ) -> Result<CommandBatch, MarketError> {
        self.seen().polls += 1;
        let mut commands = self.commands.subscribe();
        let commands = match timeout(wait, commands.wait_for(|c| !c.is_empty())).await {
            Ok(Ok(commands)) => commands.clone(),
            _ => Vec::new(),
        };
        Ok(CommandBatch { commands })
    }

    async fn append_log(
        &self,
        _: &Session,
        _: &LeaseId,
        _: &LogAppend,
    ) -> Result<LogPosition, MarketError> {
        Err(refused(ProblemCode::NotFound))
    }

    async fn put_blob(
        &self,
        _: &Session,
        _: &BlobId,
        _: &Path,
        _: &Arc<AtomicU64>,
    ) -> Result<BlobSent, MarketError> {
        Err(refused(ProblemCode::NotFound))
    }

    async fn blob_length(&self, _: &Session, _: &BlobId) -> Result<u64, MarketError> {
        Err(refused(ProblemCode::NotFound))
    }

    async fn get_blob(&self, _: &Session, _: &BlobId, _: u64) -> Result<BlobBytes, MarketError> {
        Err(refused(ProblemCode::NotFound))
    }
}

pub(super) struct Story {
    pub market: Arc<InMemory>,
    pub says: watch::Sender<Outbound>,
    pub hears: mpsc::Receiver<LinkEvent>,
    pub link: Link,
}

pub(super) fn begin(market: InMemory) -> Story {
    let market = Arc::new(market);
    let (says, outbound) = watch::channel(outbound());
    let (events, hears) = mpsc::channel(64);
    let link = Link::spawn(market.clone(), key(), Known::default(), outbound, events);
    Story {
        market,
        says,
        hears,
        link,
    }
}

impl Story {
    pub async fn event(&mut self) -> LinkEvent {
        timeout(Duration::from_secs(600), self.hears.recv())
            .await
            .expect("the link says something")
            .expect("the link is there")
    }

    /// Waits for the answer to a heartbeat and says which snapshot it was.
    pub async fn answered(&mut self) -> u64 {
        loop {
            if let LinkEvent::Answered { snapshot, .. } = self.event().await {
                return snapshot;
            }
        }
    }

    pub async fn opened(&mut self) -> u64 {
        loop {
            if let LinkEvent::SessionOpened { session, .. } = self.event().await {
                return session.epoch;
            }
        }
    }
}
