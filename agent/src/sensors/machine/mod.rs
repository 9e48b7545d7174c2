//! What the machine runs on: its power, and whether its network is metered.

#[cfg(target_os = "linux")]
mod metered;
#[cfg(windows)]
mod metered_windows;
#[cfg(unix)]
mod power;
#[cfg(windows)]
mod power_windows;
#[cfg(all(test, target_os = "linux"))]
mod tests;

#[cfg(windows)]
use metered_windows as metered;
#[cfg(windows)]
use power_windows as power;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use sublet_core::facts::{Aged, MachineFacts, Power};
use tokio::sync::watch;

/// How often the power is looked at.
const POWER_EVERY: Duration = Duration::from_secs(3);

/// Where to look.
#[derive(Clone, Debug)]
pub struct MachineSources {
    /// The system's `/sys`.
    pub sys: PathBuf,
    /// The address of the system bus, where there is one.
    pub system_bus: Option<String>,
}

impl MachineSources {
    /// This machine's.
    #[must_use]
    pub fn of_machine() -> Self {
        Self {
            sys: "/sys".into(),
            #[cfg(target_os = "linux")]
            system_bus: super::bus::system_address(),
            #[cfg(not(target_os = "linux"))]
            system_bus: None,
        }
    }
}

#[derive(Debug)]
struct Seen {
    /// Absent where it cannot be told.
    power: Option<Power>,
    at: Instant,
}

/// The newest readings. Dropping it ends the watching.
#[derive(Debug)]
pub struct MachineWatch {
    power: watch::Receiver<Option<Seen>>,
    #[cfg(any(target_os = "linux", windows))]
    metered: watch::Receiver<Option<bool>>,
}

impl MachineWatch {
    /// Begins to watch this machine. To be called within a tokio runtime.
    #[must_use]
    pub fn start() -> Self {
        Self::start_at(MachineSources::of_machine())
    }

    /// Begins to watch what lies there.
    #[must_use]
    pub fn start_at(sources: MachineSources) -> Self {
        let (see, power) = watch::channel(None);
        #[cfg(any(target_os = "linux", windows))]
        let metered = metered::follow(sources.system_bus.clone());
        tokio::spawn(follow_power(sources.sys, see));
        Self {
            power,
            #[cfg(any(target_os = "linux", windows))]
            metered,
        }
    }

    /// The newest readings with their age. What the network is, is heard rather than read, and so is of this moment.
    #[must_use]
    pub fn latest(&self, now: Instant) -> MachineFacts {
        let power = self.power.borrow();
        let power = power.as_ref().and_then(|seen| {
            let age = now.saturating_duration_since(seen.at);
            Some(Aged {
                value: seen.power?,
                age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            })
        });
        #[cfg(any(target_os = "linux", windows))]
        let metered = self.metered.borrow().map(Aged::now);
        #[cfg(not(any(target_os = "linux", windows)))]
        let metered = None;
        MachineFacts { power, metered }
    }
}

async fn follow_power(sys: PathBuf, see: watch::Sender<Option<Seen>>) {
    loop {
        // A laptop's own controller may take its time, so another thread waits for it. A machine without any supply
        // to ask is asked here.
        let power = if power::is_quick(&sys) {
            power::read(&sys)
        } else {
            let sys = sys.clone();
            tokio::task::spawn_blocking(move || power::read(&sys))
                .await
                .unwrap_or(None)
        };
        let at = Instant::now();
        see.send_replace(Some(Seen { power, at }));
        tokio::select! {
            () = tokio::time::sleep(POWER_EVERY) => {}
            () = see.closed() => return,
        }
    }
}
