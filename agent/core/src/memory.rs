//! What the agent must not forget: stored after every change, before anything rests on it.

use crate::custody::Custody;
use crate::effect::Effect;
use crate::facts::Moment;
use crate::lease::Lease;
use crate::thermal::Governor;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use sublet_protocol::ids::{GpuId, LeaseId};

/// The core's whole state. What the owner wants stands apart from what goes on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// The owner's word, kept across restarts.
    pub pause: Option<Pause>,
    /// The owner's word for single GPUs.
    #[serde(default)]
    pub pauses: BTreeMap<GpuId, Pause>,
    /// Leases that are not archived yet.
    pub leases: BTreeMap<LeaseId, Lease>,
    /// The highest command taken in.
    pub commands_seen: u64,
    /// GPUs that are too hot and have not cooled down far enough yet.
    pub cooling: BTreeSet<GpuId>,
    /// The heat governor of each GPU: what it changed on the card must be put back, also after a crash.
    #[serde(default)]
    pub governors: BTreeMap<GpuId, Governor>,
    /// GPUs whose last job ended and whose memory was not seen free yet.
    #[serde(default)]
    pub custody: BTreeMap<GpuId, Custody>,
    /// How long the marketplace may be silent before jobs are stopped, in ms; absent before the first session.
    #[serde(default)]
    pub fence_ms: Option<u64>,
    /// When the marketplace last answered while anything was rented, ms since 1970: a restart may not lengthen its
    /// silence.
    #[serde(default)]
    pub heard_wall_ms: u64,
    /// Containers at start-up have been matched with leases; before that nothing new is taken.
    #[serde(skip)]
    pub reconciled: bool,
    /// Leases that nobody remembers, and of which something was found; each with when it is to be removed again, on the
    /// monotonic clock, where that did not work. Never stored: a restart finds them anew.
    #[serde(skip)]
    pub strays: BTreeMap<LeaseId, Option<u64>>,
    /// When the policy last looked at the facts; a restart begins anew.
    #[serde(skip)]
    pub looked: Option<Moment>,
    /// Since when nothing of owner, use, heat and power stands in a GPU's way; absent where something does. Never
    /// stored: a restart begins anew.
    #[serde(skip)]
    pub free_since_boot_ms: BTreeMap<GpuId, u64>,
    /// What each GPU draws while it works, in mW; coarse, so that it need not be stored each second.
    #[serde(default)]
    pub drawn_mw: BTreeMap<GpuId, u32>,
    /// The running averages behind it.
    #[serde(skip)]
    pub drawing: BTreeMap<GpuId, Drawing>,
}

/// A running average of power.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drawing {
    /// In µW.
    pub average_uw: u64,
    /// Over how much working time, in ms; no more than it goes back.
    pub measured_ms: u64,
}

/// The owner said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// When it ends, ms since 1970; absent is when the owner says so.
    pub until_wall_ms: Option<u64>,
    /// It was asked for as a span ("1 hour"), and keeps that length when the clock is set; otherwise it ends at a
    /// time of day ("until tomorrow").
    #[serde(default)]
    pub span: bool,
}

impl Pause {
    /// Until the owner says otherwise.
    pub const UNTIL_RESUMED: Self = Self {
        until_wall_ms: None,
        span: false,
    };

    /// For so long from now on, in ms.
    pub fn lasting(ms: u64, now: Moment) -> Self {
        Self {
            until_wall_ms: Some(now.wall_ms.saturating_add(ms)),
            span: true,
        }
    }

    /// Until a time on the clock on the wall, ms since 1970.
    pub fn until(wall_ms: u64) -> Self {
        Self {
            until_wall_ms: Some(wall_ms),
            span: false,
        }
    }

    /// Whether its end has come.
    pub fn is_over(&self, now: Moment) -> bool {
        self.until_wall_ms.is_some_and(|until| now.wall_ms >= until)
    }
}

impl Memory {
    /// The lease that holds a GPU, if any: from acceptance until its container is gone.
    pub fn holder(&self, gpu: &GpuId) -> Option<&Lease> {
        self.leases
            .values()
            .find(|lease| lease.holds_gpu() && lease.grant.gpus.contains(gpu))
    }

    /// Whether an effect that was put off is still what its lease asks for.
    pub fn wants(&self, effect: &Effect) -> bool {
        if let Effect::SetPowerLimit { gpu, limit_mw } = effect {
            let governor = self.governors.get(gpu);
            return governor.and_then(Governor::set_mw) == Some(*limit_mw);
        }
        self.leases.values().any(|lease| lease.work() == *effect)
    }

    /// Whether anything is rented.
    pub fn is_renting(&self) -> bool {
        self.leases.values().any(Lease::holds_gpu)
    }
}
