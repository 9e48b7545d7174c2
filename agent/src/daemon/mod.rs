//! The one place where the parts meet. The core decides; the daemon observes, stores and does.
//!
//! One event at a time: observe, [`sublet_core::step`], store, and only then act on what rents the GPU out
//! (what gives it back is done whether or not it could be stored).

mod answers;
mod clock;
mod engine;
mod examine;
mod fetch;
mod hand_back;
mod job_log;
mod limits;
mod link_news;
mod looking_back;
mod machine;
mod measure;
mod newcomers;
mod ours;
mod recording;
mod send;
mod senses;
mod sentence;
mod steps;
mod transfers;
mod turn;
mod work;

use crate::child;
use crate::cli::RunOptions;
use crate::control;
use crate::inputs::{InputLimits, InputStore};
use crate::keys::{Keys, Surroundings};
use crate::market::{HttpMarket, Known, Link, Outbound};
use crate::rehearsal;
use crate::sandbox::{self, Sandbox};
use crate::sensors::Library;
use crate::settings::{KnownGpu, Overrides, Watched};
use crate::store::Store;
use anyhow::Context;
use clock::Clock;
use engine::Engine;
use machine::Machine;
use measure::Measuring;
use recording::Recording;
use senses::Senses;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use sublet_core::event::{FoundContainer, FoundState, GpuNews};
use sublet_core::facts::{Docker, MarketFacts};
use sublet_core::thermal::Governor;
use sublet_core::{Event, Facts, Memory};
use sublet_protocol::voucher::Channel;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use work::{Bench, Tools, Work};

/// How long putting cards back may hold up the agent's exit.
const PUT_BACK_WITHIN: Duration = Duration::from_secs(6);

/// What the daemon was told, for good.
#[derive(Debug, Clone)]
struct Options {
    data: PathBuf,
    market: String,
}

/// The running agent's state. Nothing else in the process changes it.
struct Daemon {
    clock: Clock,
    /// The program that touches graphics drivers.
    graphics: PathBuf,
    options: Options,
    settings: Watched,
    store: Store,
    keys: Keys,
    machine: Machine,
    senses: Senses,
    engine: Engine,
    memory: Memory,
    /// The memory as it was last stored.
    stored: String,
    ledger_problem: Option<String>,
    owner_needed: Option<String>,
    market: MarketFacts,
    market_wall_ms: Option<u64>,
    channel: Option<Channel>,
    work: Work,
    /// Effects that wait until the memory could be stored.
    withheld: Vec<sublet_core::Effect>,
    outbound: watch::Sender<Outbound>,
    snapshot: u64,
    measuring: Measuring,
    /// Today's earnings, as of the last change of the ledger.
    today: Today,
    recording: Recording,
}

#[derive(Debug, Clone, Copy, Default)]
struct Today {
    net: sublet_protocol::money::MicroUsd,
    read_at_ms: u64,
}

const NO_MARKET: &str = "no marketplace is named: `sublet settings set market.url URL` names one for good, `sublet run --market URL` for this time, such as https://market.example";

/// Runs until told to stop by Ctrl-C or SIGTERM. Jobs are left running: the next start takes them up again.
///
/// # Errors
/// What keeps the agent from starting: a data folder that another agent has, a database or a key that cannot be
/// used, a marketplace's address that cannot be right.
pub fn run(options: RunOptions) -> anyhow::Result<()> {
    // One thread is enough, and keeps the agent small.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(live(options))
}

