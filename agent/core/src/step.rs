//! The one function that moves the agent's state.

use crate::effect::Effect;
use crate::event::{Event, FoundContainer, FoundState, News};
use crate::facts::{Facts, Moment};
use crate::lease::{Lease, Signal, Stage};
use crate::memory::{Memory, Pause};
use crate::policy;
use crate::settings::Settings;
use std::collections::BTreeMap;
use sublet_protocol::heartbeat::{Action, Command, StopWhy};
use sublet_protocol::ids::LeaseId;
use sublet_protocol::lease::{EndCode, Ending, LeaseGrant};
use sublet_protocol::money::{HourlyPrice, MicroUsd};

/// How long after a failed removal it is tried again, in ms.
const RETRY_REMOVAL_MS: u64 = 5_000;

/// Takes one event in. Deterministic: the same arguments give the same answer.
///
/// The new memory must be stored before any effect that does not [give the GPU back](Effect::gives_back) runs.
pub fn step(
    memory: Memory,
    settings: &Settings,
    facts: &Facts,
    event: Event,
    now: Moment,
) -> (Memory, Vec<Effect>) {
    let mut turn = Turn {
        memory,
        settings,
        facts,
        now,
        effects: Vec::new(),
    };
    policy::observe(&mut turn.memory, settings, facts, now);
    turn.take(event);
    turn.enforce();
    turn.archive();
    (turn.memory, turn.effects)
}

struct Turn<'a> {
    memory: Memory,
    settings: &'a Settings,
    facts: &'a Facts,
    now: Moment,
    effects: Vec<Effect>,
}

