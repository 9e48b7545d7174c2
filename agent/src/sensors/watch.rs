//! Reading GPUs from a thread of its own. A driver call may take long, or never return: the agent then sees readings
//! that grow old, and goes on.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::cards::Cards;
use super::free::Waiting;
use super::{FreeOutcome, FreeWanted, Library, SensorError, Snapshot};

/// How long a change of the power limit may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How often a GPU that is being given back is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Where GPUs are found, and how often they are read.
#[derive(Clone, Debug)]
pub struct GpuSources {
    /// NVIDIA's library.
    pub library: Library,
    /// The system's `/sys`.
    pub sys: PathBuf,
    /// The system's `/proc`.
    pub proc: PathBuf,
    /// How often they are read while something is rented.
    pub renting: Duration,
    /// How often otherwise. See docs/decisions/ on letting GPUs sleep.
    pub at_rest: Duration,
}

impl GpuSources {
    /// This machine's.
    #[must_use]
    pub fn of_machine(library: Library) -> Self {
        Self {
            library,
            sys: "/sys".into(),
            proc: "/proc".into(),
            renting: Duration::from_secs(1),
            at_rest: Duration::from_secs(5),
        }
    }
}

enum Request {
    PowerLimit {
        uuid: String,
        limit_mw: u32,
        answer: oneshot::Sender<Result<u32, SensorError>>,
    },
    Ours(Vec<String>),
    Pace {
        renting: bool,
    },
    Free(Waiting),
}

/// The newest readings, and a way to act on a GPU. Dropping it ends the thread.
#[derive(Debug)]
pub struct GpuWatch {
    latest: watch::Receiver<Option<Arc<Snapshot>>>,
    requests: mpsc::Sender<Request>,
}

impl GpuWatch {
    /// Reads now, and then at the pace of rest.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(sources: GpuSources) -> io::Result<Self> {
        let (publish, latest) = watch::channel(None);
        let (requests, inbox) = mpsc::channel();
        thread::Builder::new()
            .name("gpu-readings".into())
            .spawn(move || read_on(sources, &publish, &inbox))?;
        Ok(Self { latest, requests })
    }

    /// The newest snapshot; none before the first was taken. Look at its age.
    #[must_use]
    pub fn latest(&self) -> Option<Arc<Snapshot>> {
        self.latest.borrow().clone()
    }

    /// Tells each new snapshot.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<Option<Arc<Snapshot>>> {
        self.latest.clone()
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

    /// Whether something is rented, or about to be: then GPUs are read once a second, beginning at once. Otherwise
    /// rarely, and one that could sleep is let alone.
    pub fn pace(&self, renting: bool) {
        self.ask(Request::Pace { renting });
    }

    /// Which containers, by their full ids, run jobs of ours, from the next reading on. Say so before a container
    /// starts, and take it back once the GPU was given back.
    pub fn set_ours(&self, containers: Vec<String>) {
        self.ask(Request::Ours(containers));
    }

    /// Sets the power limit of the GPU with that identifier, in milliwatts; the answer is the limit that is then in
    /// force.
    ///
    /// # Errors
    /// As [`super::NvidiaSensor::set_power_limit`], and [`SensorError::TimedOut`] when the driver does not answer; the
    /// limit may then still be set later.
    pub async fn set_power_limit(&self, uuid: &str, limit_mw: u32) -> Result<u32, SensorError> {
        let (answer, answered) = oneshot::channel();
        self.ask(Request::PowerLimit {
            uuid: uuid.to_owned(),
            limit_mw,
            answer,
        });
        match tokio::time::timeout(ANSWER_WITHIN, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(SensorError::TimedOut(ANSWER_WITHIN)),
        }
    }

    /// Looks at the GPU with that identifier every 20 ms until it has been given back, and no longer than `within`.
    pub async fn await_free(
        &self,
        uuid: &str,
        wanted: FreeWanted,
        within: Duration,
    ) -> FreeOutcome {
        let (answer, answered) = oneshot::channel();
        let since = Instant::now();
        self.ask(Request::Free(Waiting {
            uuid: uuid.to_owned(),
            wanted,
            since,
            until: since + within,
            answer: Some(answer),
        }));
        // A look that begins in time may end late; a driver that hangs never ends it.
        let limit = within + Duration::from_secs(1);
        match tokio::time::timeout(limit, answered).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => FreeOutcome::Unknown(SensorError::TimedOut(limit)),
        }
    }

    /// The thread goes only when the watch does, or with a driver that hangs; then answers stay away, and readings
    /// grow old.
    fn ask(&self, request: Request) {
        let _ = self.requests.send(request);
    }
}

fn read_on(
    sources: GpuSources,
    publish: &watch::Sender<Option<Arc<Snapshot>>>,
    inbox: &mpsc::Receiver<Request>,
) {
    let (every, at_rest) = (sources.renting, sources.at_rest);
    let mut cards = Cards::new(sources);
    let mut renting = false;
    let mut waiting: Vec<Waiting> = Vec::new();
    let mut next = Instant::now();
    loop {
        let now = Instant::now();
        if now >= next {
            publish.send_replace(Some(Arc::new(cards.read(now, renting))));
            next = now + if renting { every } else { at_rest };
        }
        waiting.retain_mut(|wait| {
            let look = cards.holding(&wait.uuid);
            !wait.look(look, cards.users(), Instant::now())
        });
        let wake = match waiting.is_empty() {
            true => next,
            false => next.min(now + LOOK_EVERY),
        };
        match inbox.recv_timeout(wake.saturating_duration_since(Instant::now())) {
            Ok(Request::PowerLimit {
                uuid,
                limit_mw,
                answer,
            }) => {
                // Whoever asked may have given up waiting.
                let _ = answer.send(cards.set_power_limit(&uuid, limit_mw));
            }
            Ok(Request::Ours(containers)) => cards.users().set_ours(containers),
            Ok(Request::Pace { renting: wanted }) => {
                if wanted && !renting {
                    next = Instant::now();
                }
                renting = wanted;
            }
            Ok(Request::Free(wait)) => waiting.push(wait),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
