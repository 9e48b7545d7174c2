//! The task that owns the session's life: it opens one, heartbeats, long-polls, and opens the next.

use super::error::MarketError;
use super::outbound::Outbound;
use super::pace::{self, Pace};
use super::{Known, Market};
use ed25519_dalek::SigningKey;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use sublet_protocol::heartbeat::{Command, HeartbeatReply};
use sublet_protocol::problem::ProblemCode;
use sublet_protocol::session::Session;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

/// How long a poll for commands waits at the marketplace.
const POLL_WAIT: Duration = Duration::from_secs(25);
/// A poll that brings nothing new sooner than this is not repeated before.
const POLL_GAP: Duration = Duration::from_secs(1);
/// A session that ended sooner than this counts as a failed try, so that two agents with one key do not take
/// it from each other as fast as they can.
const SHORT_SESSION: Duration = Duration::from_secs(30);

/// What the link tells the daemon, in the order in which it happened.
#[derive(Debug)]
pub enum LinkEvent {
    /// A session is open. `asked` is when its opening began: the earliest moment the marketplace can count from.
    SessionOpened {
        /// Its terms.
        session: Session,
        /// By this machine's monotonic clock.
        asked: Instant,
    },
    /// A heartbeat was taken and answered. To fence, count from `sent`: the marketplace heard of the rig no earlier.
    Answered {
        /// The answer. Its commands come as [`LinkEvent::Command`] of their own.
        reply: HeartbeatReply,
        /// Which [`Outbound::snapshot`] it answers.
        snapshot: u64,
        /// The epoch it belongs to.
        epoch: u64,
        /// When the heartbeat was sent.
        sent: Instant,
    },
    /// Do this. Each id comes once per start of the link; the daemon keeps [`Outbound::commands_seen`] for good.
    Command(Command),
    /// The marketplace did not take the offer; the next heartbeat or change tries again.
    OfferFailed {
        /// Why.
        error: MarketError,
    },
    /// A heartbeat or the opening of a session failed; the link tries again by itself.
    Lost {
        /// Why.
        error: MarketError,
        /// The `sent` of the last answered heartbeat, or the `asked` of the last session, whichever is later.
        last_good: Option<Instant>,
    },
}

/// A running link. Dropping it ends the task at once; what was under way is abandoned.
#[derive(Debug)]
pub struct Link {
    session: watch::Receiver<Option<Session>>,
    task: JoinHandle<()>,
}

impl Link {
    /// Starts the task. It ends when `outbound`'s sender or `events`' receiver is dropped.
    /// `known` is what earlier sessions told of this marketplace; the first session completes it.
    pub fn spawn<M: Market>(
        market: Arc<M>,
        key: SigningKey,
        known: Known,
        outbound: watch::Receiver<Outbound>,
        events: mpsc::Sender<LinkEvent>,
    ) -> Self {
        let (session_tx, session) = watch::channel(None);
        let delivered = AtomicU64::new(outbound.borrow().commands_seen);
        let work = Work {
            market,
            key,
            events,
            delivered,
            session_tx,
        };
        let task = tokio::spawn(work.run(outbound, known));
        Self { session, task }
    }