impl Turn<'_> {
    fn take(&mut self, event: Event) {
        match event {
            Event::Tick => {}
            Event::Pause(pause) => {
                self.memory.pause = Some(pause);
                self.effects.push(Effect::Report);
            }
            Event::Resume => {
                self.memory.pause = None;
                self.effects.push(Effect::Report);
            }
            Event::Command(command) => self.command(command),
            Event::SessionOpened { fence_ms } => {
                self.memory.fence_ms = Some(fence_ms);
                self.heard();
            }
            Event::Answered { funding, settled } => {
                self.heard();
                for funding in funding {
                    if let Some(lease) = self.memory.leases.get_mut(&funding.lease) {
                        lease.funded_ms = lease.funded_ms.max(funding.funded_ms);
                    }
                }
                for lease in settled {
                    if let Some(lease) = self.memory.leases.get_mut(&lease) {
                        // A marketplace that settles what still runs has given it up; we stop below.
                        lease.settled = true;
                    }
                }
            }
            Event::Paid { lease, paid_ms } => {
                if let Some(lease) = self.memory.leases.get_mut(&lease) {
                    lease.paid_ms = lease.paid_ms.max(paid_ms);
                }
            }
            Event::Container { lease, news } => self.news(&lease, news),
            Event::Reconciled(found) => self.reconcile(found),
        }
    }

    /// Keeps the time of an answer while it matters to a lease; at rest nothing needs to be stored.
    fn heard(&mut self) {
        if !self.memory.leases.is_empty() {
            self.memory.heard_wall_ms = self.now.wall_ms.saturating_sub(self.silent_ms());
        }
    }

    /// For how long the marketplace has been silent. Before its first answer since the agent started only the wall
    /// clock can tell; it may have been set, but a restart may not give a lost job more time.
    fn silent_ms(&self) -> u64 {
        match self.facts.market.last_answer_boot_ms {
            Some(last) => self.now.boot_ms.saturating_sub(last),
            None => self
                .now
                .boot_ms
                .max(self.now.wall_ms.saturating_sub(self.memory.heard_wall_ms)),
        }
    }

    fn command(&mut self, command: Command) {
        if command.id <= self.memory.commands_seen {
            return;
        }
        self.memory.commands_seen = command.id;
        match command.action {
            Action::Grant { grant } => self.grant(*grant),
            Action::Stop { lease, why } => {
                let (code, message) = match why {
                    StopWhy::Cancelled => (EndCode::Cancelled, "The renter cancelled the job."),
                    StopWhy::Lost => (
                        EndCode::Fenced,
                        "The marketplace gave the job to another rig.",
                    ),
                };
                self.stop(&lease, code, message);
            }
        }
    }

    fn grant(&mut self, grant: LeaseGrant) {
        if self.memory.leases.contains_key(&grant.lease) {
            return;
        }
        let id = grant.lease.clone();
        let lease = match self.objection(&grant) {
            Some(message) => Lease::refused(grant, self.now, message),
            None => {
                self.effects.push(Effect::Pull {
                    lease: id.clone(),
                    spec: grant.spec.clone(),
                });
                Lease::new(grant, self.now)
            }
        };
        self.memory.leases.insert(id, lease);
        self.heard();
        self.effects.push(Effect::Report);
    }

    /// Why a grant is not taken, if it is not.
    fn objection(&self, grant: &LeaseGrant) -> Option<String> {
        let offers = policy::offers(&self.memory, self.settings, self.facts, self.now);
        if grant.gpus.is_empty() {
            return Some("The lease names no GPU.".to_owned());
        }
        let mut floor = MicroUsd::ZERO;
        for (at, gpu) in grant.gpus.iter().enumerate() {
            if grant.gpus[..at].contains(gpu) {
                return Some(format!("The lease names GPU {gpu} twice."));
            }
            let Some(offer) = offers.iter().find(|offer| offer.gpu.id == *gpu) else {
                return Some(self.why_not(gpu));
            };
            floor = floor.saturating_add(offer.floor.0);
        }
        if grant.price < HourlyPrice(floor) {
            return Some(format!(
                "The price of {} is below the floor of {}.",
                grant.price,
                HourlyPrice(floor)
            ));
        }
        let (spec, host) = (&grant.spec, &self.facts.host);
        if spec.cpu_milli > host.cpu_milli || spec.memory_bytes > host.memory_bytes {
            return Some("The job asks for more CPU or memory than is on offer.".to_owned());
        }
        None
    }

    fn why_not(&self, gpu: &sublet_protocol::ids::GpuId) -> String {
        if self.memory.holder(gpu).is_some() {
            return format!("GPU {gpu} is already rented.");
        }
        let decision = policy::decide(&self.memory, self.settings, self.facts, self.now);
        decision
            .gpus
            .iter()
            .find(|decided| decided.gpu == *gpu)
            .and_then(|decided| decided.reasons.first())
            .map_or_else(
                || format!("There is no GPU {gpu} here."),
                |reason| reason.text.clone(),
            )
    }

    fn news(&mut self, id: &LeaseId, news: News) {
        let now = self.now;
        let Some(lease) = self.memory.leases.get_mut(id) else {
            // A container of a lease that nobody remembers: it may not stay.
            if !matches!(news, News::Removed | News::Progress(_)) {
                self.effects.push(Effect::Remove { lease: id.clone() });
            }
            return;
        };
        match news {
            News::Pulled => self.advance(id, Signal::Pulled),
            News::Started => {
                if lease.stage == Stage::Starting {
                    lease.meter.start(now);
                }
                self.advance(id, Signal::Started);
            }
            News::Progress(permille) => {
                lease.progress_permille = lease.progress_permille.max(Some(permille.min(1000)));
            }
            News::Exited {
                code,
                out_of_memory,
                ran_ms,
            } => {
                if matches!(lease.stage, Stage::Starting | Stage::Running) {
                    exited(lease, now, code, out_of_memory, ran_ms);
                    let keeps = lease.ending.is_none();
                    self.advance(
                        id,
                        if keeps {
                            Signal::ExitedWithOutputs
                        } else {
                            Signal::ExitedBare
                        },
                    );
                }
            }
            News::Killed => self.advance(id, Signal::Killed),
            News::Collected(outputs) => {
                if lease.stage == Stage::Collecting {
                    lease.outputs = outputs;
                }
                self.advance(id, Signal::Collected);
            }
            News::Uploaded => {
                if lease.stage == Stage::Uploading {
                    lease.ending = Some(completed(lease.outputs.clone()));
                }
                self.advance(id, Signal::Uploaded);
            }
            News::Removed => {
                if lease.stage == Stage::Over {
                    lease.removed = true;
                    self.effects.push(Effect::Report);
                }
            }
            News::Failed { code, message } => {
                if lease.stage.after(Signal::Failed).is_some() {
                    lease.meter.stop(now);
                    lease.ending = Some(ending(code, message));
                }
                self.advance(id, Signal::Failed);
            }
            News::RemovalFailed { .. } => {
                lease.retry_removal_at_ms = Some(now.mono_ms + RETRY_REMOVAL_MS);
            }
        }
    }

    /// Moves a lease along the table, and starts what the new stage asks for.
    fn advance(&mut self, id: &LeaseId, signal: Signal) {
        let Some(lease) = self.memory.leases.get_mut(id) else {
            return;
        };
        let Some(next) = lease.stage.after(signal) else {
            return;
        };
        lease.stage = next;
        if next != Stage::Running {
            lease.meter.stop(self.now);
        }
        if next == Stage::Running {
            // The effect that started it goes on watching it.
            self.effects.push(Effect::Report);
            return;
        }
        let effect = lease.work();
        self.effects.push(effect);
        self.effects.push(Effect::Report);
    }

    fn stop(&mut self, id: &LeaseId, code: EndCode, message: impl Into<String>) {
        let Some(lease) = self.memory.leases.get_mut(id) else {
            return;
        };
        if lease.stage.after(Signal::Stop).is_none() {
            return;
        }
        lease.meter.stop(self.now);
        lease.ending = Some(ending(code, message.into()));
        self.advance(id, Signal::Stop);
    }

    /// What must hold at every moment, whatever the event was.
    fn enforce(&mut self) {
        let now = self.now;
        if let Some(Pause {
            until_wall_ms: Some(until),
            ..
        }) = self.memory.pause
            && now.wall_ms >= until
        {
            self.memory.pause = None;
            self.effects.push(Effect::Report);
        }
        let silent_ms = self.silent_ms();
        let fenced = self.memory.fence_ms.is_some_and(|fence| silent_ms > fence);
        let ids: Vec<LeaseId> = self.memory.leases.keys().cloned().collect();
        for id in ids {
            let Some(lease) = self.memory.leases.get_mut(&id) else {
                continue;
            };
            if lease.meter.is_running() {
                lease.meter.settle(now);
            }
            let cause = if lease.stage.after(Signal::Stop).is_none() {
                None
            } else {
                stop_cause(lease, self.settings, self.facts, now, fenced, silent_ms).or_else(|| {
                    owner_cause(lease, self.memory.pause, &self.memory.cooling, self.facts)
                })
            };
            if let Some((code, message)) = cause {
                let limit = lease.limit_ms();
                lease.meter.cap(limit);
                self.stop(&id, code, message);
            } else if lease
                .retry_removal_at_ms
                .is_some_and(|at| now.mono_ms >= at)
            {
                lease.retry_removal_at_ms = None;
                let effect = lease.work();
                self.effects.push(effect);
            }
        }
    }

    fn archive(&mut self) {
        let closed: Vec<LeaseId> = self
            .memory
            .leases
            .iter()
            .filter(|(_, lease)| lease.stage == Stage::Over && lease.removed && lease.settled)
            .map(|(id, _)| id.clone())
            .collect();
        for id in closed {
            if let Some(lease) = self.memory.leases.remove(&id) {
                self.effects.push(Effect::Archive(Box::new(lease)));
            }
        }
    }

    /// Matches what Docker knows with what we remember; only after this is anything new rented.
    fn reconcile(&mut self, found: Vec<FoundContainer>) {
        let mut found: BTreeMap<LeaseId, FoundState> =
            found.into_iter().map(|f| (f.lease, f.state)).collect();
        let ids: Vec<LeaseId> = self.memory.leases.keys().cloned().collect();
        for id in ids {
            let state = found.remove(&id);
            self.resume(&id, state);
        }
        for lease in found.into_keys() {
            self.effects.push(Effect::Remove { lease });
        }
        self.memory.reconciled = true;
        self.effects.push(Effect::Report);
    }

    /// Takes one lease up again where its container stands.
    fn resume(&mut self, id: &LeaseId, state: Option<FoundState>) {
        let now = self.now;
        let Some(lease) = self.memory.leases.get_mut(id) else {
            return;
        };
        match (lease.stage, state) {
            (Stage::Over, _) if lease.removed => {}
            (Stage::Starting | Stage::Running, Some(FoundState::Running { ran_ms })) => {
                if !lease.meter.is_running() {
                    lease.meter.catch_up(ran_ms);
                    lease.meter.start(now);
                }
                lease.stage = Stage::Running;
                self.effects.push(Effect::Watch { lease: id.clone() });
            }
            (
                Stage::Starting | Stage::Running,
                Some(FoundState::Exited {
                    code,
                    out_of_memory,
                    ran_ms,
                }),
            ) => {
                lease.meter.catch_up(ran_ms);
                let news = News::Exited {
                    code,
                    out_of_memory,
                    ran_ms: None,
                };
                self.news(id, news);
            }
            (Stage::Running, None | Some(FoundState::Created)) => {
                let news = News::Failed {
                    code: EndCode::SandboxFailed,
                    message: "The job's container was gone when the agent came back.".to_owned(),
                };
                self.news(id, news);
            }
            // Every other stage asks for its work again; all of it may be done twice.
            _ => {
                let effect = lease.work();
                self.effects.push(effect);
            }
        }
    }
}

