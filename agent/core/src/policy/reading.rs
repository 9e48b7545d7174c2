//! Readings that are missing or too old: what is not known counts as no, and says which reading it is.

use super::words::{reason, span};
use crate::facts::{Aged, FRESH_MS, GpuFacts};
use sublet_protocol::reason::{Reason, ReasonCode};

/// A reading that a decision may need. Its name goes into the reason's figure `reading`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needed {
    Programs,
    Touch,
    Watching,
    Power,
    Metered,
    Temperature,
    Users,
    PowerDraw,
}

impl Needed {
    fn name(self) -> &'static str {
        match self {
            Self::Programs => "programs",
            Self::Touch => "touch",
            Self::Watching => "watching",
            Self::Power => "power",
            Self::Metered => "metered",
            Self::Temperature => "temperature",
            Self::Users => "users",
            Self::PowerDraw => "power_draw",
        }
    }

    /// What is not known, of `gpu` where it is about one.
    fn question(self, gpu: &str) -> String {
        match self {
            Self::Programs => "which programs run".to_owned(),
            Self::Touch => "when somebody last used this machine".to_owned(),
            Self::Watching => "whether somebody watches something".to_owned(),
            Self::Power => "whether the machine runs on its battery".to_owned(),
            Self::Metered => "whether the network is metered".to_owned(),
            Self::Temperature => format!("how warm {gpu} is"),
            Self::Users => format!("who uses {gpu}"),
            Self::PowerDraw => format!("how much power {gpu} draws"),
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Touch | Self::Watching => {
                "It is read again by itself. A machine that nobody sits at can do without, in mode always."
            }
            Self::Power => "It is read again by itself; renting on battery can be allowed.",
            Self::Metered => {
                "It is read again by itself; renting on metered networks can be allowed."
            }
            Self::PowerDraw => {
                "It is read again by itself; without a price of electricity it is not needed."
            }
            Self::Programs | Self::Temperature | Self::Users => {
                "It is read again by itself; `sublet doctor` says more."
            }
        }
    }
}

/// The reason of a reading that is not there.
pub(super) fn unknown(needed: Needed, gpu: Option<&GpuFacts>, why: &str) -> Reason {
    let name = gpu.map_or("", |gpu| gpu.info.name.as_str());
    let question = needed.question(name);
    let unknown = reason(
        ReasonCode::ReadingUnknown,
        format!("It is not known {question}: {why}"),
        needed.remedy(),
    )
    .name("reading", needed.name())
    .name("why", why);
    match gpu {
        Some(gpu) => unknown.name("gpu", &gpu.info.name),
        None => unknown,
    }
}

/// The value of a reading, or the reason that it is missing or too old.
pub(super) fn known<T>(reading: &Option<Aged<T>>, needed: Needed) -> Result<&T, Reason> {
    let Some(reading) = reading else {
        return Err(unknown(needed, None, "nothing here can tell"));
    };
    reading.fresh().ok_or_else(|| too_old(needed, None))
}

/// The reason of a reading that is too old.
pub(super) fn too_old(needed: Needed, gpu: Option<&GpuFacts>) -> Reason {
    unknown(
        needed,
        gpu,
        &format!("the last reading is more than {} old", span(FRESH_MS)),
    )
    .number("max_age_ms", FRESH_MS)
}
