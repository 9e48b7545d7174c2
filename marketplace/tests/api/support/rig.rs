//! A rig of three lines: it signs its challenge, its usage, and says whatever the test wants it to.

use super::{answer, http, problem};
use ed25519_dalek::SigningKey;
use reqwest::{Client, Method, RequestBuilder, Response};
use std::time::{SystemTime, UNIX_EPOCH};
use sublet_protocol::blob::BlobId;
use sublet_protocol::gpu::{BenchScore, GpuInfo, GpuVendor, Telemetry};
use sublet_protocol::heartbeat::{
    Action, Command, CommandBatch, Heartbeat, HeartbeatReply, LeaseReport,
};
use sublet_protocol::ids::{GpuId, LeaseId};
use sublet_protocol::keys::RigKey;
use sublet_protocol::lease::{EndCode, Ending, LeaseGrant, LeaseState, Output};
use sublet_protocol::money::{HourlyPrice, MicroUsd};
use sublet_protocol::offer::{GpuOffer, HostLimits, Offer, SandboxFacts};
use sublet_protocol::problem::Problem;
use sublet_protocol::reason::RigState;
use sublet_protocol::session::{Challenge, ChallengeRequest, Session, SessionRequest};
use sublet_protocol::usage::SignedUsage;

pub struct TestRig {
    pub key: SigningKey,
    pub session: Session,
    pub seq: u64,
    pub commands_seen: u64,
    /// What the rig holds already; every statement is checked against it.
    pub held: MicroUsd,
    pub url: String,
    http: Client,
}

pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

impl TestRig {
    pub async fn connect(url: &str, seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let http = http();
        let session = open(&http, url, &key).await.unwrap();
        session.channel.check(&RigKey::of(&key)).unwrap();
        Self {
            key,
            session,
            seq: 0,
            commands_seen: 0,
            held: MicroUsd::ZERO,
            url: url.into(),
            http,
        }
    }

    /// A new session, perhaps with a server that came back at another address.
    pub async fn reconnect(&mut self, url: &str) {
        self.url = url.into();
        self.session = open(&self.http, url, &self.key).await.unwrap();
        self.seq = 0;
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(&self.session.token)
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/v1/rigs/{}/{rest}", self.session.rig)
    }

    /// GPUs with a name and a floor price in micro-USD an hour.
    pub async fn offer(&self, gpus: &[(&str, u64)]) {
        let offer = Offer {
            epoch: self.session.epoch,
            gpus: gpus.iter().map(|(name, floor)| gpu(name, *floor)).collect(),
            limits: HostLimits {
                cpu_milli: 2_000,
                memory_bytes: 4 << 30,
                output_bytes: 1 << 30,
                disk_bytes: None,
                longest_ms: None,
            },
            sandbox: SandboxFacts::default(),
            work: Default::default(),
        };
        let request = self.request(Method::PUT, &self.path("offer")).json(&offer);
        let response = request.send().await.unwrap();
        assert_eq!(
            response.status().as_u16(),
            204,
            "{:?}",
            response.text().await
        );
    }

    pub fn heartbeat(&mut self, leases: Vec<LeaseReport>) -> Heartbeat {
        self.seq += 1;
        Heartbeat {
            epoch: self.session.epoch,
            seq: self.seq,
            sent_at_ms: now_ms(),
            state: RigState::Ready,
            reasons: Vec::new(),
            gpus: vec![Telemetry {
                gpu: GpuId::new("gpu-a").unwrap(),
                temperature_c: Some(61),
                power_mw: None,
                power_limit_mw: None,
                load_percent: Some(97),
                memory_used_bytes: None,
                fan_percent: None,
                age_ms: 5,
                problem: None,
            }],
            leases,
            commands_seen: self.commands_seen,
        }
    }

    pub async fn send(&self, beat: &Heartbeat) -> Result<HeartbeatReply, Problem> {
        let request = self
            .request(Method::POST, &self.path("heartbeat"))
            .json(beat);
        answer(request.send().await.unwrap()).await
    }

    /// A heartbeat with these reports; its statement must verify and never promise less than the one before.
    pub async fn beat(&mut self, leases: Vec<LeaseReport>) -> HeartbeatReply {
        let beat = self.heartbeat(leases);
        let reply = self.send(&beat).await.unwrap();
        if let Some(statement) = &reply.statement {
            self.session
                .channel
                .verify(&statement.voucher, self.held)
                .unwrap();
            self.held = statement.voucher.amount;
        }
        reply
    }

