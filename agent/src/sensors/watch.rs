//! Reading GPUs from a thread of its own. A driver call may take long, or never return: the agent then sees readings
//! that grow old, and goes on.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::{Library, NvidiaSensor, SensorError, Snapshot};

/// How long a change of the power limit may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

enum Request {
    PowerLimit {
        uuid: String,
        limit_mw: u32,
        answer: oneshot::Sender<Result<(), SensorError>>,
    },
}

/// The newest readings, and a way to act on a GPU. Dropping it ends the thread.
#[derive(Debug)]
pub struct GpuWatch {
    latest: watch::Receiver<Option<Arc<Snapshot>>>,
    requests: mpsc::Sender<Request>,
}

impl GpuWatch {
    /// Reads now, and then once every `interval`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(library: Library, interval: Duration) -> io::Result<Self> {
        let (publish, latest) = watch::channel(None);
        let (requests, inbox) = mpsc::channel();
        thread::Builder::new()
            .name("gpu-readings".into())
            .spawn(move || {
                let mut sensor = NvidiaSensor::new(library);
                let mut next = Instant::now();
                loop {
                    let now = Instant::now();
                    if now >= next {
                        publish.send_replace(Some(Arc::new(sensor.read(now))));
                        next = now + interval;
                    }
                    match inbox.recv_timeout(next.saturating_duration_since(Instant::now())) {
                        Ok(Request::PowerLimit {
                            uuid,
                            limit_mw,
                            answer,
                        }) => {
                            // Whoever asked may have given up waiting.
                            let _ = answer.send(sensor.set_power_limit(&uuid, limit_mw));
                        }
                        Err(RecvTimeoutError::Timeout) => {}
                        Err(RecvTimeoutError::Disconnected) => return,
                    }
                }
            })?;
        Ok(Self { latest, requests })
    }

    /// The newest snapshot; none before the first was taken. Look at its age.
    #[must_use]
    pub fn latest(&self) -> Option<Arc<Snapshot>> {
        self.latest.borrow().clone()
    }

    /// The first snapshot, as soon as there is one.
    ///
    /// # Errors
    /// [`SensorError::TimedOut`] when the driver has not answered within `timeout`.
    pub async fn first(&self, timeout: Duration) -> Result<Arc<Snapshot>, SensorError> {
        let mut latest = self.latest.clone();
        let wait = async {
            let seen = latest.wait_for(Option::is_some).await.ok()?;
            seen.clone()
        };
        tokio::time::timeout(timeout, wait)
            .await
            .ok()
            .flatten()
            .ok_or(SensorError::TimedOut(timeout))
    }

    /// Sets the power limit of the GPU with NVML's identifier `uuid`, in milliwatts.
    ///
    /// # Errors
    /// As [`NvidiaSensor::set_power_limit`], and [`SensorError::TimedOut`] when the driver does not answer; the limit
    /// may then still be set later.
    pub async fn set_power_limit(&self, uuid: &str, limit_mw: u32) -> Result<(), SensorError> {
        let (answer, answered) = oneshot::channel();
        let request = Request::PowerLimit {
            uuid: uuid.to_owned(),
            limit_mw,
            answer,
        };
        self.requests
            .send(request)
            .map_err(|_| SensorError::TimedOut(Duration::ZERO))?;
        match tokio::time::timeout(ANSWER_WITHIN, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(SensorError::TimedOut(ANSWER_WITHIN)),
        }
    }
}
