//! A marketplace at the edge, for tests: the parts of protocol v1 that the client calls, over real HTTP on
//! loopback, with switches for what can go wrong.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use sublet_protocol::blob::{BlobId, UploadPosition};
use sublet_protocol::heartbeat::{Command, CommandBatch, Heartbeat, HeartbeatReply};
use sublet_protocol::keys::{RigKey, rig_id};
use sublet_protocol::money::BasisPoints;
use sublet_protocol::offer::Offer;
use sublet_protocol::problem::{PROBLEM_JSON, Problem, ProblemCode};
use sublet_protocol::renter::{LogAppend, LogPosition};
use sublet_protocol::session::{Challenge, ChallengeRequest, Session, SessionRequest};
use sublet_protocol::voucher::{Channel, VoucherDomain};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What the fake does wrong, and what it saw.
#[derive(Default)]
pub(super) struct Seen {
    pub epoch: u64,
    pub sessions: Vec<SessionRequest>,
    pub beats: Vec<Heartbeat>,
    pub offers: Vec<Offer>,
    pub log: String,
    pub blobs: BTreeMap<String, Vec<u8>>,
    pub uploads: usize,
    /// Bytes of all of them.
    pub uploaded: usize,
    /// What is kept of uploads that broke off.
    pub parts: BTreeMap<String, Vec<u8>>,
    pub user_agents: Vec<String>,
    pub commands: Vec<Command>,
    /// Changes each session before it is sent.
    pub spoil: Option<Spoil>,
    /// Answers the next calls to a path's last segment so, whatever they ask.
    pub answer: HashMap<&'static str, fn() -> Response>,
}

/// A change to a session that makes it worthless.
pub(super) type Spoil = fn(&mut Session);

pub(super) type Shared = Arc<Mutex<Seen>>;

/// A fake that listens. Dropping it closes its socket.
pub(super) struct Fake {
    pub address: SocketAddr,
    pub seen: Shared,
    task: JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), Shared::default()).await
    }

    pub async fn start_at(address: SocketAddr, seen: Shared) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = router(seen.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            seen,
            task,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    pub fn answers(&self, to: &'static str, with: fn() -> Response) {
        self.seen().answer.insert(to, with);
    }
}

pub(super) fn problem(code: ProblemCode) -> Response {
    let problem = Problem::new(code, "as the test wants it");
    let status = StatusCode::from_u16(problem.status).unwrap();
    let body = serde_json::to_string(&problem).unwrap();
    (status, [("content-type", PROBLEM_JSON)], body).into_response()
}

/// A payer whose key is nobody's secret.
pub(super) fn channel(seed: u8, rig: &RigKey) -> Channel {
    let payer = k256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap();
    let domain = VoucherDomain {
        name: "Sublet".into(),
        version: "1".into(),
        chain_id: 31337,
        contract: "0x00000000000000000000000000000000000000aa".into(),
    };
    Channel::between(&payer, rig, domain)
}

pub(super) fn session_for(rig_key: &RigKey, epoch: u64) -> Session {
    Session {
        rig: rig_id(rig_key),
        token: format!("token-{epoch}"),
        epoch,
        audience: "fake".into(),
        fee: BasisPoints::new(500).unwrap(),
        channel: channel(3, rig_key),
        heartbeat_ms: 15_000,
        fence_ms: 60_000,
    }
}

pub(super) fn reply(next_ms: u64, commands: Vec<Command>) -> HeartbeatReply {
    HeartbeatReply {
        server_time_ms: 1,
        next_ms,
        commands,
        statement: None,
        funding: Vec::new(),
        settled: Vec::new(),
        refused: Vec::new(),
        best_order: None,
    }
}

fn json<T: serde::Serialize>(value: &T) -> Response {
    axum::Json(value).into_response()
}

fn router(seen: Shared) -> Router {
    Router::new()
        .route("/v1/challenges", post(challenge))
        .route("/v1/sessions", post(open))
        .route("/v1/rigs/{rig}/offer", put(offer))
        .route("/v1/rigs/{rig}/heartbeat", post(heartbeat))
        .route("/v1/rigs/{rig}/commands", get(commands))
        .route("/v1/rigs/{rig}/leases/{lease}/logs", post(log))
        .route("/v1/blobs/{cid}", get(blob).put(put_blob))
        .route("/v1/blobs/{cid}/upload", get(upload_position))
        .with_state(seen)
}

/// The switched-on answer, or what stands in the way: a token that is not the newest session's.
fn turned_away(seen: &Seen, call: &str, headers: &HeaderMap) -> Option<Response> {
    if let Some(answer) = seen.answer.get(call) {
        return Some(answer());
    }
    let expected = format!("Bearer token-{}", seen.epoch);
    let given = headers.get("authorization").map(|v| v.as_bytes());
    (given != Some(expected.as_bytes())).then(|| problem(ProblemCode::Unauthorized))
}