/// Why a lease cannot go on by its own terms.
fn stop_cause(
    lease: &Lease,
    settings: &Settings,
    facts: &Facts,
    now: Moment,
    fenced: bool,
    silent_ms: u64,
) -> Option<(EndCode, String)> {
    let used = lease.meter.used_ms(now);
    if lease.settled {
        return Some((
            EndCode::Fenced,
            "The marketplace closed the lease.".to_owned(),
        ));
    }
    if fenced {
        let seconds = silent_ms / 1_000;
        return Some((
            EndCode::Fenced,
            format!(
                "The marketplace did not answer for {seconds} s, and would have given the job away."
            ),
        ));
    }
    if lease.stage != Stage::Running {
        return None;
    }
    if used >= lease.grant.spec.deadline_ms {
        let seconds = lease.grant.spec.deadline_ms / 1_000;
        return Some((
            EndCode::DeadlineReached,
            format!("The job ran for {seconds} s, its deadline."),
        ));
    }
    if used >= lease.funded_ms {
        return Some((
            EndCode::OutOfFunds,
            "The renter's money ran out.".to_owned(),
        ));
    }
    if facts.market.connected && used.saturating_sub(lease.paid_ms) > settings.unpaid_limit_ms {
        let behind = used.saturating_sub(lease.paid_ms) / 1_000;
        return Some((
            EndCode::PaymentBehind,
            format!("The marketplace's vouchers were {behind} s of running time behind."),
        ));
    }
    None
}

