//! After a start: what Docker knows is matched with what is remembered.

use super::Turn;
use super::container::RETRY_MS;
use crate::effect::Effect;
use crate::event::{FoundContainer, FoundState, News};
use crate::lease::Stage;
use std::collections::BTreeMap;
use sublet_protocol::ids::LeaseId;
use sublet_protocol::lease::EndCode;

/// What SIGKILL leaves as an exit code.
const BY_SIGKILL: i64 = 137;

impl Turn<'_> {
    /// Matches what Docker knows with what we remember; only after this is anything new rented.
    pub(super) fn reconcile(&mut self, found: Vec<FoundContainer>) {
        let mut found: BTreeMap<LeaseId, FoundState> =
            found.into_iter().map(|f| (f.lease, f.state)).collect();
        let ids: Vec<LeaseId> = self.memory.leases.keys().cloned().collect();
        for id in ids {
            let state = found.remove(&id);
            self.resume(&id, state);
        }
        for lease in found.into_keys() {
            self.memory.strays.insert(lease.clone(), None);
            self.effects.push(Effect::Remove { lease });
        }
        self.memory.reconciled = true;
        self.effects.push(Effect::Report);
    }

    /// Takes one lease up again where its container stands.
    ///
    /// A job is frozen before that can be stored, so that no disk stands between the owner and the GPU. Whoever finds
    /// a job frozen or killed, with nothing stored that says why, therefore finds a way back to the owner that the
    /// agent's end interrupted, and goes on with it; that cannot be the job's fault, and is not told as such.
    fn resume(&mut self, id: &LeaseId, state: Option<FoundState>) {
        let now = self.now;
        let Some(lease) = self.memory.leases.get_mut(id) else {
            return;
        };
        if !lease.removed && matches!(state, Some(FoundState::Exited { .. })) {
            // It is over, but perhaps not all of what it printed has reached its renter.
            self.effects.push(Effect::Watch { lease: id.clone() });
        }
        match (lease.stage, state) {
            (Stage::Over, _) if lease.removed => {}
            (Stage::Starting | Stage::Running, Some(FoundState::Running { ran_ms })) => {
                if !lease.meter.is_running() {
                    lease.meter.catch_up(now, ran_ms);
                    lease.meter.start(now);
                }
                lease.stage = Stage::Running;
                self.effects.push(Effect::Watch { lease: id.clone() });
            }
            (Stage::Starting | Stage::Running, Some(FoundState::Frozen { .. })) => {
                let message = "The owner took the GPU back while the agent was restarted.";
                self.stop(id, EndCode::Reclaimed, message, 0);
            }
            (Stage::Paused | Stage::Thawing, Some(FoundState::Frozen { ran_ms })) => {
                lease.meter.found_frozen(now, ran_ms);
                let work = lease.work();
                self.effects
                    .extend([Effect::Watch { lease: id.clone() }, work]);
            }
            (
                Stage::Starting | Stage::Running | Stage::Paused | Stage::Thawing,
                Some(FoundState::Exited {
                    code: BY_SIGKILL,
                    out_of_memory: false,
                    ran_ms,
                }),
            ) => {
                lease.meter.catch_up(now, ran_ms);
                let message = "The job was killed while the agent was restarted: its GPU was being taken back.";
                self.stop(id, EndCode::Reclaimed, message, 0);
                self.ended(id);
            }
            (
                Stage::Starting | Stage::Running | Stage::Paused | Stage::Thawing,
                Some(FoundState::Exited {
                    code,
                    out_of_memory,
                    ran_ms,
                }),
            ) => {
                lease.meter.catch_up(now, ran_ms);
                let news = News::Exited {
                    code,
                    out_of_memory,
                    ran_ms: None,
                };
                self.news(id, news);
            }
            (Stage::Running | Stage::Paused | Stage::Thawing, None | Some(FoundState::Created)) => {
                let news = News::Failed {
                    code: EndCode::SandboxFailed,
                    message: "The job's container was gone when the agent came back.".to_owned(),
                };
                self.news(id, news);
                self.ended(id);
            }
            // Its time to end in order is over: nobody knows how much of it is left.
            (Stage::Interrupting, _) => self.advance(id, crate::lease::Signal::EndNow),
            // Every other stage asks for its work again; all of it may be done twice.
            (stage, _) => {
                let work = lease.work();
                if matches!(stage, Stage::Paused | Stage::Thawing) {
                    self.effects.push(Effect::Watch { lease: id.clone() });
                }
                self.effects.push(work);
            }
        }
    }

    /// News of a lease that nobody remembers: nothing of it may stay, and what cannot be removed now is tried again in
    /// a while.
    pub(super) fn stray(&mut self, id: &LeaseId, news: &News) {
        match news {
            News::Progress(_) | News::Saved { .. } => {}
            News::Removed => {
                self.memory.strays.remove(id);
            }
            News::NotYet { .. } => {
                let again = self.now.mono_ms + RETRY_MS;
                self.memory.strays.insert(id.clone(), Some(again));
            }
            _ => self.effects.push(Effect::Remove { lease: id.clone() }),
        }
    }

    /// Tries again what could not be removed.
    pub(super) fn clear_strays(&mut self) {
        for (id, again) in &mut self.memory.strays {
            if again.is_some_and(|at| self.now.mono_ms >= at) {
                *again = None;
                self.effects.push(Effect::Remove { lease: id.clone() });
            }
        }
    }
}