    /// The same, where nothing may be refused.
    pub async fn report(
        &mut self,
        lease: &LeaseId,
        state: LeaseState,
        used_ms: u64,
    ) -> HeartbeatReply {
        let report = self.says(lease, state, used_ms);
        let reply = self.beat(vec![report]).await;
        assert_eq!(reply.refused, []);
        reply
    }

    pub fn says(&self, lease: &LeaseId, state: LeaseState, used_ms: u64) -> LeaseReport {
        let usage = SignedUsage::new(
            &self.key,
            &self.session.audience,
            &self.session.rig,
            lease,
            used_ms,
        );
        LeaseReport {
            lease: lease.clone(),
            state,
            usage,
            progress_permille: None,
            ending: None,
            checkpoint: None,
            transfer: None,
        }
    }

    pub fn ends(
        &self,
        lease: &LeaseId,
        state: LeaseState,
        used_ms: u64,
        code: EndCode,
        outputs: Vec<Output>,
    ) -> LeaseReport {
        LeaseReport {
            ending: Some(Ending {
                code,
                exit_code: None,
                message: "As the test wants it.".into(),
                outputs,
            }),
            ..self.says(lease, state, used_ms)
        }
    }

    /// Commands by long poll, above those taken in already.
    pub async fn poll(&self, wait_ms: u64) -> Vec<Command> {
        let path = self.path("commands");
        let query = [("after", self.commands_seen), ("wait_ms", wait_ms)];
        let request = self.request(Method::GET, &path).query(&query);
        let batch: CommandBatch = answer(request.send().await.unwrap()).await.unwrap();
        batch.commands
    }

    /// Waits for the next command, and takes it in.
    pub async fn command(&mut self) -> Action {
        let commands = self.poll(20_000).await;
        let first = commands.into_iter().next().expect("a command in time");
        self.commands_seen = first.id;
        first.action
    }

    /// Waits for a lease.
    pub async fn granted(&mut self) -> LeaseGrant {
        match self.command().await {
            Action::Grant { grant } => *grant,
            other => panic!("a grant was expected, not {other:?}"),
        }
    }

    pub async fn put(&self, cid: &BlobId, bytes: &[u8]) -> Result<(), Problem> {
        let request = self.request(Method::PUT, &format!("/v1/blobs/{cid}"));
        let response: Response = request.body(bytes.to_vec()).send().await.unwrap();
        if response.status().as_u16() == 204 {
            return Ok(());
        }
        Err(problem(response).await)
    }

    /// Uploads, and names it as an output.
    pub async fn output(&self, path: &str, bytes: &[u8]) -> Output {
        let cid = BlobId::of(bytes);
        self.put(&cid, bytes).await.unwrap();
        output(path, bytes)
    }
}

pub fn output(path: &str, bytes: &[u8]) -> Output {
    Output {
        path: path.into(),
        cid: BlobId::of(bytes),
        bytes: bytes.len() as u64,
    }
}

fn gpu(name: &str, floor: u64) -> GpuOffer {
    GpuOffer {
        gpu: GpuInfo {
            id: GpuId::new(name).unwrap(),
            name: format!("Test {name}"),
            vendor: GpuVendor::Nvidia,
            software: false,
            memory_bytes: Some(8 << 30),
            driver: None,
            pci: None,
            score: Some(BenchScore {
                score: 100,
                fp32_mflops: 1,
                bandwidth_mb_s: 1,
            }),
        },
        floor: HourlyPrice(MicroUsd(floor)),
    }
}

pub async fn challenge(http: &Client, url: &str, key: &SigningKey) -> Challenge {
    let request = ChallengeRequest {
        rig_key: RigKey::of(key),
    };
    let request = http.post(format!("{url}/v1/challenges")).json(&request);
    answer(request.send().await.unwrap()).await.unwrap()
}

pub async fn answer_challenge(
    http: &Client,
    url: &str,
    request: &SessionRequest,
) -> Result<Session, Problem> {
    let request = http.post(format!("{url}/v1/sessions")).json(request);
    answer(request.send().await.unwrap()).await
}

async fn open(http: &Client, url: &str, key: &SigningKey) -> Result<Session, Problem> {
    let challenge = challenge(http, url, key).await;
    let request = SessionRequest::answer(key, &challenge, "test 1.0");
    answer_challenge(http, url, &request).await
}