async fn live(told: RunOptions) -> anyhow::Result<()> {
    if let Some(folder) = &told.rehearsal {
        rehearsal::rehearse(folder)
            .with_context(|| format!("crashes cannot be rehearsed in {}", folder.display()))?;
    }
    let overrides = Overrides {
        preset: told.preset,
        floor: told.floor,
        allow_software_gpu: told.allow_software_gpu,
        away_ms: told.away_ms,
        market: told.market.map(|market| market.to_string()),
    };
    let store = Store::open(&told.data)?;
    let keys = Keys::load(&told.data, &Surroundings::from_environment())?;
    let graphics =
        child::graphics_program().context("the agent's own program file could not be found")?;
    let listener = control::Listener::bind(&control::Endpoint::of(&told.data)).await?;
    let library = told
        .nvml_library
        .map_or_else(Library::from_env, Library::at);
    let mut machine = Machine::look(&graphics, library).await?;
    machine.recall_scores(&store);
    machine.simulate_scores(told.simulated_score);
    let settings = Watched::open(&told.data, overrides, known(&machine));
    let market = settings.good.market.clone().context(NO_MARKET)?;
    let options = Options {
        data: told.data,
        market,
    };
    let market = Arc::new(HttpMarket::new(&options.market)?);
    let (senses, mut alarms) = Senses::open(&settings.good.programs, told.sys_folder);
    let stored = store.load_memory()?.unwrap_or_default();
    let memory: Memory = if stored.is_empty() {
        Memory::default()
    } else {
        serde_json::from_str(&stored).context(
            "what the agent remembers of its leases could not be read; it may be of a newer version of Sublet, so nothing was changed",
        )?
    };
    let known_channel = pinned_channel(&store, &options.market)?;

    let (outbound, outbound_hear) = watch::channel(turn::silent_outbound(memory.commands_seen));
    let (link_tell, mut link_news) = mpsc::channel(64);
    let (work_tell, mut work_news) = mpsc::channel(64);
    let (ask, mut asked) = mpsc::channel(64);
    let stop_control = CancellationToken::new();
    let mut engine_news = engine::follow();
    let link = Link::spawn(
        market.clone(),
        keys.identity().clone(),
        known_channel
            .as_ref()
            .map(|(known, _)| known.clone())
            .unwrap_or_default(),
        outbound_hear,
        link_tell,
    );
    let tools = Tools {
        rig: keys.rig_id.clone(),
        jobs: options.data.join("jobs"),
        inputs: InputStore::new(options.data.join("inputs"), InputLimits::default()),
        transfers: Default::default(),
        market,
        session: link.session(),
        news: work_tell,
    };
    let serving = tokio::spawn(control::serve(listener, ask, stop_control.clone()));
    let clock = Clock::new();
    let mut daemon = Daemon {
        clock,
        graphics,
        settings,
        store,
        keys,
        machine,
        senses,
        engine: Engine::Unknown,
        memory,
        stored,
        ledger_problem: None,
        owner_needed: None,
        market: MarketFacts {
            connected: false,
            last_answer_boot_ms: None,
            problem: None,
            fee: None,
            best_order: None,
        },
        market_wall_ms: None,
        channel: known_channel.map(|(_, channel)| channel),
        work: Work::new(tools),
        withheld: Vec::new(),
        outbound,
        snapshot: 0,
        measuring: Measuring::default(),
        today: Today::default(),
        recording: Recording::default(),
        options,
    };
    tracing::info!(rig = %daemon.keys.rig_id, gpus = daemon.machine.gpus.len(), "the agent is up");

    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut stop = std::pin::pin!(told_to_stop());
    loop {
        tokio::select! {
            _ = tick.tick() => daemon.second().await,
            () = alarms.next() => daemon.take(Event::Tick).await,
            Some(event) = work_news.recv() => daemon.take(event).await,
            Some(news) = link_news.recv() => daemon.hear(news).await,
            Some(request) = asked.recv() => daemon.answer(request).await,
            Ok(()) = engine_news.changed() => {
                let engine = engine_news.borrow_and_update().clone();
                daemon.meet(engine).await;
            }
            Some(news) = daemon.measuring.next() => daemon.measured(news).await,
            result = &mut stop => {
                result?;
                break;
            }
        }
    }
    tracing::info!("the agent goes down; jobs that run go on and are taken up at the next start");
    daemon.take(Event::GoingDown).await;
    daemon.put_back(&mut work_news).await;
    daemon.end_record();
    stop_control.cancel();
    serving.await.context("the local API ended badly")??;
    Ok(())
}

/// A marketplace's channel as it was first seen: a key that changed is the owner's to judge.
fn pinned_channel(store: &Store, market: &str) -> anyhow::Result<Option<(Known, Channel)>> {
    let Some(json) = store.pinned(&channel_pin(market))? else {
        return Ok(None);
    };
    let (audience, channel): (String, Channel) =
        serde_json::from_str(&json).context("the marketplace's kept key could not be read")?;
    let known = Known {
        audience: Some(audience),
        payer: Some(channel.payer.clone()),
    };
    Ok(Some((known, channel)))
}

fn channel_pin(market: &str) -> String {
    format!("channel:{market}")
}

