//! A small world for tests: one card, one software adapter, everything fine; and a driver that plays the outside.

use crate::event::{Event, News};
use crate::facts::{
    Aged, Docker, Facts, GpuFacts, GpuUser, MachineFacts, MarketFacts, Moment, OwnerFacts, Power,
    Sensed, Session, Touch,
};
use crate::{Effect, Memory, Settings, step};
use sublet_protocol::gpu::{BenchScore, GpuInfo, GpuVendor};
use sublet_protocol::heartbeat::{Action, Command, StopWhy};
use sublet_protocol::ids::{GpuId, JobId, LeaseId};
use sublet_protocol::job;
use sublet_protocol::lease::{Checkpoint, LeaseGrant, Output};
use sublet_protocol::money::{BasisPoints, HourlyPrice, MicroUsd};
use sublet_protocol::offer::{HostLimits, SandboxFacts};

pub fn gpu_id(text: &str) -> GpuId {
    GpuId::new(text).unwrap()
}

pub fn lease_id(text: &str) -> LeaseId {
    LeaseId::new(text).unwrap()
}

pub fn card(id: &str, software: bool) -> GpuFacts {
    GpuFacts {
        info: GpuInfo {
            id: gpu_id(id),
            name: if software { "llvmpipe" } else { "RTX 4090" }.into(),
            vendor: if software {
                GpuVendor::Software
            } else {
                GpuVendor::Nvidia
            },
            software,
            memory_bytes: Some(24 << 30),
            driver: Some("1".into()),
            pci: None,
            score: Some(BenchScore {
                score: 1000,
                fp32_mflops: 1,
                bandwidth_mb_s: 1,
            }),
        },
        sensed: (!software).then_some(Sensed {
            temperature_c: Some(50),
            memory_used_bytes: Some(700 << 20),
            unclaimed_bytes: Some(512 << 20),
            users: Some(Vec::new()),
            ..Sensed::default()
        }),
        problem: None,
        power_range: None,
        slowdown_c: None,
    }
}

/// Somebody else's program on a GPU.
pub fn game() -> GpuUser {
    GpuUser {
        name: "a-game".into(),
        pid: 7,
        memory_bytes: Some(4 << 30),
        load_percent: Some(60),
        computes: false,
    }
}

pub fn fine() -> Facts {
    Facts {
        gpus: vec![card("gpu-a", false), card("gpu-b", false)],
        docker: Docker::Here(SandboxFacts::default()),
        market: MarketFacts {
            connected: true,
            last_answer_boot_ms: Some(0),
            problem: None,
            fee: None,
            best_order: None,
        },
        owner: OwnerFacts {
            touch: Some(Aged::now(Touch::NoSeat)),
            session: Some(Aged::now(Session::default())),
            watching: Some(Aged::now(Vec::new())),
        },
        machine: MachineFacts {
            power: Some(Aged::now(Power::Mains)),
            metered: Some(Aged::now(false)),
        },
        programs: Some(Aged::now(Vec::new())),
        utc_offset_s: 0,
        host: HostLimits {
            cpu_milli: 8_000,
            memory_bytes: 16 << 30,
            output_bytes: 1 << 30,
            disk_bytes: None,
            longest_ms: None,
        },
        set_up: true,
        settings_problem: None,
        ledger_problem: None,
        owner_needed: None,
    }
}

pub const PRICE: HourlyPrice = HourlyPrice(MicroUsd(360_000));

pub fn grant(lease: &str, gpu: &str) -> LeaseGrant {
    let text = format!(
        "services:\n  a:\n    image: r/a@sha256:{}\n    x-sublet: {{max_price_per_hour: 1, outputs: [/out/a], deadline: 10m}}\n",
        "0".repeat(64)
    );
    LeaseGrant {
        lease: lease_id(lease),
        job: JobId::new("job-1").unwrap(),
        gpus: vec![gpu_id(gpu)],
        spec: job::parse(&text).unwrap(),
        price: PRICE,
        fee: BasisPoints::new(500).unwrap(),
        funded_ms: 300_000,
        checkpoint: None,
    }
}

