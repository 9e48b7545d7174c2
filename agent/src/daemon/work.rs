//! Carries effects out, each as a task of its own, and brings the news back. Doing one twice does no harm.

use super::job_log::{self, JobLog};
use crate::market::{HttpMarket, Market};
use crate::sandbox::{Sandbox, SandboxError, SandboxTerms};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use sublet_core::Effect;
use sublet_core::event::News;
use sublet_protocol::ids::{GpuId, LeaseId, RigId};
use sublet_protocol::job::JobSpec;
use sublet_protocol::lease::{EndCode, Output};
use sublet_protocol::offer::{HostLimits, SandboxFacts};
use sublet_protocol::session::Session;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// What every task may need.
#[derive(Clone)]
pub struct Tools {
    /// This rig.
    pub rig: RigId,
    /// Where a lease's log and sealed outputs lie, one folder each.
    pub jobs: PathBuf,
    /// Where outputs and logs go.
    pub market: Arc<HttpMarket>,
    /// The session in force.
    pub session: watch::Receiver<Option<Session>>,
    /// Where the news goes.
    pub news: mpsc::Sender<(LeaseId, News)>,
}

/// The container engine as it stands when an effect is carried out.
#[derive(Clone)]
pub struct Bench {
    /// The way to it.
    pub sandbox: Arc<Sandbox>,
    /// What it enforces.
    pub facts: SandboxFacts,
    /// What a job may take.
    pub limits: HostLimits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Pull,
    Run,
    Collect,
    Upload,
    Stop,
}

/// The tasks under way.
pub struct Work {
    tools: Tools,
    tasks: HashMap<(LeaseId, Kind), JoinHandle<()>>,
}

/// How long the rest of a log may take to reach the marketplace before its container is removed.
const LOG_PATIENCE: Duration = Duration::from_secs(10);

impl Work {
    /// Nothing under way.
    pub fn new(tools: Tools) -> Self {
        Self {
            tools,
            tasks: HashMap::new(),
        }
    }

    /// The end of a lease's log.
    pub fn log_tail(&self, lease: &LeaseId, lines: u32) -> std::io::Result<String> {
        job_log::tail(&self.folder(lease), lines)
    }

    fn folder(&self, lease: &LeaseId) -> PathBuf {
        self.tools.jobs.join(lease.as_str())
    }

    /// Starts what an effect asks for. Without a container engine it is news at once that it could not be done.
    pub fn carry_out(&mut self, effect: Effect, bench: Option<&Bench>) {
        self.tasks.retain(|_, task| !task.is_finished());
        let Some(bench) = bench.cloned() else {
            return self.without_engine(effect);
        };
        let tools = self.tools.clone();
        match effect {
            Effect::Pull { lease, spec } => {
                self.start(lease.clone(), Kind::Pull, async move {
                    pull(&tools, &bench, lease, spec).await
                });
            }
            Effect::Start { lease, spec, gpus } => {
                let log = self.folder(&lease);
                self.start(lease.clone(), Kind::Run, async move {
                    run(&tools, &bench, lease, Some((spec, gpus)), log).await;
                });
            }
            Effect::Watch { lease } => {
                let log = self.folder(&lease);
                self.start(lease.clone(), Kind::Run, async move {
                    run(&tools, &bench, lease, None, log).await
                });
            }
            Effect::Kill { lease } => {
                self.abandon(&lease, &[Kind::Pull, Kind::Collect, Kind::Upload]);
                self.start(lease.clone(), Kind::Stop, async move {
                    kill(&tools, &bench, lease).await
                });
            }
            Effect::Collect { lease, spec } => {
                let into = self.folder(&lease).join("out");
                self.start(lease.clone(), Kind::Collect, async move {
                    collect(&tools, &bench, lease, spec, into).await;
                });
            }
            Effect::Upload { lease, outputs } => {
                let from = self.folder(&lease).join("out");
                self.start(lease.clone(), Kind::Upload, async move {
                    upload(&tools, lease, outputs, from).await
                });
            }
            Effect::Remove { lease } => {
                self.abandon(&lease, &[Kind::Pull, Kind::Collect, Kind::Upload]);
                let running = self.tasks.remove(&(lease.clone(), Kind::Run));
                let out = self.folder(&lease).join("out");
                self.start(lease.clone(), Kind::Stop, async move {
                    remove(&tools, &bench, lease, running, &out).await
                });
            }
            Effect::Archive(_) | Effect::Report => {}
        }
    }

    fn without_engine(&mut self, effect: Effect) {
        let away = || "Docker does not answer.".to_owned();
        let (lease, news) = match effect {
            Effect::Kill { lease } | Effect::Remove { lease } => {
                (lease, News::RemovalFailed { message: away() })
            }
            Effect::Upload { lease, outputs } => {
                // Sealed files need no engine.
                let (tools, from) = (self.tools.clone(), self.folder(&lease).join("out"));
                self.start(lease.clone(), Kind::Upload, async move {
                    upload(&tools, lease, outputs, from).await
                });
                return;
            }
            Effect::Pull { lease, .. }
            | Effect::Start { lease, .. }
            | Effect::Watch { lease }
            | Effect::Collect { lease, .. } => (
                lease,
                News::Failed {
                    code: EndCode::SandboxFailed,
                    message: away(),
                },
            ),
            Effect::Archive(_) | Effect::Report => return,
        };
        let tools = self.tools.clone();
        tokio::spawn(async move { tools.tell(lease, news).await });
    }

    fn start(
        &mut self,
        lease: LeaseId,
        kind: Kind,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let key = (lease, kind);
        if kind != Kind::Stop && self.tasks.contains_key(&key) {
            return;
        }
        self.tasks.insert(key, tokio::spawn(task));
    }

