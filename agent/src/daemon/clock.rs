//! Both clocks, read in one place.

use std::time::{Instant, SystemTime, UNIX_EPOCH};
use sublet_core::Moment;

/// Began with the agent.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Begins now.
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// Now, on both clocks.
    pub fn now(&self) -> Moment {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Moment {
            mono_ms: millis(self.start.elapsed()),
            wall_ms: millis(since_1970),
        }
    }

    /// A past instant on the agent's own monotonic clock.
    pub fn mono_of(&self, instant: Instant) -> u64 {
        millis(instant.saturating_duration_since(self.start))
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
