//! One turn of the loop: decide, store, act, tell.

use super::{Daemon, Today};
use crate::market::{LeaseStand, Outbound};
use crate::rehearsal;
use crate::store::{Change, StoreError, to_json};
use crate::wallet;
use std::time::Duration;
use sublet_core::facts::Moment;
use sublet_core::lease::Lease;
use sublet_core::policy::Decision;
use sublet_core::{Effect, Event, Facts, policy, step};
use sublet_protocol::ids::LeaseId;
use sublet_protocol::offer::HostLimits;
use sublet_protocol::reason::RigState;

/// How long the disk waits for a freeze.
const HURRY_FOR: Duration = Duration::from_millis(60);

impl Daemon {
    /// Takes one event in, all the way.
    pub(super) async fn take(&mut self, event: Event) {
        self.take_with(event, Vec::new()).await;
    }

    /// As [`Self::take`], with entries for the ledger that belong to the event.
    pub(super) async fn take_with(&mut self, event: Event, mut ledger: Vec<wallet::Entry>) {
        let facts = self.facts();
        let now = self.clock.now();
        let name = rehearsal::event(&event);
        let memory = std::mem::take(&mut self.memory);
        let (memory, effects) = step(memory, &self.settings.good.settings, &facts, event, now);
        self.memory = memory;
        rehearsal::decided(name);
        let (hurried, effects): (Vec<_>, Vec<_>) = effects.into_iter().partition(Effect::hurries);
        self.hurry(hurried).await;
        let mut archived = Vec::new();
        for effect in &effects {
            if let Effect::Archive(lease) = effect {
                ledger.push(self.accrual(lease));
                ledger.push(wallet::Entry::Close {
                    lease: lease.id().clone(),
                    at_ms: now.wall_ms,
                });
                archived.push((**lease).clone());
            }
        }
        let saved = self.save(&archived, ledger);
        if saved {
            rehearsal::stored(name);
        }
        let (now_effects, later): (Vec<_>, Vec<_>) =
            effects.into_iter().partition(|e| saved || e.gives_back());
        self.withheld.extend(later);
        let mut due = now_effects;
        if saved {
            let memory = &self.memory;
            due.extend(
                self.withheld
                    .drain(..)
                    .filter(|effect| memory.wants(effect)),
            );
        }
        self.act(due);
        let renting = self.memory.is_renting();
        self.machine.pace(renting);
        self.senses.pace(renting);
        let settings = &self.settings.good.settings;
        let decision = policy::decide(&self.memory, settings, &facts, now);
        self.record(&facts, &decision, now);
        self.tell(&facts, &decision, now, saved);
    }

    fn act(&mut self, effects: Vec<Effect>) {
        let bench = self.bench();
        for effect in effects {
            tracing::debug!(?effect, "does");
            self.work.carry_out(effect, bench.as_ref(), &self.machine);
        }
    }

    /// Begins what may not wait for the disk, and leaves the thread to it until it is done, or for a moment: what is
    /// stored next keeps the thread for as long as the disk takes.
    async fn hurry(&mut self, effects: Vec<Effect>) {
        if effects.is_empty() {
            return;
        }
        self.act(effects);
        self.work.held(HURRY_FOR).await;
    }

    /// The lease's metered time as an entry.
    pub(super) fn accrual(&self, lease: &Lease) -> wallet::Entry {
        let now = self.clock.now();
        wallet::Entry::Accrue {
            lease: lease.id().clone(),
            name: lease.grant.spec.name.clone(),
            price: lease.grant.price,
            fee: lease.grant.fee,
            used_ms: lease.used_ms(now),
            at_ms: now.wall_ms,
        }
    }

    /// Entries that bring the ledger up to every open lease's meter.
    pub(super) fn accruals(&self) -> Vec<wallet::Entry> {
        self.memory
            .leases
            .values()
            .map(|lease| self.accrual(lease))
            .collect()
    }

    /// Stores what changed; false where it could not be, and then the owner is told and it is tried again with
    /// the next turn.
    fn save(&mut self, archived: &[Lease], ledger: Vec<wallet::Entry>) -> bool {
        match self.write(archived, ledger) {
            Ok(()) => {
                self.ledger_problem = None;
                true
            }
            Err(error) => {
                if self.ledger_problem.is_none() {
                    tracing::error!(%error, "the agent's memory could not be stored; nothing new is rented meanwhile");
                }
                self.ledger_problem = Some(error.to_string());
                // What leaves the memory must reach the history: it is taken back until it can be stored.
                for lease in archived {
                    self.memory.leases.insert(lease.id().clone(), lease.clone());
                }
                false
            }
        }
    }