    fn abandon(&mut self, lease: &LeaseId, kinds: &[Kind]) {
        for kind in kinds {
            if let Some(task) = self.tasks.remove(&(lease.clone(), *kind)) {
                task.abort();
            }
        }
    }
}

impl Tools {
    pub(super) async fn tell(&self, lease: LeaseId, news: News) {
        if self.news.send((lease, news)).await.is_err() {
            tracing::debug!(
                "the daemon is going down; news of a job is dropped and found again at the next start"
            );
        }
    }

    async fn failed(&self, lease: LeaseId, error: SandboxError) {
        tracing::warn!(%lease, %error, "a step of a job failed");
        let news = News::Failed {
            code: error.end_code(),
            message: error.to_string(),
        };
        self.tell(lease, news).await;
    }
}

async fn pull(tools: &Tools, bench: &Bench, lease: LeaseId, spec: JobSpec) {
    match bench.sandbox.pull(&spec.image, |_, _| {}).await {
        Ok(()) => tools.tell(lease, News::Pulled).await,
        Err(error) => tools.failed(lease, error).await,
    }
}

/// Starts the container where asked to, follows its log, and waits for its end.
async fn run(
    tools: &Tools,
    bench: &Bench,
    lease: LeaseId,
    start: Option<(JobSpec, Vec<GpuId>)>,
    folder: PathBuf,
) {
    let started = start.is_some();
    if let Some((spec, gpus)) = start {
        let terms = SandboxTerms {
            rig: tools.rig.clone(),
            lease: lease.clone(),
            gpus: gpus
                .iter()
                .filter(|id| id.as_str().starts_with("GPU-"))
                .map(ToString::to_string)
                .collect(),
            limits: bench.limits,
            facts: bench.facts.clone(),
        };
        if let Err(error) = bench.sandbox.start(&spec, &terms).await {
            return tools.failed(lease, error).await;
        }
    }
    if started {
        tools.tell(lease.clone(), News::Started).await;
    }
    let log = JobLog::new(tools.clone(), lease.clone(), folder);
    let follow = log.follow(&bench.sandbox);
    let wait = async {
        match bench.sandbox.wait(&lease).await {
            Ok(exit) => {
                let ran_ms = exit.finished_at_ms.checked_sub(exit.started_at_ms);
                let news = News::Exited {
                    code: exit.code,
                    out_of_memory: exit.oom_killed,
                    ran_ms,
                };
                tools.tell(lease.clone(), news).await;
            }
            Err(error) => tools.failed(lease.clone(), error).await,
        }
    };
    tokio::join!(follow, wait);
}

/// Freezes first, so that the GPU is idle within milliseconds, then ends it.
async fn kill(tools: &Tools, bench: &Bench, lease: LeaseId) {
    if let Err(error) = bench.sandbox.freeze(&lease).await {
        tracing::debug!(%lease, %error, "not frozen; it is killed all the same");
    }
    let news = match bench.sandbox.kill(&lease).await {
        Ok(()) => News::Killed,
        Err(error) => {
            tracing::warn!(%lease, %error, "a job could not be stopped; it is tried again");
            News::RemovalFailed {
                message: error.to_string(),
            }
        }
    };
    tools.tell(lease, news).await;
}

async fn collect(tools: &Tools, bench: &Bench, lease: LeaseId, spec: JobSpec, into: PathBuf) {
    match bench
        .sandbox
        .collect(&lease, &spec, &into, bench.limits.output_bytes)
        .await
    {
        Ok(collected) => {
            let outputs = collected.into_iter().map(|c| c.output).collect();
            tools.tell(lease, News::Collected(outputs)).await;
        }
        Err(error) => tools.failed(lease, error).await,
    }
}

/// Sends until the marketplace has everything; the fence, the owner or the renter ends it otherwise.
async fn upload(tools: &Tools, lease: LeaseId, outputs: Vec<Output>, from: PathBuf) {
    let mut session = tools.session.clone();
    for (index, output) in outputs.iter().enumerate() {
        let file = crate::sandbox::sealed_file(&from, index);
        let mut pause = Duration::from_millis(500);
        loop {
            let open = match session.wait_for(Option::is_some).await {
                Ok(open) => open.clone(),
                Err(_) => return,
            };
            let Some(open) = open else { continue };
            match tools.market.put_blob(&open, &output.cid, &file).await {
                Ok(_) => break,
                Err(error) if error.may_pass() => {
                    tracing::info!(%lease, %error, "an output could not be sent yet");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(10));
                }
                Err(error) => {
                    let news = News::Failed {
                        code: EndCode::OutputRefused,
                        message: format!("The output {} could not be sent: {error}", output.path),
                    };
                    return tools.tell(lease, news).await;
                }
            }
        }
    }
    tools.tell(lease, News::Uploaded).await;
}

async fn remove(
    tools: &Tools,
    bench: &Bench,
    lease: LeaseId,
    running: Option<JoinHandle<()>>,
    out: &Path,
) {
    if let Some(mut running) = running
        && tokio::time::timeout(LOG_PATIENCE, &mut running)
            .await
            .is_err()
    {
        running.abort();
    }
    let news = match bench.sandbox.remove(&lease).await {
        Ok(()) => match std::fs::remove_dir_all(out) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => News::RemovalFailed {
                message: format!("{}: {error}", out.display()),
            },
            _ => News::Removed,
        },
        Err(error) => {
            tracing::warn!(%lease, %error, "a job could not be removed; it is tried again");
            News::RemovalFailed {
                message: error.to_string(),
            }
        }
    };
    tools.tell(lease, news).await;
}