/// Why the owner, or the owner's hardware, wants the GPU back. Sealing and sending go on: they need no GPU.
fn owner_cause(
    lease: &Lease,
    pause: Option<Pause>,
    cooling: &std::collections::BTreeSet<sublet_protocol::ids::GpuId>,
    facts: &Facts,
) -> Option<(EndCode, String)> {
    if !matches!(
        lease.stage,
        Stage::Pulling | Stage::Starting | Stage::Running
    ) {
        return None;
    }
    if pause.is_some() {
        return Some((
            EndCode::Reclaimed,
            "The owner took the GPU back.".to_owned(),
        ));
    }
    for id in &lease.grant.gpus {
        if cooling.contains(id) {
            return Some((EndCode::Reclaimed, format!("GPU {id} grew too hot.")));
        }
        let gpu = facts.gpus.iter().find(|gpu| gpu.info.id == *id);
        let lost = match gpu {
            None => true,
            Some(gpu) => matches!(gpu.problem, Some(crate::facts::GpuProblem::Lost(_))),
        };
        if lost {
            return Some((EndCode::SandboxFailed, format!("GPU {id} is gone.")));
        }
    }
    None
}

fn ending(code: EndCode, message: String) -> Ending {
    Ending {
        code,
        exit_code: None,
        message,
        outputs: Vec::new(),
    }
}

fn completed(outputs: Vec<sublet_protocol::lease::Output>) -> Ending {
    Ending {
        code: EndCode::Completed,
        exit_code: Some(0),
        message: "The job finished.".to_owned(),
        outputs,
    }
}

/// The container ended by itself. Leaves `ending` empty where outputs are still to be sealed.
fn exited(lease: &mut Lease, now: Moment, code: i64, out_of_memory: bool, ran_ms: Option<u64>) {
    lease.meter.stop_with(now, ran_ms);
    let failed = |code_for_wire, message| {
        Some(Ending {
            code: code_for_wire,
            exit_code: Some(code),
            message,
            outputs: Vec::new(),
        })
    };
    lease.ending = if out_of_memory {
        let mib = lease.grant.spec.memory_bytes >> 20;
        failed(
            EndCode::OutOfMemory,
            format!("The job needed more than its {mib} MiB of memory."),
        )
    } else if code != 0 {
        failed(
            EndCode::JobFailed,
            format!("The job ended with exit code {code}."),
        )
    } else if lease.grant.spec.outputs.is_empty() {
        Some(completed(Vec::new()))
    } else {
        None
    };
}
