//! News of a lease's container, and the steps that follow.

use super::Turn;
use crate::custody::Custody;
use crate::effect::Effect;
use crate::event::News;
use crate::facts::Moment;
use crate::lease::{Lease, Signal, Stage};
use sublet_protocol::ids::LeaseId;
use sublet_protocol::lease::{EndCode, Ending, Output, signal_name};

/// How long after a step failed it is tried again, in ms.
pub(super) const RETRY_MS: u64 = 5_000;

impl Turn<'_> {
    pub(super) fn news(&mut self, id: &LeaseId, news: News) {
        let now = self.now;
        let Some(lease) = self.memory.leases.get_mut(id) else {
            return self.stray(id, &news);
        };
        match news {
            News::Pulled => self.advance(id, Signal::Pulled),
            News::Started => self.advance(id, Signal::Started),
            News::Progress(permille) => {
                lease.progress_permille = lease.progress_permille.max(Some(permille.min(1000)));
            }
            News::Frozen => {
                let signal = match lease.grace_ms {
                    0 => Signal::EndNow,
                    _ => Signal::FrozenWithGrace,
                };
                if lease.stage == Stage::Freezing {
                    self.advance(id, signal);
                }
            }
            News::FreezeFailed { .. } if lease.stage == Stage::Freezing => {
                self.advance(id, Signal::EndNow);
            }
            News::FreezeFailed { .. } | News::NotYet { .. } => {
                lease.retry_at_ms = Some(now.mono_ms + RETRY_MS);
            }
            News::Thawed => self.advance(id, Signal::Thawed),
            News::GraceOver => {
                if lease.stage == Stage::Interrupting {
                    self.advance(id, Signal::EndNow);
                }
            }
            News::Exited {
                code,
                out_of_memory,
                ran_ms,
            } => {
                if lease.stage.may_run() && lease.stage != Stage::Pulling {
                    exited(lease, now, code, out_of_memory, ran_ms);
                    let signal = match lease.ending {
                        None => Signal::ExitedWithOutputs,
                        Some(_) => Signal::ExitedBare,
                    };
                    self.advance(id, signal);
                } else {
                    // It ended while it was being stopped: how it ends was decided before.
                    self.advance(id, Signal::EndNow);
                }
                self.ended(id);
            }
            News::Killed => {
                let signal = match lease.ends_in_mid_work(now) {
                    true => Signal::KilledInMidWork,
                    false => Signal::Killed,
                };
                self.advance(id, signal);
                self.ended(id);
            }
            News::Saved { checkpoint, last } => {
                let kept = lease.checkpoint.as_ref().map(|kept| kept.used_ms);
                if let Some(new) = checkpoint.filter(|new| kept <= Some(new.used_ms)) {
                    lease.checkpoint = Some(new);
                    self.effects.push(Effect::Report);
                }
                if last {
                    self.advance(id, Signal::Saved);
                }
            }
            News::Collected(outputs) => {
                if lease.stage == Stage::Collecting {
                    lease.outputs = outputs;
                }
                self.advance(id, Signal::Collected);
            }
            News::Uploaded => {
                if lease.stage == Stage::Uploading {
                    lease.ending = Some(completed(lease.outputs.clone()));
                }
                self.advance(id, Signal::Uploaded);
            }
            News::Removed => {
                if lease.stage == Stage::Over {
                    lease.removed = true;
                    self.ended(id);
                    self.effects.push(Effect::Report);
                }
            }
            News::Failed { code, message } => {
                if lease.stage.after(Signal::Failed).is_some() {
                    lease.ending = Some(ending(code, message));
                }
                self.advance(id, Signal::Failed);
            }
        }
    }

    /// Moves a lease along the table, and starts what the new stage asks for.
    pub(super) fn advance(&mut self, id: &LeaseId, signal: Signal) {
        let now = self.now;
        let Some(lease) = self.memory.leases.get_mut(id) else {
            return;
        };
        let Some(next) = lease.stage.after(signal) else {
            return;
        };
        lease.stage = next;
        lease.retry_at_ms = None;
        match next {
            Stage::Running => lease.meter.start(now),
            Stage::Paused => lease.meter.freeze(now),
            Stage::Thawing => {}
            _ => lease.meter.stop(now),
        }
        match next {
            Stage::Starting => lease.started = true,
            Stage::Saving => lease.checkpoint_asked_ms = lease.used_ms(now),
            Stage::Interrupting => {
                lease.grace_until_ms = Some(now.mono_ms.saturating_add(lease.grace_ms));
            }
            _ => {}
        }
        let effect = lease.work();
        self.effects.push(effect);
        self.effects.push(Effect::Report);
    }

    /// A lease's container has certainly ended: its GPUs are on their way back. Repeats change nothing.
    pub(super) fn ended(&mut self, id: &LeaseId) {
        let Some(lease) = self.memory.leases.get_mut(id) else {
            return;
        };
        if !lease.started || lease.ended {
            return;
        }
        lease.ended = true;
        for gpu in &lease.grant.gpus {
            let facts = self.facts.gpus.iter().find(|g| g.info.id == *gpu);
            if facts.is_some_and(|facts| facts.info.software) {
                continue;
            }
            let baseline = lease.baseline_bytes.get(gpu).copied();
            let custody = Custody::new(id.clone(), baseline, self.now);
            self.memory.custody.insert(gpu.clone(), custody);
        }
    }

    /// Stops a lease, if there is anything to stop. `grace_ms` is how long its job may take to end in order.
    pub(super) fn stop(
        &mut self,
        id: &LeaseId,
        code: EndCode,
        message: impl Into<String>,
        grace_ms: u64,
    ) {
        let Some(lease) = self.memory.leases.get_mut(id) else {
            return;
        };
        if lease.stage.after(Signal::Stop).is_none() {
            return;
        }
        lease.meter.stop(self.now);
        lease.ending = Some(ending(code, message.into()));
        lease.grace_ms = grace_ms;
        self.advance(id, Signal::Stop);
    }
}

fn ending(code: EndCode, message: String) -> Ending {
    Ending {
        code,
        exit_code: None,
        message,
        outputs: Vec::new(),
    }
}

fn completed(outputs: Vec<Output>) -> Ending {
    Ending {
        code: EndCode::Completed,
        exit_code: Some(0),
        message: "The job finished.".to_owned(),
        outputs,
    }
}

/// The container ended by itself. Leaves `ending` empty where outputs are still to be sealed.
///
/// The kernel may have ended a process of the job for memory without the job's end: what says so is believed only of a
/// job that did not end well.
fn exited(lease: &mut Lease, now: Moment, code: i64, out_of_memory: bool, ran_ms: Option<u64>) {
    lease.meter.stop_with(now, ran_ms);
    let failed = |code_for_wire, message| Ending {
        code: code_for_wire,
        exit_code: Some(code),
        message,
        outputs: Vec::new(),
    };
    lease.ending = if code == 0 {
        let bare = lease.grant.spec.outputs.is_empty();
        bare.then(|| completed(Vec::new()))
    } else if out_of_memory {
        let mib = lease.grant.spec.memory_bytes >> 20;
        let message = format!("The job needed more than its {mib} MiB of memory.");
        Some(failed(EndCode::OutOfMemory, message))
    } else {
        let mut ending = failed(EndCode::JobFailed, String::new());
        ending.message = match ending.signal() {
            Some(signal) => format!(
                "The job was ended by signal {signal}{}.",
                signal_name(signal).map_or_else(String::new, |name| format!(" ({name})"))
            ),
            None => format!("The job ended with exit code {code}."),
        };
        Some(ending)
    };
}
