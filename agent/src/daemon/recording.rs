//! Watches over the record: hands what was gathered to the store now and then, and keeps a full disk from being more
//! than a gap in it.

use super::Daemon;
use sublet_core::history::{Recorder, Sight};
use sublet_core::policy::Decision;
use sublet_core::{Facts, Moment};

/// Between two writes at rest, in ms.
const AT_REST_MS: u64 = 60_000;
/// Between two writes while something is rented, when the ledger is written about as often, in ms: so much of a job's
/// time a crash may cost the record.
const RENTING_MS: u64 = 10_000;
/// Old rows are let go of so often, in ms.
const FORGET_MS: u64 = 24 * 3_600_000;
/// The first time after so long: a start has enough to do.
const FORGET_FIRST_MS: u64 = 5 * 60_000;

/// The recorder, and how storing goes.
#[derive(Debug, Default)]
pub(super) struct Recording {
    pub recorder: Recorder,
    /// Why nothing could be stored the last time.
    pub problem: Option<String>,
    stored_boot_ms: u64,
    forgot_boot_ms: Option<u64>,
}

impl Daemon {
    /// Looks, and stores where it is time to.
    pub(super) fn record(&mut self, facts: &Facts, decision: &Decision, now: Moment) {
        let sight = Sight {
            decision,
            facts,
            memory: &self.memory,
            settings: &self.settings.good.settings,
        };
        self.recording.recorder.look(now, &sight);
        let every_ms = match self.memory.is_renting() {
            true => RENTING_MS,
            false => AT_REST_MS,
        };
        let since_ms = now.boot_ms.saturating_sub(self.recording.stored_boot_ms);
        if since_ms >= every_ms
            || self.recording.recorder.turned() && self.recording.problem.is_none()
        {
            self.store_record(now.boot_ms);
        }
    }

    /// The agent ends: what is under way is over.
    pub(super) fn end_record(&mut self) {
        let now = self.clock.now();
        self.recording.recorder.end();
        self.store_record(now.boot_ms);
    }

    fn store_record(&mut self, now_boot_ms: u64) {
        let recording = &mut self.recording;
        recording.stored_boot_ms = now_boot_ms;
        let forgets_at = match recording.forgot_boot_ms {
            Some(forgot) => forgot.saturating_add(FORGET_MS),
            None => FORGET_FIRST_MS,
        };
        let mut written = self.store.record(&recording.recorder.gathered());
        if written.is_ok() && now_boot_ms >= forgets_at {
            recording.forgot_boot_ms = Some(now_boot_ms);
            written = self.store.forget_old();
        }
        match written {
            Ok(()) => {
                if recording.problem.take().is_some() {
                    tracing::info!("the record goes on");
                }
            }
            Err(error) => {
                if recording.problem.is_none() {
                    tracing::warn!(%error, "the record could not be stored; it has a gap until it can be");
                }
                recording.problem = Some(error.to_string());
            }
        }
        // What could not be stored is given up: a gap, rather than memory that grows.
        recording.recorder.stored();
    }
}
