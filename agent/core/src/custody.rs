//! What becomes of a GPU between the end of a job and its owner: until its memory was seen free, nobody rents it, and
//! whoever holds it is named.

use crate::effect::Effect;
use crate::facts::Moment;
use serde::{Deserialize, Serialize};
use sublet_protocol::ids::{GpuId, LeaseId};
use sublet_protocol::reason::{Reason, ReasonCode};

/// How long the driver may take to show a GPU's memory free after a job, in ms, before that is told: what we promise.
pub const PROMISED_MS: u64 = 1_000;
/// How long the first look lasts, in ms: drivers clear much memory at their own pace.
const FIRST_LOOK_MS: u64 = 5_000;
/// A look that found memory held, or that was never answered, is repeated after so long, in ms.
const LOOK_AGAIN_MS: u64 = 10_000;
/// How much more than before the job may stay in use, in bytes: drivers keep a little for themselves.
const TOLERANCE_BYTES: u64 = 64 << 20;

/// A GPU on its way back. A software adapter never is: it has no memory of its own that could stay taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Custody {
    /// Whose job ended.
    pub lease: LeaseId,
    /// When it ended, ms since 1970.
    pub since_wall_ms: u64,
    /// GPU memory that no program accounted for when the lease was taken; absent where the driver did not tell.
    pub baseline_bytes: Option<u64>,
    /// What was found held when the first look was over. Present: the GPU is in quarantine.
    pub held: Option<Held>,
    /// When it was last asked to be looked at, on the monotonic clock.
    #[serde(skip)]
    asked_mono_ms: Option<u64>,
}

/// GPU memory that did not become free.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// How much more than before the job, in bytes.
    pub bytes: u64,
    /// Who holds it, as far as the driver tells.
    pub by: Vec<Holder>,
}

/// A process that holds GPU memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// What it is called.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// How much, in bytes, where the driver tells.
    pub bytes: Option<u64>,
}

impl Custody {
    /// A job on the GPU ended.
    pub fn new(lease: LeaseId, baseline_bytes: Option<u64>, now: Moment) -> Self {
        Self {
            lease,
            since_wall_ms: now.wall_ms,
            baseline_bytes,
            held: None,
            asked_mono_ms: None,
        }
    }

    /// The look that is due, if one is; it then counts as under way.
    pub fn look(&mut self, gpu: &GpuId, now: Moment) -> Option<Effect> {
        let due = self
            .asked_mono_ms
            .is_none_or(|asked| now.mono_ms.saturating_sub(asked) >= LOOK_AGAIN_MS);
        if !due {
            return None;
        }
        self.asked_mono_ms = Some(now.mono_ms);
        Some(Effect::AwaitFree {
            gpu: gpu.clone(),
            lease: self.lease.clone(),
            at_most_bytes: self
                .baseline_bytes
                .map(|bytes| bytes.saturating_add(TOLERANCE_BYTES)),
            within_ms: if self.held.is_none() {
                FIRST_LOOK_MS
            } else {
                0
            },
        })
    }

    /// Memory was still held when the look was over.
    pub fn hold(&mut self, held: Held, now: Moment) {
        self.held = Some(held);
        self.asked_mono_ms = Some(now.mono_ms);
    }

    /// Why the GPU does not rent. `name` is the GPU's.
    pub fn reason(&self, name: &str, now: Moment) -> Reason {
        let Some(held) = &self.held else {
            let ms = now.wall_ms.saturating_sub(self.since_wall_ms);
            return Reason::new(
                ReasonCode::Returning,
                format!("A job on {name} ended; its GPU memory is being verified free."),
                "Rents again once it is.",
            )
            .name("gpu", name)
            .number("since_ms", ms);
        };
        let mib = held.bytes >> 20;
        let who = held.by.first();
        let text = match who {
            Some(holder) => format!(
                "A job on {name} ended, but {mib} MiB of its memory did not become free: {} holds it.",
                named(holder)
            ),
            None => format!(
                "A job on {name} ended, but {mib} MiB of its memory did not become free, and no program shows that holds it."
            ),
        };
        let remedy = match who {
            Some(holder) => format!(
                "End {} (process {}), or restart the driver; it is looked at again every {} s.",
                holder.name,
                holder.pid,
                LOOK_AGAIN_MS / 1_000
            ),
            None => format!(
                "Restart the driver, or the machine; it is looked at again every {} s.",
                LOOK_AGAIN_MS / 1_000
            ),
        };
        let reason = Reason::new(ReasonCode::MemoryHeld, text, remedy)
            .name("gpu", name)
            .number("bytes", held.bytes)
            .number("again_ms", LOOK_AGAIN_MS);
        let Some(holder) = who else {
            return reason;
        };
        let reason = reason
            .name("holder", holder.name.clone())
            .number("pid", holder.pid);
        match holder.bytes {
            Some(bytes) => reason.number("holder_bytes", bytes),
            None => reason,
        }
    }
}

/// `python (process 4711, 2048 MiB)`.
fn named(holder: &Holder) -> String {
    match holder.bytes {
        Some(bytes) => format!(
            "{} (process {}, {} MiB)",
            holder.name,
            holder.pid,
            bytes >> 20
        ),
        None => format!("{} (process {})", holder.name, holder.pid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{gpu_id, lease_id};

    fn at(mono_ms: u64) -> Moment {
        Moment {
            mono_ms,
            boot_ms: mono_ms,
            wall_ms: 1_000_000 + mono_ms,
        }
    }

    #[test]
    fn it_is_looked_at_once_and_again_only_after_a_while() {
        let mut custody = Custody::new(lease_id("l"), Some(512 << 20), at(0));
        let look = |within_ms| {
            Some(Effect::AwaitFree {
                gpu: gpu_id("g"),
                lease: lease_id("l"),
                at_most_bytes: Some(576 << 20),
                within_ms,
            })
        };
        assert_eq!(custody.look(&gpu_id("g"), at(0)), look(5_000));
        assert_eq!(custody.look(&gpu_id("g"), at(9_999)), None);
        let held = Held {
            bytes: 2 << 30,
            by: Vec::new(),
        };
        custody.hold(held, at(5_000));
        assert_eq!(custody.look(&gpu_id("g"), at(14_999)), None);
        assert_eq!(custody.look(&gpu_id("g"), at(15_000)), look(0));
    }

    #[test]
    fn the_reason_names_who_holds_how_much() {
        let mut custody = Custody::new(lease_id("l"), None, at(0));
        let returning = custody.reason("RTX 4090", at(300));
        assert_eq!(returning.code, ReasonCode::Returning);
        let by = vec![Holder {
            name: "python".into(),
            pid: 4711,
            bytes: Some(2 << 30),
        }];
        custody.hold(Held { bytes: 3 << 30, by }, at(5_000));
        let held = custody.reason("RTX 4090", at(5_000));
        assert_eq!(held.code, ReasonCode::MemoryHeld);
        for word in ["RTX 4090", "3072 MiB", "python", "4711", "2048 MiB"] {
            assert!(held.text.contains(word), "{}", held.text);
        }
        assert!(held.remedy.contains("every 10 s"), "{}", held.remedy);
    }
}
