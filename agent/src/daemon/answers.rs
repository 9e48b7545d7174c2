//! Answers to the window, the tray and the command line.

use super::engine::Engine;
use super::{Daemon, Today, examine, sentence};
use crate::control::{Answer, PAUSE_MAX_MS, Request};
use crate::doctor;
use sublet_core::lease::Lease;
use sublet_core::memory::Pause;
use sublet_core::policy::{Decision, GpuDecision};
use sublet_core::{Event, Facts, Memory, policy};
use sublet_protocol::ids::LeaseId;
use sublet_protocol::lease::LeaseState;
use sublet_protocol::local::{
    Doctor, GpuView, Gpus, Jobs, LeaseView, MarketView, PauseRequest, PauseView, Reach, Status,
    Wallet,
};
use sublet_protocol::money::MicroUsd;
use sublet_protocol::problem::{Problem, ProblemCode};

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// How many ended jobs are listed.
const HISTORY: u32 = 200;
/// Today's earnings are read anew after so long, in ms: a day ends without any entry.
const TODAY_KEEPS_MS: u64 = 30_000;

impl Daemon {
    pub(super) async fn answer(&mut self, request: Request) {
        match request {
            Request::Status(answer) => reply(answer, self.status()),
            Request::Gpus(answer) => {
                let facts = self.facts();
                let gpus = self.gpu_views(&facts, self.decide(&facts).gpus);
                let problems = self.machine.problems.clone();
                reply(answer, Ok(Gpus { gpus, problems }));
            }
            Request::Jobs(answer) => reply(answer, self.jobs()),
            Request::Log {
                lease,
                lines,
                answer,
            } => reply(answer, self.log(&lease, lines)),
            Request::Wallet(answer) => reply(answer, self.wallet()),
            Request::Pause { request, answer } => {
                let result = self.pause(&request).await;
                reply(answer, result);
            }
            Request::Resume { gpu, answer } => {
                self.take(gpu.map_or(Event::Resume, Event::ResumeGpu)).await;
                let stored = self.stored_or_problem();
                reply(answer, stored);
            }
            Request::Bench(answer) => reply(answer, Ok(self.measuring.view())),
            Request::StartBench(answer) => {
                let result = self.start_measuring().await;
                reply(answer, result);
            }
            Request::Doctor(answer) => self.examine(answer),
            Request::Settings(answer) => {
                let view = self.settings.view();
                reply(answer, Ok(view));
            }
            Request::CheckSettings { change, answer } => {
                let preview = self.settings.check(&change);
                reply(answer, preview.map_err(Problem::from));
            }
            Request::History { days, answer } => self.history(days, answer),
            Request::Telemetry { span, answer } => self.telemetry_of(span, answer),
            Request::Trace { days, answer } => self.trace(days, answer),
            Request::Preview { request, answer } => self.preview(request, answer),
            Request::ChangeSettings { put, answer } => {
                let changed = self.settings.change(&put);
                // What was just allowed or forbidden holds now, not a second later.
                self.take(Event::Tick).await;
                reply(answer, changed.map_err(Problem::from));
            }
        }
    }

    /// The wish holds at once; it counts as answered only when it outlives a restart.
    fn stored_or_problem(&self) -> Result<(), Problem> {
        match &self.ledger_problem {
            None => Ok(()),
            Some(problem) => Err(Problem::new(
                ProblemCode::Unavailable,
                format!(
                    "It holds now, but could not be stored and would be forgotten at a restart: {problem}"
                ),
            )),
        }
    }

    async fn pause(&mut self, request: &PauseRequest) -> Result<PauseView, Problem> {
        let now = self.clock.now();
        let pause = match (request.for_ms, request.until_ms) {
            (None, None) => Pause::UNTIL_RESUMED,
            (Some(ms), None) => Pause::lasting(ms, now),
            (None, Some(wall_ms))
                if wall_ms > now.wall_ms && wall_ms - now.wall_ms <= PAUSE_MAX_MS =>
            {
                Pause::until(wall_ms)
            }
            (None, Some(_)) => {
                return Err(Problem::new(
                    ProblemCode::BadRequest,
                    "A pause ends at a time to come, at most 366 days from now.",
                ));
            }
            (Some(_), Some(_)) => {
                return Err(Problem::new(
                    ProblemCode::BadRequest,
                    "A pause has a length or an end, not both: give for_ms or until_ms.",
                ));
            }
        };
        let event = match &request.gpu {
            None => Event::Pause(pause),
            Some(gpu) if self.machine.gpu(gpu).is_some() => Event::PauseGpu(gpu.clone(), pause),
            Some(gpu) => {
                return Err(Problem::new(
                    ProblemCode::NotFound,
                    format!(
                        "There is no GPU {gpu} in this machine; `sublet gpus` lists those there are."
                    ),
                ));
            }
        };
        self.take(event).await;
        self.stored_or_problem()?;
        Ok(PauseView {
            until_ms: pause.until_wall_ms,
        })
    }