async fn challenge(
    State(seen): State<Shared>,
    headers: HeaderMap,
    axum::Json(_): axum::Json<ChallengeRequest>,
) -> Response {
    let mut seen = seen.lock().unwrap();
    let agent = headers.get("user-agent").unwrap().to_str().unwrap();
    seen.user_agents.push(agent.to_owned());
    if let Some(answer) = seen.answer.get("challenges") {
        return answer();
    }
    json(&Challenge {
        challenge: "ab".repeat(32),
        audience: "fake".into(),
        expires_in_ms: 60_000,
    })
}

async fn open(
    State(seen): State<Shared>,
    axum::Json(request): axum::Json<SessionRequest>,
) -> Response {
    let mut seen = seen.lock().unwrap();
    if let Some(answer) = seen.answer.get("sessions") {
        return answer();
    }
    if request.verify("fake").is_err() {
        return problem(ProblemCode::BadSignature);
    }
    seen.epoch += 1;
    let mut session = session_for(&request.rig_key, seen.epoch);
    session.heartbeat_ms = 100;
    if let Some(spoil) = seen.spoil {
        spoil(&mut session);
    }
    seen.sessions.push(request);
    json(&session)
}

async fn offer(
    State(seen): State<Shared>,
    headers: HeaderMap,
    axum::Json(offer): axum::Json<Offer>,
) -> Response {
    let mut seen = seen.lock().unwrap();
    if let Some(answer) = turned_away(&seen, "offer", &headers) {
        return answer;
    }
    seen.offers.push(offer);
    StatusCode::NO_CONTENT.into_response()
}

async fn heartbeat(
    State(seen): State<Shared>,
    headers: HeaderMap,
    axum::Json(beat): axum::Json<Heartbeat>,
) -> Response {
    let mut seen = seen.lock().unwrap();
    if let Some(answer) = turned_away(&seen, "heartbeat", &headers) {
        return answer;
    }
    let waiting = seen.commands.clone();
    seen.beats.push(beat);
    json(&reply(100, waiting))
}

async fn commands(
    State(seen): State<Shared>,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, u64>>,
) -> Response {
    let batch = {
        let seen = seen.lock().unwrap();
        if let Some(answer) = turned_away(&seen, "commands", &headers) {
            return answer;
        }
        let fresh = |command: &&Command| command.id > query["after"];
        CommandBatch {
            commands: seen.commands.iter().filter(fresh).cloned().collect(),
        }
    };
    if batch.commands.is_empty() {
        // The fake's long poll: long enough not to spin, short enough for a test.
        tokio::time::sleep(Duration::from_millis(query["wait_ms"].min(50))).await;
    }
    json(&batch)
}

async fn log(
    State(seen): State<Shared>,
    headers: HeaderMap,
    axum::Json(part): axum::Json<LogAppend>,
) -> Response {
    let mut seen = seen.lock().unwrap();
    if let Some(answer) = turned_away(&seen, "logs", &headers) {
        return answer;
    }
    if part.offset > seen.log.len() as u64 {
        return problem(ProblemCode::Conflict);
    }
    if part.offset == seen.log.len() as u64 {
        seen.log.push_str(&part.text);
    }
    json(&LogPosition {
        next_offset: seen.log.len() as u64,
    })
}

async fn blob(State(seen): State<Shared>, headers: HeaderMap, Path(cid): Path<String>) -> Response {
    let seen = seen.lock().unwrap();
    if let Some(answer) = turned_away(&seen, "blob", &headers) {
        return answer;
    }
    let Some(bytes) = seen.blobs.get(&cid) else {
        return problem(ProblemCode::NotFound);
    };
    let asked = headers.get("range").map(|range| range.to_str().unwrap());
    let from = asked.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
    match from.map(|from| from.parse::<usize>().unwrap()) {
        None => bytes.clone().into_response(),
        Some(from) => {
            let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
            let head = [("content-range", range)];
            (StatusCode::PARTIAL_CONTENT, head, bytes[from..].to_vec()).into_response()
        }
    }
}

async fn upload_position(State(seen): State<Shared>, Path(cid): Path<String>) -> Response {
    let kept = seen.lock().unwrap().parts.get(&cid).map_or(0, Vec::len);
    json(&UploadPosition {
        next_offset: kept as u64,
    })
}

async fn put_blob(
    State(seen): State<Shared>,
    headers: HeaderMap,
    Path(cid): Path<String>,
    bytes: Bytes,
) -> Response {
    let mut seen = seen.lock().unwrap();
    if let Some(answer) = turned_away(&seen, "blob", &headers) {
        return answer;
    }
    seen.uploads += 1;
    seen.uploaded += bytes.len();
    let mut whole = seen.parts.remove(&cid).unwrap_or_default();
    let part = headers
        .get("content-range")
        .map(|part| part.to_str().unwrap());
    let from = part.and_then(|part| part.strip_prefix("bytes ")?.split_once('-'));
    whole.truncate(from.map_or(0, |(from, _)| from.parse().unwrap()));
    whole.extend_from_slice(&bytes);
    if BlobId::of(&whole).to_string() != cid {
        return problem(ProblemCode::CidMismatch);
    }
    seen.blobs.insert(cid, whole);
    StatusCode::CREATED.into_response()
}