    /// The session in force, for calls that the daemon makes itself (logs, blobs); `None` while there is none.
    pub fn session(&self) -> watch::Receiver<Option<Session>> {
        self.session.clone()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The daemon is gone: nobody listens any more.
struct Deserted;

/// Why a session's loop came to an end.
enum Over {
    Deserted,
    Session(MarketError),
}

impl From<Deserted> for Over {
    fn from(_: Deserted) -> Self {
        Self::Deserted
    }
}

struct Work<M> {
    market: Arc<M>,
    key: SigningKey,
    events: mpsc::Sender<LinkEvent>,
    /// The highest command id handed to the daemon.
    delivered: AtomicU64,
    session_tx: watch::Sender<Option<Session>>,
}

impl<M: Market> Work<M> {
    async fn run(self, mut outbound: watch::Receiver<Outbound>, mut known: Known) {
        // Failed openings, and sessions that ended soon: each in a row.
        let (mut failed, mut brief) = (0, 0);
        let mut last_good = None;
        let mut longest = pace::LAST_RETRY;
        loop {
            let asked = Instant::now();
            let error = match self.market.open_session(&self.key, &known).await {
                Ok(session) => {
                    failed = 0;
                    known = Known::from_session(&session);
                    longest = pace::longest_retry(session.fence_ms);
                    last_good = Some(asked);
                    let over = self
                        .serve(&session, asked, &mut outbound, &mut last_good)
                        .await;
                    let long = asked.elapsed() >= SHORT_SESSION;
                    brief = if long { 0 } else { brief + 1 };
                    match over {
                        Over::Deserted => return,
                        Over::Session(error) => error,
                    }
                }
                Err(error) => {
                    failed += 1;
                    error
                }
            };
            let lost = LinkEvent::Lost { error, last_good };
            if self.tell(lost).await.is_err() {
                return;
            }
            if failed + brief > 0 {
                let pause = pace::backoff(failed + brief, longest, pace::chance());
                tokio::select! {
                    () = sleep(pause) => {}
                    () = deserted(&mut outbound) => return,
                }
            }
        }
    }

    /// One session, from its first heartbeat until it is void.
    async fn serve(
        &self,
        session: &Session,
        asked: Instant,
        outbound: &mut watch::Receiver<Outbound>,
        last_good: &mut Option<Instant>,
    ) -> Over {
        self.session_tx.send_replace(Some(session.clone()));
        let opened = LinkEvent::SessionOpened {
            session: session.clone(),
            asked,
        };
        let over = match self.tell(opened).await {
            Err(deserted) => deserted.into(),
            Ok(()) => tokio::select! {
                over = self.beat(session, outbound, last_good) => over,
                over = self.poll(session) => over,
            },
        };
        self.session_tx.send_replace(None);
        over
    }

    async fn beat(
        &self,
        session: &Session,
        outbound: &mut watch::Receiver<Outbound>,
        last_good: &mut Option<Instant>,
    ) -> Over {
        let mut pace = Pace::new(Instant::now(), session.heartbeat_ms, session.fence_ms);
        let mut told: Option<Outbound> = None;
        let mut offered: Option<Outbound> = None;
        let mut seq = 0;
        loop {
            let pressing = match &told {
                Some(told) => outbound.borrow().presses_after(told),
                None => true,
            };
            tokio::select! {
                () = sleep_until(pace.due(pressing)) => {}
                changed = outbound.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return Over::Deserted,
                },
            }
            let now = outbound.borrow_and_update().clone();
            seq += 1;
            let beat = now.heartbeat_in(session, &self.key, seq, wall_clock_ms());
            let sent = Instant::now();
            match self.market.heartbeat(session, &beat).await {
                Ok(reply) => {
                    *last_good = Some(sent);
                    pace.answered(sent, reply.next_ms, pace::chance());
                    if let Err(deserted) = self.deliver(session, reply, now.snapshot, sent).await {
                        return deserted.into();
                    }
                }
                Err(error) if ends_session(&error) => return Over::Session(error),
                Err(error) => {
                    pace.failed(sent, Instant::now(), pace::chance());
                    let lost = LinkEvent::Lost {
                        error,
                        last_good: *last_good,
                    };
                    if let Err(deserted) = self.tell(lost).await {
                        return deserted.into();
                    }
                    continue;
                }
            }
            if offered.as_ref().is_none_or(|old| now.offers_else(old)) {
                match self.market.put_offer(session, &now.offer_in(session)).await {
                    Ok(()) => offered = Some(now.clone()),
                    Err(error) if ends_session(&error) => return Over::Session(error),
                    Err(error) => {
                        if let Err(deserted) = self.tell(LinkEvent::OfferFailed { error }).await {
                            return deserted.into();
                        }
                    }
                }
            }
            told = Some(now);
        }
    }

    async fn deliver(
        &self,
        session: &Session,
        mut reply: HeartbeatReply,
        snapshot: u64,
        sent: Instant,
    ) -> Result<(), Deserted> {
        let commands = std::mem::take(&mut reply.commands);
        self.tell(LinkEvent::Answered {
            reply,
            snapshot,
            epoch: session.epoch,
            sent,
        })
        .await?;
        self.hand_over(commands).await?;
        Ok(())
    }

    /// Asks for commands without end. Only what voids the session ends it: that the marketplace is away is for
    /// the heartbeats to say.
    async fn poll(&self, session: &Session) -> Over {
        let mut failures = 0;
        loop {
            let asked = Instant::now();
            let after = self.delivered.load(Ordering::Acquire);
            match self.market.commands(session, after, POLL_WAIT).await {
                Ok(batch) => {
                    failures = 0;
                    match self.hand_over(batch.commands).await {
                        Ok(0) => sleep_until(asked + POLL_GAP).await,
                        Ok(_) => {}
                        Err(deserted) => return deserted.into(),
                    }
                }
                Err(error) if ends_session(&error) => return Over::Session(error),
                Err(error) => {
                    failures += 1;
                    tracing::debug!(%error, "no commands from the marketplace this time");
                    sleep(pace::backoff(failures, pace::LAST_RETRY, pace::chance())).await;
                }
            }
        }
    }

    /// Passes on the commands that were not passed on before, and says how many these were.
    async fn hand_over(&self, commands: Vec<Command>) -> Result<usize, Deserted> {
        let mut fresh = 0;
        for command in commands {
            // Raised before it is sent, so that the other loop does not send it as well meanwhile.
            if self.delivered.fetch_max(command.id, Ordering::AcqRel) < command.id {
                self.tell(LinkEvent::Command(command)).await?;
                fresh += 1;
            }
        }
        Ok(fresh)
    }

    async fn tell(&self, event: LinkEvent) -> Result<(), Deserted> {
        self.events.send(event).await.map_err(|_| Deserted)
    }
}

/// A `stale_seq` too: the marketplace has counted further than this link, and a new epoch starts both afresh.
fn ends_session(error: &MarketError) -> bool {
    error.is_session_over() || error.code() == Some(ProblemCode::StaleSeq)
}

async fn deserted(outbound: &mut watch::Receiver<Outbound>) {
    while outbound.changed().await.is_ok() {}
}

fn wall_clock_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}
