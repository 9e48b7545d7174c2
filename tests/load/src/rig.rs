//! One rig under load: its key, its session, perhaps its lease, and its next heartbeat.

use crate::wire::{Call, Wire};
use anyhow::{Context, bail};
use ed25519_dalek::SigningKey;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use sublet_protocol::gpu::{GpuInfo, GpuVendor, Telemetry};
use sublet_protocol::heartbeat::{Action, Heartbeat, HeartbeatReply, LeaseReport};
use sublet_protocol::ids::{GpuId, LeaseId, RigId};
use sublet_protocol::keys::{RigKey, rig_id};
use sublet_protocol::lease::LeaseState;
use sublet_protocol::money::{HourlyPrice, MicroUsd};
use sublet_protocol::offer::{GpuOffer, HostLimits, Offer, SandboxFacts};
use sublet_protocol::reason::{Reason, ReasonCode, RigState};
use sublet_protocol::session::{Challenge, ChallengeRequest, Session, SessionRequest};
use sublet_protocol::usage::SignedUsage;

/// A rig and its connection.
pub struct Rig {
    wire: Wire,
    key: SigningKey,
    id: RigId,
    audience: String,
    token: String,
    path: String,
    epoch: u64,
    seq: u64,
    gpu: GpuId,
    commands_seen: u64,
    lease: Option<(LeaseId, Instant)>,
    /// An idle rig's whole request, of which only the number changes; made with the first heartbeat.
    idle: Option<Prepared>,
}

/// A request whose heartbeat's `seq` stands at a known place, always with as many digits.
struct Prepared {
    request: Vec<u8>,
    seq_at: usize,
}

/// Where counting begins, so that `seq` keeps its number of digits.
const FIRST_SEQ: u64 = 1_000_000_000;

impl Rig {
    /// Connects. The key follows from `number`, so two runs are the same.
    pub async fn connect(address: SocketAddr, number: usize) -> anyhow::Result<Self> {
        let mut seed = [1; 32];
        seed[..8].copy_from_slice(&number.to_be_bytes());
        let key = SigningKey::from_bytes(&seed);
        let id = rig_id(&RigKey::of(&key));
        Ok(Self {
            wire: Wire::connect(address).await?,
            key,
            path: format!("/v1/rigs/{id}"),
            id,
            audience: String::new(),
            token: "none".to_owned(),
            epoch: 1,
            seq: FIRST_SEQ,
            gpu: GpuId::new(format!("gpu-{number}"))?,
            commands_seen: 0,
            lease: None,
            idle: None,
        })
    }

    /// Proves itself to a marketplace.
    pub async fn open_session(&mut self) -> anyhow::Result<()> {
        let rig_key = RigKey::of(&self.key);
        let request = ChallengeRequest { rig_key };
        let challenge: Challenge = self
            .wire
            .ask("POST", "/v1/challenges", "none", &request)
            .await?;
        let answer = SessionRequest::answer(&self.key, &challenge, "load");
        let session: Session = self
            .wire
            .ask("POST", "/v1/sessions", "none", &answer)
            .await?;
        self.audience = session.audience;
        self.token = session.token;
        self.epoch = session.epoch;
        Ok(())
    }

