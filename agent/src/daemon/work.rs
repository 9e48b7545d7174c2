//! Carries effects out, each as a task of its own, and brings the news back. Doing one twice does no harm.

use super::machine::Machine;
use super::transfers::Transfers;
use super::{hand_back, job_log, send, steps};
use crate::inputs::InputStore;
use crate::market::HttpMarket;
use crate::rehearsal;
use crate::sandbox::{Sandbox, SandboxError};

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use sublet_core::event::{GpuNews, News};
use sublet_core::{Effect, Event};
use sublet_protocol::ids::{GpuId, LeaseId, RigId};
use sublet_protocol::lease::{EndCode, Transfer};
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
    /// Files that jobs read, by their CID.
    pub inputs: InputStore,
    /// What is on its way.
    pub transfers: Transfers,
    /// Where outputs and logs go.
    pub market: Arc<HttpMarket>,
    /// The session in force.
    pub session: watch::Receiver<Option<Session>>,
    /// Where the news goes.
    pub news: mpsc::Sender<Event>,
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
    Start,
    Watch,
    /// Freezing, thawing, interrupting: the newest word counts.
    Hold,
    Stop,
    Save,
    Collect,
    Upload,
}

/// The tasks under way.
pub struct Work {
    tools: Tools,
    tasks: HashMap<(LeaseId, Kind), JoinHandle<()>>,
    /// The name of the effect that is being carried out.
    doing: &'static str,
}

impl Work {
    /// Nothing under way.
    pub fn new(tools: Tools) -> Self {
        Self {
            tools,
            tasks: HashMap::new(),
            doing: "",
        }
    }

    /// The end of a lease's log.
    pub fn log_tail(&self, lease: &LeaseId, lines: u32) -> std::io::Result<String> {
        job_log::tail(&self.folder(lease), lines)
    }

    /// What is on its way for a lease, in bytes.
    pub fn transfer(&self, lease: &LeaseId) -> Option<Transfer> {
        self.tools.transfers.of(lease)
    }

    fn folder(&self, lease: &LeaseId) -> PathBuf {
        self.tools.jobs.join(lease.as_str())
    }

    /// Starts what an effect asks for. Without a container engine it is news at once that it could not be done.
    pub fn carry_out(&mut self, effect: Effect, bench: Option<&Bench>, machine: &Machine) {
        self.tasks.retain(|_, task| !task.is_finished());
        self.doing = rehearsal::effect(&effect);
        rehearsal::doing(self.doing);
        let tools = self.tools.clone();
        let Some(effect) = hand_back::begin(effect, machine, &tools) else {
            return;
        };
        let Some(bench) = bench.cloned() else {
            return self.without_engine(effect);
        };
        match effect {
            Effect::Pull {
                lease,
                spec,
                checkpoint,
            } => {
                self.start(lease.clone(), Kind::Pull, async move {
                    steps::pull(&tools, &bench, lease, spec, checkpoint).await
                });
            }
            Effect::Start {
                lease,
                spec,
                gpus,
                checkpoint,
            } => {
                let ours = machine.ours.clone();
                self.start(lease.clone(), Kind::Start, async move {
                    steps::start(&tools, &bench, lease, spec, gpus, checkpoint, &ours).await;
                });
            }
            Effect::Watch { lease } => {
                let log = self.folder(&lease);
                self.start(lease.clone(), Kind::Watch, async move {
                    steps::watch(&tools, &bench, lease, log).await
                });
            }
            Effect::Freeze { lease } => {
                self.abandon(&lease, &[Kind::Start, Kind::Hold]);
                self.start(lease.clone(), Kind::Hold, async move {
                    steps::freeze(&tools, &bench, lease).await
                });
            }
            Effect::Thaw { lease } => {
                self.abandon(&lease, &[Kind::Hold]);
                self.start(lease.clone(), Kind::Hold, async move {
                    steps::thaw(&tools, &bench, lease).await
                });
            }
            Effect::Interrupt { lease, grace_ms } => {
                self.abandon(&lease, &[Kind::Hold]);
                self.start(lease.clone(), Kind::Hold, async move {
                    let grace = Duration::from_millis(grace_ms);
                    steps::interrupt(&tools, &bench, lease, grace).await
                });
            }
            Effect::Kill { lease } => {
                self.abandon(
                    &lease,
                    &[
                        Kind::Pull,
                        Kind::Start,
                        Kind::Hold,
                        Kind::Save,
                        Kind::Collect,
                        Kind::Upload,
                    ],
                );
                self.start(lease.clone(), Kind::Stop, async move {
                    steps::kill(&tools, &bench, lease).await
                });
            }
            Effect::Save {
                lease,
                spec,
                used_ms,
                last,
            } => {
                let folder = self.folder(&lease).join("keep");
                self.start(lease.clone(), Kind::Save, async move {
                    send::save(&tools, &bench, lease, spec, used_ms, last, folder).await;
                });
            }
            Effect::Collect { lease, spec } => {
                let into = self.folder(&lease).join("out");
                self.start(lease.clone(), Kind::Collect, async move {
                    steps::collect(&tools, &bench, lease, spec, into).await;
                });
            }
            Effect::Upload { lease, outputs } => {
                let from = self.folder(&lease).join("out");
                self.start(lease.clone(), Kind::Upload, async move {
                    send::upload(&tools, lease, outputs, from).await
                });
            }
            Effect::Remove { lease } => {
                self.abandon(
                    &lease,
                    &[
                        Kind::Pull,
                        Kind::Start,
                        Kind::Save,
                        Kind::Collect,
                        Kind::Upload,
                    ],
                );
                let watching = self.tasks.remove(&(lease.clone(), Kind::Watch));
                let folders = ["out", "keep"].map(|name| self.folder(&lease).join(name));
                self.start(lease.clone(), Kind::Stop, async move {
                    steps::remove(&tools, &bench, lease, watching, folders).await
                });
            }
            Effect::AwaitFree { .. }
            | Effect::SetPowerLimit { .. }
            | Effect::RestorePowerLimit { .. }
            | Effect::Archive(_)
            | Effect::Report => rehearsal::done(self.doing),
        }
    }