/// As [`grant`], of a job that keeps a checkpoint every minute.
pub fn grant_keeping(lease: &str, gpu: &str) -> LeaseGrant {
    let mut grant = grant(lease, gpu);
    grant.spec.checkpoint = Some(job::CheckpointPlan {
        folder: "/checkpoint".to_owned(),
        interval_ms: 60_000,
    });
    grant
}

/// A checkpoint of a job that had run for so long.
pub fn checkpoint(used_ms: u64) -> Checkpoint {
    Checkpoint {
        cid: sublet_protocol::blob::BlobId::of(&used_ms.to_be_bytes()),
        bytes: 8,
        used_ms,
    }
}

pub fn grant_command(id: u64, grant: LeaseGrant) -> Event {
    Event::Command(Command {
        id,
        action: Action::Grant {
            grant: Box::new(grant),
        },
    })
}

pub fn cancel_command(id: u64, lease: &str) -> Event {
    Event::Command(Command {
        id,
        action: Action::Stop {
            lease: lease_id(lease),
            why: StopWhy::Cancelled,
        },
    })
}

pub fn output() -> Output {
    Output {
        path: "/out/a".into(),
        cid: sublet_protocol::blob::BlobId::of(b"a"),
        bytes: 1,
    }
}

/// Memory, facts and a clock, moved by events.
pub struct World {
    pub memory: Memory,
    pub settings: Settings,
    pub facts: Facts,
    pub now: Moment,
}

impl World {
    /// Everything fine, reconciled and settled.
    pub fn new() -> Self {
        let mut world = Self {
            memory: Memory::default(),
            settings: Settings::default(),
            facts: fine(),
            now: Moment {
                mono_ms: 1_000,
                boot_ms: 1_000,
                wall_ms: 1_700_000_000_000,
            },
        };
        world.send(Event::Tick);
        world.skip(world.settings.settle_ms);
        world.send(Event::SessionOpened { fence_ms: 72_000 });
        world.send(Event::Reconciled(Vec::new()));
        world
    }

    pub fn send(&mut self, event: Event) -> Vec<Effect> {
        let (memory, effects) = step(
            self.memory.clone(),
            &self.settings,
            &self.facts,
            event,
            self.now,
        );
        self.memory = memory;
        effects
            .into_iter()
            .filter(|e| *e != Effect::Report)
            .collect()
    }

    /// Moves every clock on.
    pub fn skip(&mut self, ms: u64) {
        self.now.mono_ms += ms;
        self.now.boot_ms += ms;
        self.now.wall_ms += ms;
    }

    /// Lets time go by with the marketplace answering, in steps that are no sleep.
    pub fn pass(&mut self, ms: u64) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut left = ms;
        loop {
            let step = left.min(crate::policy::GAP_MS);
            self.skip(step);
            self.facts.market.last_answer_boot_ms = Some(self.now.boot_ms);
            effects.extend(self.send(Event::Tick));
            left -= step;
            if left == 0 {
                return effects;
            }
        }
    }

    pub fn news(&mut self, lease: &str, news: News) -> Vec<Effect> {
        self.send(Event::Container {
            lease: lease_id(lease),
            news,
        })
    }

    pub fn lease(&self, lease: &str) -> &crate::lease::Lease {
        &self.memory.leases[&lease_id(lease)]
    }

    /// Takes a lease all the way to running.
    pub fn run(&mut self, lease: &str, gpu: &str) {
        self.run_grant(grant(lease, gpu));
    }

    /// As [`Self::run`], on these terms.
    pub fn run_grant(&mut self, grant: LeaseGrant) {
        let lease = grant.lease.to_string();
        let id = self.memory.commands_seen + 1;
        self.send(grant_command(id, grant));
        self.news(&lease, News::Pulled);
        self.news(&lease, News::Started);
        assert_eq!(self.lease(&lease).stage, crate::lease::Stage::Running);
    }

    /// The outside stops a lease as it is asked to, and its GPUs' memory is seen free.
    pub fn go(&mut self, lease: &str) {
        self.news(lease, News::Frozen);
        self.news(lease, News::Killed);
        self.news(lease, News::Removed);
        for gpu in self.lease(lease).grant.gpus.clone() {
            let news = crate::event::GpuNews::Freed { after_ms: 1 };
            self.send(Event::Gpu { gpu, news });
        }
    }
}
