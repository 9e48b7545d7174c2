//! A reading: a value or the reason why there is none, and when it was taken.

use std::time::{Duration, Instant};

/// One value of one sensor at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading<T> {
    /// What the sensor said.
    pub value: Result<T, SensorError>,
    /// When it said so.
    pub at: Instant,
}

impl<T> Reading<T> {
    /// A reading taken at `at`.
    pub fn new(value: Result<T, SensorError>, at: Instant) -> Self {
        Self { value, at }
    }

    /// How old the reading is at `now`; zero when `now` lies before it.
    #[must_use]
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.at)
    }

    /// The value, if the sensor gave one that is no older than `max_age` at `now`.
    #[must_use]
    pub fn fresh(&self, now: Instant, max_age: Duration) -> Option<&T> {
        self.value
            .as_ref()
            .ok()
            .filter(|_| self.age(now) <= max_age)
    }
}

/// Why a sensor gave no value.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SensorError {
    /// NVIDIA's library is not there. The normal case on a machine without an NVIDIA GPU.
    #[error(
        "NVIDIA's management library could not be loaded ({0}); on a machine with an NVIDIA GPU, install its driver"
    )]
    NoLibrary(String),
    /// The library is there, the kernel's part of the driver is not.
    #[error("the NVIDIA driver is installed but not loaded; load it, or restart the machine")]
    DriverNotLoaded,
    /// Library and kernel part have different versions: the driver was or is being updated.
    #[error(
        "the NVIDIA driver was updated and its running part is still the old one; restart the machine when the update is done"
    )]
    VersionMismatch,
    /// The GPU fell off the bus, or has to be reset.
    #[error(
        "the GPU no longer answers; check its seat and its power cables, and restart the machine"
    )]
    GpuLost,
    /// The agent's user may not do that.
    #[error(
        "the graphics driver did not permit this; setting a power limit needs administrator rights"
    )]
    NoPermission,
    /// The agent's view of processes is not the machine's.
    #[error(
        "the agent runs in a container that does not see the machine's processes, so it cannot tell who uses a GPU; start it with the machine's process list (docker run --pid=host)"
    )]
    OtherProcesses,
    /// The GPU sleeps, and a question would wake it.
    #[error("the GPU sleeps to save power, and is read again when it wakes")]
    Asleep,
    /// This GPU has no such sensor.
    #[error("this GPU does not offer this")]
    NotSupported,
    /// The agent has no GPU of that name.
    #[error("there is no GPU with the identifier {0} that can be watched")]
    NoSuchGpu(String),
    /// The reading thread did not answer in time.
    #[error("the graphics driver did not answer within {} s; it may hang, and a restart of the machine would clear that", .0.as_secs())]
    TimedOut(Duration),
    /// Anything else, in the driver's own words.
    #[error("the graphics driver reported: {0}")]
    Other(String),
}

impl SensorError {
    /// Whether the library has to be opened again before it can give good readings.
    #[must_use]
    pub fn needs_reopening(&self) -> bool {
        match self {
            Self::NoLibrary(_) | Self::DriverNotLoaded | Self::VersionMismatch | Self::GpuLost => {
                true
            }
            Self::NoPermission
            | Self::OtherProcesses
            | Self::Asleep
            | Self::NotSupported
            | Self::NoSuchGpu(_)
            | Self::TimedOut(_)
            | Self::Other(_) => false,
        }
    }
}

impl From<nvml_wrapper::error::NvmlError> for SensorError {
    fn from(error: nvml_wrapper::error::NvmlError) -> Self {
        use nvml_wrapper::error::NvmlError as E;
        match error {
            E::LibloadingError(cause) => Self::NoLibrary(cause.to_string()),
            E::LibraryNotFound => Self::NoLibrary(error.to_string()),
            E::DriverNotLoaded | E::Uninitialized => Self::DriverNotLoaded,
            E::LibRmVersionMismatch => Self::VersionMismatch,
            E::GpuLost | E::ResetRequired => Self::GpuLost,
            E::NoPermission => Self::NoPermission,
            E::NotSupported | E::FailedToLoadSymbol(_) | E::FunctionNotFound => Self::NotSupported,
            other => Self::Other(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_ages_and_goes_stale() {
        let taken = Instant::now();
        let reading = Reading::new(Ok(41), taken);
        let later = taken + Duration::from_secs(3);
        assert_eq!(reading.age(later), Duration::from_secs(3));
        assert_eq!(reading.fresh(later, Duration::from_secs(3)), Some(&41));
        assert_eq!(reading.fresh(later, Duration::from_secs(2)), None);
        assert_eq!(reading.age(taken - Duration::from_secs(1)), Duration::ZERO);
    }

    #[test]
    fn a_failed_reading_is_never_fresh() {
        let now = Instant::now();
        let reading: Reading<u32> = Reading::new(Err(SensorError::GpuLost), now);
        assert_eq!(reading.fresh(now, Duration::MAX), None);
    }
}