    /// Waits until every job that is being frozen is, but no longer than `patience`.
    pub async fn held(&mut self, patience: Duration) {
        let over = tokio::time::Instant::now() + patience;
        let holding = self.tasks.iter_mut();
        for (_, task) in holding.filter(|((_, kind), _)| *kind == Kind::Hold) {
            // A task that failed has told so, or will be asked for again.
            let _ = tokio::time::timeout_at(over, task).await;
        }
        self.tasks.retain(|_, task| !task.is_finished());
    }

    fn without_engine(&mut self, effect: Effect) {
        let away = || "Docker does not answer.".to_owned();
        let (lease, news) = match effect {
            Effect::Thaw { lease } | Effect::Kill { lease } | Effect::Remove { lease } => {
                (lease, News::NotYet { message: away() })
            }
            Effect::Freeze { lease } => (lease, News::FreezeFailed { message: away() }),
            Effect::Interrupt { lease, .. } => (lease, News::GraceOver),
            // The one before it stands.
            Effect::Save { lease, last, .. } => (
                lease,
                News::Saved {
                    checkpoint: None,
                    last,
                },
            ),
            Effect::Upload { lease, outputs } => {
                // Sealed files need no engine.
                let (tools, from) = (self.tools.clone(), self.folder(&lease).join("out"));
                self.start(lease.clone(), Kind::Upload, async move {
                    send::upload(&tools, lease, outputs, from).await
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
            Effect::AwaitFree { .. }
            | Effect::SetPowerLimit { .. }
            | Effect::RestorePowerLimit { .. }
            | Effect::Archive(_)
            | Effect::Report => return,
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
        let doing = self.doing;
        let task = async move {
            task.await;
            rehearsal::done(doing);
        };
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
        self.send(Event::Container { lease, news }).await;
    }

    pub(super) async fn tell_gpu(&self, gpu: GpuId, news: GpuNews) {
        self.send(Event::Gpu { gpu, news }).await;
    }

    async fn send(&self, event: Event) {
        if self.news.send(event).await.is_err() {
            tracing::debug!(
                "the daemon is going down; news is dropped and found again at the next start"
            );
        }
    }

    pub(super) async fn failed(&self, lease: LeaseId, error: SandboxError) {
        tracing::warn!(%lease, %error, "a step of a job failed");
        let news = News::Failed {
            code: error.end_code(),
            message: error.to_string(),
        };
        self.tell(lease, news).await;
    }
}