    fn today(&mut self) -> Result<MicroUsd, Problem> {
        let now_ms = self.clock.now().wall_ms;
        let fresh = now_ms.abs_diff(self.today.read_at_ms) < TODAY_KEEPS_MS;
        if !fresh {
            let net = self.store.earned_today(now_ms).map_err(internal)?;
            self.today = Today {
                net,
                read_at_ms: now_ms,
            };
        }
        Ok(self.today.net)
    }

    fn status(&mut self) -> Result<Status, Problem> {
        let today = self.today()?;
        let facts = self.facts();
        let decision = self.decide(&facts);
        let infos = self.machine.infos();
        Ok(Status {
            sentence: sentence::sentence(&decision, &infos, today),
            state: decision.state,
            version: VERSION.to_owned(),
            rig: self.keys.rig_id.clone(),
            market: MarketView {
                url: self.options.market.clone(),
                connected: self.market.connected,
                last_answer_ms: self.market_wall_ms,
                fee: self.market.fee,
                problem: self.market.problem.clone(),
            },
            gpus: self.gpu_views(&facts, decision.gpus),
            leases: open_leases(&self.memory, |lease| self.lease_view(lease)),
            pause: self.memory.pause.map(|pause| PauseView {
                until_ms: pause.until_wall_ms,
            }),
            today,
            sandbox: match &self.engine {
                Engine::Here { facts, .. } => Some(facts.clone()),
                _ => None,
            },
            set_up: facts.set_up,
        })
    }

    fn decide(&self, facts: &Facts) -> Decision {
        let settings = &self.settings.good.settings;
        policy::decide(&self.memory, settings, facts, self.clock.now())
    }

    fn gpu_views(&self, facts: &Facts, decided: Vec<GpuDecision>) -> Vec<GpuView> {
        let settings = &self.settings.good.settings;
        let telemetry = self.machine.telemetry(std::time::Instant::now());
        let gpus = facts.gpus.iter().cloned();
        gpus.zip(decided)
            .map(|(gpu, decided)| GpuView {
                telemetry: telemetry.iter().find(|t| t.gpu == gpu.info.id).cloned(),
                floor: settings.gpu(&gpu.info.id).floor,
                hot_c: (!gpu.info.software).then(|| {
                    let heat = settings.gpu(&gpu.info.id).heat;
                    policy::heat::bounds(heat, gpu.slowdown_c).hot_c
                }),
                pause: self.memory.pauses.get(&gpu.info.id).map(|pause| PauseView {
                    until_ms: pause.until_wall_ms,
                }),
                info: gpu.info,
                state: decided.state,
                reasons: decided.reasons,
            })
            .collect()
    }

    fn lease_view(&self, lease: &Lease) -> LeaseView {
        let now = self.clock.now();
        let used_ms = lease.used_ms(now);
        let grant = &lease.grant;
        LeaseView {
            lease: lease.id().clone(),
            job: grant.job.clone(),
            name: grant.spec.name.clone(),
            image: grant.spec.image.to_string(),
            gpus: grant.gpus.clone(),
            state: match lease.state() {
                // What the marketplace told us is no news to it, but to its owner.
                LeaseState::Finished if lease.settled => LeaseState::Settled,
                state => state,
            },
            price: grant.price,
            used_ms,
            earned: grant.fee.net(grant.price.cost(used_ms)),
            progress_permille: lease.progress_permille,
            granted_at_ms: lease.granted_at_ms,
            ending: lease.ending.clone(),
            reason: lease.reason.clone(),
            may_reach: reach(lease),
            reach: Some(Reach {
                memory_bytes: grant.spec.memory_bytes,
                cpu_milli: grant.spec.cpu_milli,
                folder: grant.spec.output_folder().map(ToOwned::to_owned),
            }),
            transfer: self.work.transfer(lease.id()),
        }
    }

