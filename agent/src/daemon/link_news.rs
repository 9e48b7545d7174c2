//! What the marketplace says, taken in.

use super::{Daemon, channel_pin};
use crate::market::{LinkEvent, MarketError};
use crate::wallet;
use sublet_core::Event;
use sublet_protocol::heartbeat::HeartbeatReply;
use sublet_protocol::problem::ProblemCode;
use sublet_protocol::session::Session;

impl Daemon {
    pub(super) async fn hear(&mut self, news: LinkEvent) {
        match news {
            LinkEvent::SessionOpened { session, asked } => {
                self.session_opened(session, asked.into_std()).await
            }
            LinkEvent::Answered { reply, sent, .. } => {
                self.good_answer(sent.into_std());
                self.answered(reply).await;
            }
            LinkEvent::Command(command) => self.take(Event::Command(command)).await,
            LinkEvent::OfferFailed { error } => {
                self.market.problem = Some(error.to_string());
                self.take(Event::Tick).await;
            }
            LinkEvent::Lost { error, .. } => self.lost(&error).await,
        }
    }

    fn good_answer(&mut self, sent: std::time::Instant) {
        let boot_ms = self.clock.boot_of(sent);
        self.market.last_answer_boot_ms = self.market.last_answer_boot_ms.max(Some(boot_ms));
        self.market.connected = true;
        self.market.problem = None;
        self.market_wall_ms = Some(self.clock.now().wall_ms);
    }

    async fn session_opened(&mut self, session: Session, asked: std::time::Instant) {
        let kept = serde_json::to_string(&(&session.audience, &session.channel))
            .map_err(|error| error.to_string())
            .and_then(|pin| {
                let place = channel_pin(&self.options.market);
                self.store.pin(&place, &pin).map_err(|e| e.to_string())
            });
        if let Err(error) = kept {
            tracing::error!(%error, "the marketplace's key could not be kept");
            self.ledger_problem = Some(error);
        }
        self.good_answer(asked);
        self.channel = Some(session.channel);
        self.market.fee = Some(session.fee);
        self.owner_needed = None;
        self.take(Event::SessionOpened {
            fence_ms: session.fence_ms,
        })
        .await;
    }

    async fn lost(&mut self, error: &MarketError) {
        tracing::info!(%error, "the marketplace does not answer; tried again");
        self.market.connected = false;
        self.market.best_order = None;
        self.market.problem = Some(error.to_string());
        if let MarketError::Changed { .. } = error {
            self.owner_needed = Some(error.to_string());
        }
        self.take(Event::Tick).await;
    }

    async fn answered(&mut self, reply: HeartbeatReply) {
        let now_ms = self.clock.now().wall_ms;
        self.market.best_order = reply.best_order;
        let mut settled = reply.settled;
        for refused in &reply.refused {
            tracing::warn!(lease = %refused.lease, problem = %refused.problem, "the marketplace did not take a report");
            if refused.problem.code == ProblemCode::NotFound {
                settled.push(refused.lease.clone());
            }
        }
        // Our own meter goes first: no voucher may prove more than it.
        let mut ledger = self.accruals();
        let mut paid = Vec::new();
        if let (Some(statement), Some(channel)) = (reply.statement, self.channel.clone()) {
            paid = statement
                .lines
                .iter()
                .map(|line| line.lease.clone())
                .collect();
            ledger.push(wallet::Entry::Receive {
                statement,
                channel,
                at_ms: now_ms,
            });
        }
        self.take_with(
            Event::Answered {
                funding: reply.funding,
                settled: Vec::new(),
            },
            ledger,
        )
        .await;
        // What the wallet holds now, not what the marketplace says, is what counts as paid.
        for lease in paid {
            match self.store.proven_ms(&lease) {
                Ok(paid_ms) => self.take(Event::Paid { lease, paid_ms }).await,
                Err(error) => tracing::error!(%error, %lease, "the ledger could not be read"),
            }
        }
        if !settled.is_empty() {
            self.take(Event::Answered {
                funding: Vec::new(),
                settled,
            })
            .await;
        }
    }
}
