//! Every clock, read in one place.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use sublet_core::Moment;

/// Began with the agent.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
    start_boot: Duration,
}

impl Clock {
    /// Begins now.
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            start_boot: since_boot(),
        }
    }

    /// Now, on every clock.
    pub fn now(&self) -> Moment {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Moment {
            mono_ms: millis(self.start.elapsed()),
            boot_ms: millis(since_boot().saturating_sub(self.start_boot)),
            wall_ms: millis(since_1970),
        }
    }

    /// A past instant, on the clock that goes on in sleep. Exact unless the machine slept since the instant.
    pub fn boot_of(&self, instant: Instant) -> u64 {
        self.now().boot_ms.saturating_sub(millis(instant.elapsed()))
    }
}

/// Time since the machine started, sleep included.
#[cfg(target_os = "linux")]
fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

/// Time since the machine started, sleep included; in steps of some 15 ms.
#[cfg(windows)]
#[expect(unsafe_code, reason = "Windows has no safe interface to its clock")]
fn since_boot() -> Duration {
    // SAFETY: the call takes nothing and only returns a number.
    Duration::from_millis(unsafe {
        windows_sys::Win32::System::SystemInformation::GetTickCount64()
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