    fn jobs(&self) -> Result<Jobs, Problem> {
        let mut leases = open_leases(&self.memory, |lease| self.lease_view(lease));
        for json in self.store.archived(HISTORY).map_err(internal)? {
            let lease: Lease = serde_json::from_str(&json).map_err(|error| {
                Problem::new(
                    ProblemCode::Internal,
                    format!("A job of the history could not be read: {error}"),
                )
            })?;
            leases.push(self.lease_view(&lease));
        }
        leases.sort_by_key(|lease| std::cmp::Reverse(lease.granted_at_ms));
        Ok(Jobs { leases })
    }

    fn log(&self, lease: &LeaseId, lines: u32) -> Result<String, Problem> {
        self.work.log_tail(lease, lines).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Problem::new(
                ProblemCode::NotFound,
                format!("There is no output of {lease} on this machine; `sublet jobs` lists the jobs there are."),
            ),
            _ => Problem::new(ProblemCode::Internal, format!("The output of {lease} could not be read: {error}")),
        })
    }

    fn wallet(&self) -> Result<Wallet, Problem> {
        let mut wallet = self
            .store
            .wallet(self.clock.now().wall_ms)
            .map_err(internal)?;
        wallet.payout_address = Some(self.keys.payout_address.clone());
        Ok(wallet)
    }

    fn examine(&self, answer: Answer<Doctor>) {
        let inside = examine::Inside {
            facts: self.facts(),
            problems: self.machine.problems.clone(),
            market_url: self.options.market.clone(),
            audit: self.store.audit(),
            keys_in: self.keys.kept_in.to_string(),
        };
        let (data, graphics) = (self.options.data.clone(), self.graphics.clone());
        tokio::spawn(async move {
            let observed = doctor::observe(&data, &graphics, Some(VERSION.to_owned())).await;
            let mut found = doctor::diagnose(&observed);
            found.checks.extend(examine::checks(&inside));
            reply(answer, Ok(found));
        });
    }
}

/// A caller that gave up waiting is no error of ours.
pub(super) fn reply<T>(answer: Answer<T>, result: Result<T, Problem>) {
    let _ = answer.send(result);
}

pub(super) fn internal(error: crate::store::StoreError) -> Problem {
    Problem::new(ProblemCode::Internal, error.to_string())
}

fn open_leases<T>(memory: &Memory, view: impl Fn(&Lease) -> T) -> Vec<T> {
    memory.leases.values().map(view).collect()
}

fn memory(bytes: u64) -> String {
    match bytes >> 20 {
        mib if mib >= 1024 && mib % 1024 == 0 => format!("{} GiB of memory", mib / 1024),
        mib => format!("{mib} MiB of memory"),
    }
}

fn cores(milli: u32) -> String {
    if milli == 1000 {
        return "1 CPU core".to_owned();
    }
    let text = format!("{}.{:03}", milli / 1000, milli % 1000);
    let shown = text.trim_end_matches('0').trim_end_matches('.');
    format!("{shown} CPU cores")
}

/// What a job may reach, in words, from its terms.
fn reach(lease: &Lease) -> Vec<String> {
    let spec = &lease.grant.spec;
    let gpus = &lease.grant.gpus;
    let mut reach = vec![
        "no network".to_owned(),
        memory(spec.memory_bytes),
        cores(spec.cpu_milli),
    ];
    reach.extend(
        spec.output_folder()
            .map(|folder| format!("its own folder {folder}")),
    );
    reach.extend(gpus.iter().map(|gpu| format!("GPU {gpu}")));
    reach
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_job_may_reach_is_said_in_plain_figures() {
        assert_eq!(cores(1000), "1 CPU core");
        assert_eq!(cores(1500), "1.5 CPU cores");
        assert_eq!(cores(20_000), "20 CPU cores");
        assert_eq!(cores(125), "0.125 CPU cores");
        assert_eq!(memory(2 << 30), "2 GiB of memory");
        assert_eq!(memory(1536 << 20), "1536 MiB of memory");
    }
}