impl Daemon {
    /// What is observed right now.
    fn facts(&self) -> Facts {
        let (docker, capacity) = match &self.engine {
            Engine::Unknown => (Docker::Unknown, None),
            Engine::Away(why) => (Docker::Away(why.clone()), None),
            Engine::Here {
                facts, capacity, ..
            } => (Docker::Here(facts.clone()), Some(*capacity)),
        };
        let now = Instant::now();
        Facts {
            gpus: self.machine.facts(now),
            docker,
            market: self.market.clone(),
            owner: self.senses.owner(now),
            machine: self.senses.machine(now),
            programs: self.senses.programs(now),
            utc_offset_s: jiff::Zoned::now().offset().seconds(),
            host: limits::host(self.settings.good.limits, capacity),
            set_up: self.settings.set_up(),
            settings_problem: self.settings.problem.as_ref().map(ToString::to_string),
            ledger_problem: self.ledger_problem.clone(),
            owner_needed: self.owner_needed.clone(),
        }
    }

    /// The container engine with today's limits, while it answers.
    fn bench(&self) -> Option<Bench> {
        match &self.engine {
            Engine::Here {
                sandbox,
                facts,
                capacity,
            } => {
                let chosen = self.settings.good.limits;
                let sandbox = Sandbox::clone(sandbox).with_disk_limits(limits::disk(chosen));
                Some(Bench {
                    sandbox: Arc::new(sandbox),
                    facts: facts.clone(),
                    limits: limits::host(chosen, Some(*capacity)),
                })
            }
            _ => None,
        }
    }

    async fn second(&mut self) {
        if self.machine.take_in() {
            self.machine.recall_scores(&self.store);
            self.settings.meet(known(&self.machine));
        }
        self.settings.look();
        self.senses.choose(&self.settings.good.programs);
        self.machine.second();
        let memory = &self.memory;
        self.machine.ours.retain(|lease| {
            memory.leases.contains_key(lease)
                || memory.custody.values().any(|kept| kept.lease == *lease)
        });
        self.take(Event::Tick).await;
    }

    /// Waits until the cards are as their owner had them, or their driver says that it will not have it so.
    async fn put_back(&mut self, news: &mut mpsc::Receiver<Event>) {
        let over = tokio::time::Instant::now() + PUT_BACK_WITHIN;
        let changed = |governor: &Governor| governor.leftover().is_some();
        while self.memory.governors.values().any(changed) {
            let Ok(Some(event)) = tokio::time::timeout_at(over, news.recv()).await else {
                tracing::warn!("a power limit could not be put back yet; the next start does it");
                return;
            };
            let refused = matches!(
                event,
                Event::Gpu {
                    news: GpuNews::LimitRefused { .. },
                    ..
                }
            );
            self.take(event).await;
            if refused {
                return;
            }
        }
    }

    /// The container engine came, went, or changed. The first time it is here, everything that is left of
    /// earlier leases is matched with what is remembered.
    async fn meet(&mut self, engine: Engine) {
        self.engine = engine;
        if let (Engine::Here { sandbox, .. }, false) = (&self.engine, self.memory.reconciled) {
            let now_ms = self.clock.now().wall_ms;
            match sandbox.look(&self.keys.rig_id).await {
                Ok(found) => {
                    for one in &found {
                        if let Some(container) = &one.container {
                            self.machine.ours.add(one.lease.clone(), container.clone());
                        }
                    }
                    let found = found.into_iter().map(|f| describe(f, now_ms)).collect();
                    return self.take(Event::Reconciled(found)).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "the containers of earlier leases could not be listed; tried again");
                    self.engine = Engine::Away(error.to_string());
                }
            }
        }
        self.take(Event::Tick).await;
    }
}

/// The GPUs as far as they bound what can be chosen for them.
fn known(machine: &Machine) -> Vec<KnownGpu> {
    let facts = machine.facts(Instant::now());
    facts.iter().map(KnownGpu::from).collect()
}

fn describe(found: sandbox::Found, now_ms: u64) -> FoundContainer {
    let started = found.started_at_ms.unwrap_or(now_ms);
    let state = match (found.state, found.exit) {
        (sandbox::FoundState::Exited, Some(exit)) => FoundState::Exited {
            code: exit.code,
            out_of_memory: exit.oom_killed,
            ran_ms: exit.finished_at_ms.saturating_sub(exit.started_at_ms),
        },
        (sandbox::FoundState::Running, _) => FoundState::Running {
            ran_ms: now_ms.saturating_sub(started),
        },
        (sandbox::FoundState::Paused, _) => FoundState::Frozen {
            ran_ms: now_ms.saturating_sub(started),
        },
        _ => FoundState::Created,
    };
    FoundContainer {
        lease: found.lease,
        state,
    }
}

#[cfg(unix)]
async fn told_to_stop() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

#[cfg(windows)]
async fn told_to_stop() -> anyhow::Result<()> {
    Ok(tokio::signal::ctrl_c().await?)
}