    fn write(&mut self, archived: &[Lease], ledger: Vec<wallet::Entry>) -> Result<(), StoreError> {
        let json = to_json(&self.memory)?;
        let retrying = self.ledger_problem.is_some();
        if json == self.stored && ledger.is_empty() && archived.is_empty() && !retrying {
            return Ok(());
        }
        let change = Change {
            memory_json: Some(json.clone()),
            archived: archived.iter().map(archive_row).collect::<Result<_, _>>()?,
            ledger,
        };
        let outcomes = self.store.commit(&change)?;
        for (entry, outcome) in change.ledger.iter().zip(outcomes) {
            if let Err(error) = outcome {
                self.wallet_refused(entry, &error);
            }
        }
        self.stored = json;
        self.today = Today::default();
        Ok(())
    }

    fn wallet_refused(&mut self, entry: &wallet::Entry, error: &wallet::WalletError) {
        tracing::error!(%error, ?entry, "the wallet refused an entry");
        self.market.problem = Some(error.to_string());
    }

    /// Lets the marketplace's link know how things stand; it decides what cannot wait. Only what is on the disk is told
    /// of leases: who is killed, and then reports less time than it has signed, or nothing of a lease it has taken, is
    /// at odds with the marketplace for good. So `now` is the moment that was stored, and where it could not be `saved`,
    /// leases and commands stand as they were told before.
    fn tell(&mut self, facts: &Facts, decision: &Decision, now: Moment, saved: bool) {
        let (leases, commands_seen) = if saved {
            let leases = self.memory.leases.values();
            let stands = leases.map(|lease| self.stand(lease, now)).collect();
            (stands, self.memory.commands_seen)
        } else {
            let before = self.outbound.borrow();
            (before.leases.clone(), before.commands_seen)
        };
        let settings = &self.settings.good.settings;
        let next = Outbound {
            snapshot: self.snapshot,
            // The first offer waits for the session; what is barred only by its absence is offered with it.
            offer: policy::offers(&self.memory, settings, &connected(facts), now),
            limits: facts.host,
            sandbox: match &facts.docker {
                sublet_core::facts::Docker::Here(sandbox) => sandbox.clone(),
                _ => Default::default(),
            },
            work: settings.work.clone(),
            state: decision.state,
            // Others learn which reasons there are, and nothing of the owner's life.
            reasons: decision
                .reasons
                .iter()
                .map(|reason| policy::outside(reason.code))
                .collect(),
            telemetry: self.machine.telemetry(std::time::Instant::now()),
            leases,
            commands_seen,
        };
        let changed = *self.outbound.borrow() != next;
        if changed {
            self.snapshot += 1;
            self.outbound.send_replace(Outbound {
                snapshot: self.snapshot,
                ..next
            });
        }
    }

    /// How a lease stands, for the marketplace.
    fn stand(&self, lease: &Lease, now: Moment) -> LeaseStand {
        let state = lease.state();
        LeaseStand {
            lease: lease.id().clone(),
            state,
            used_ms: lease.used_ms(now),
            progress_permille: lease.progress_permille,
            ending: lease.ending.clone().filter(|_| state.is_over_for_rig()),
            checkpoint: lease.checkpoint.clone(),
            transfer: self.work.transfer(lease.id()),
        }
    }
}

fn connected(facts: &Facts) -> Facts {
    let mut facts = facts.clone();
    facts.market.connected = true;
    facts
}

fn archive_row(lease: &Lease) -> Result<(LeaseId, String), StoreError> {
    Ok((lease.id().clone(), to_json(lease)?))
}

/// What the marketplace hears before anything is known.
pub(super) fn silent_outbound(commands_seen: u64) -> Outbound {
    Outbound {
        snapshot: 0,
        offer: Vec::new(),
        limits: HostLimits {
            cpu_milli: 0,
            memory_bytes: 0,
            output_bytes: 0,
            disk_bytes: None,
            longest_ms: None,
        },
        sandbox: Default::default(),
        work: Default::default(),
        state: RigState::Waiting,
        reasons: Vec::new(),
        telemetry: Vec::new(),
        leases: Vec::new(),
        commands_seen,
    }
}