    /// Offers its GPU, and heartbeats until it has a lease on it.
    pub async fn take_a_lease(&mut self) -> anyhow::Result<()> {
        let offer = serde_json::to_vec(&self.offer())?;
        let path = format!("{}/offer", self.path);
        let call = Call {
            method: "PUT",
            path: &path,
            token: &self.token,
            kind: "application/json",
        };
        self.wire.exchange(&call, &offer).await?;
        let until = Instant::now() + Duration::from_secs(30);
        while self.lease.is_none() {
            if Instant::now() > until {
                bail!("no lease came within 30 s");
            }
            let beat = self.next_beat();
            let path = format!("{}/heartbeat", self.path);
            let reply: HeartbeatReply = self.wire.ask("POST", &path, &self.token, &beat).await?;
            for command in reply.commands {
                self.commands_seen = command.id;
                if let Action::Grant { grant } = command.action {
                    self.lease = Some((grant.lease, Instant::now()));
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Sends the next heartbeat and waits for its answer. The answer's status is looked at, its body is not parsed:
    /// that is the rig's own work.
    pub async fn beat(&mut self) -> anyhow::Result<()> {
        if self.lease.is_some() {
            // A new meter reading, newly signed.
            let request = self.request()?;
            self.wire.send(&request).await?;
            return Ok(());
        }
        if let Some(prepared) = &mut self.idle {
            self.seq += 1;
            let digits = self.seq.to_string();
            let place = prepared.seq_at..prepared.seq_at + digits.len();
            prepared.request[place].copy_from_slice(digits.as_bytes());
        } else {
            self.idle = Some(self.prepare()?);
        }
        if let Some(prepared) = &self.idle {
            self.wire.send(&prepared.request).await?;
        }
        Ok(())
    }

    fn prepare(&mut self) -> anyhow::Result<Prepared> {
        let request = self.request()?;
        let (name, field) = ("\"seq\":", format!("\"seq\":{}", self.seq));
        let field_at = request
            .windows(field.len())
            .position(|window| window == field.as_bytes())
            .context("a heartbeat holds its seq")?;
        Ok(Prepared {
            request,
            seq_at: field_at + name.len(),
        })
    }

    fn request(&mut self) -> anyhow::Result<Vec<u8>> {
        let beat = serde_json::to_vec(&self.next_beat())?;
        let path = format!("{}/heartbeat", self.path);
        let call = Call {
            method: "POST",
            path: &path,
            token: &self.token,
            kind: "application/json",
        };
        Ok(call.request(&beat))
    }

    fn next_beat(&mut self) -> Heartbeat {
        self.seq += 1;
        let report = |(lease, since): &(LeaseId, Instant)| {
            let used_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            LeaseReport {
                lease: lease.clone(),
                state: LeaseState::Running,
                usage: SignedUsage::new(&self.key, &self.audience, &self.id, lease, used_ms),
                progress_permille: Some(250),
                ending: None,
                checkpoint: None,
                transfer: None,
            }
        };
        let leases: Vec<_> = self.lease.iter().map(report).collect();
        let idle = leases.is_empty();
        let reason = Reason::new(
            ReasonCode::NoDemand,
            "No job asked for this GPU yet.",
            "The next one that fits starts by itself.",
        );
        Heartbeat {
            epoch: self.epoch,
            seq: self.seq,
            sent_at_ms: now_ms(),
            state: if idle {
                RigState::Ready
            } else {
                RigState::Renting
            },
            reasons: if idle { vec![reason] } else { Vec::new() },
            gpus: vec![Telemetry {
                gpu: self.gpu.clone(),
                temperature_c: Some(41),
                power_mw: Some(23_500),
                power_limit_mw: Some(450_000),
                load_percent: Some(0),
                memory_used_bytes: Some(512 << 20),
                fan_percent: Some(30),
                age_ms: 400,
                problem: None,
            }],
            leases,
            commands_seen: self.commands_seen,
        }
    }

    fn offer(&self) -> Offer {
        Offer {
            epoch: self.epoch,
            gpus: vec![GpuOffer {
                gpu: GpuInfo {
                    id: self.gpu.clone(),
                    name: "Load GPU".to_owned(),
                    vendor: GpuVendor::Other,
                    software: false,
                    memory_bytes: Some(8 << 30),
                    driver: None,
                    pci: None,
                    score: None,
                },
                floor: HourlyPrice(MicroUsd(100_000)),
            }],
            limits: HostLimits {
                cpu_milli: 4_000,
                memory_bytes: 8 << 30,
                output_bytes: 1 << 30,
                disk_bytes: None,
                longest_ms: None,
            },
            sandbox: SandboxFacts::default(),
            work: Default::default(),
        }
    }
}

fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}
