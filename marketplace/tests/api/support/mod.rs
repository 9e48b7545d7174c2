//! A marketplace to test, a rig and a renter to test it with.

mod rig;

pub use rig::{TestRig, answer_challenge, challenge, now_ms, output};

use reqwest::{Client, Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use sublet_market::app::{Config, Timing};
use sublet_market::serve::{Market, Serving};
use sublet_protocol::ids::JobId;
use sublet_protocol::money::BasisPoints;
use sublet_protocol::problem::{Problem, ProblemCode};
use sublet_protocol::renter::{AccountView, JobView, Submitted};
use sublet_protocol::voucher::VoucherDomain;

pub const AUDIENCE: &str = "market.test";
pub const IMAGE: &str =
    "registry.test/tracer@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// The program under test.
pub fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_sublet-market"))
}

/// Runs it to its end.
pub fn run(arguments: &[&str]) -> std::process::Output {
    program().args(arguments).output().unwrap()
}

pub fn http() -> Client {
    // The first one holds.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .timeout(Duration::from_secs(40))
        .build()
        .unwrap()
}

pub fn config(data: &Path, timing: Timing) -> Config {
    Config {
        data: data.to_owned(),
        audience: AUDIENCE.into(),
        fee: BasisPoints::new(500).unwrap(),
        voucher_domain: VoucherDomain {
            name: "Sublet".into(),
            version: "1".into(),
            chain_id: 31337,
            contract: "0x0000000000000000000000000000000000000000".into(),
        },
        timing,
        largest_blob: 1 << 20,
        longest_log: 1 << 20,
    }
}

/// Short enough for tests, long enough for two busy cores.
pub fn quick() -> Timing {
    Timing {
        heartbeat_ms: 100,
        suspect_ms: 1_000,
        lost_ms: 2_000,
        accept_ms: 1_000,
        ..Timing::default()
    }
}

/// A marketplace in this process.
pub struct TestMarket {
    pub folder: tempfile::TempDir,
    pub url: String,
    timing: Timing,
    serving: Option<Serving>,
}

impl TestMarket {
    pub async fn start() -> Self {
        Self::with(Timing::default()).await
    }

    pub async fn with(timing: Timing) -> Self {
        let mut market = Self {
            folder: tempfile::tempdir().unwrap(),
            url: String::new(),
            timing,
            serving: None,
        };
        market.open().await;
        market
    }

    async fn open(&mut self) {
        let market = Market::open(config(self.folder.path(), self.timing))
            .await
            .unwrap();
        let serving = market.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
        self.url = format!("http://{}", serving.address);
        self.serving = Some(serving);
    }

    /// Closes it in order, and opens it again on the same folder, at another address.
    pub async fn restart(&mut self) {
        self.serving.take().unwrap().close().await;
        self.open().await;
    }

    /// A renter with money, topped up beside the running server.
    pub fn renter(&self, name: &str, usd: &str) -> Renter {
        Renter::with(self.folder.path(), &self.url, name, usd)
    }

    pub async fn rig(&self, seed: u8) -> TestRig {
        TestRig::connect(&self.url, seed).await
    }

    /// Checks what must always hold of the ledger.
    pub async fn audit(&self) {
        audit(self.folder.path()).await;
    }
}

/// Checks what must always hold of a ledger: see the statements.
pub async fn audit(data: &Path) {
    let pool = sublet_market::db::readers(&data.join("market.sqlite"))
        .await
        .unwrap();
    for (what, query) in sublet_market::ledger::audit::RULES {
        let broken: Vec<String> = sqlx::query_scalar(*query).fetch_all(&pool).await.unwrap();
        assert!(broken.is_empty(), "{what}: {broken:?}");
    }
    pool.close().await;
}

/// A renter with a token.
pub struct Renter {
    pub name: String,
    pub token_file: PathBuf,
    data: PathBuf,
    url: String,
    http: Client,
}

impl Renter {
    pub fn with(data: &Path, url: &str, name: &str, usd: &str) -> Self {
        let renter = Self {
            name: name.into(),
            token_file: data.join("renters").join(format!("{name}.token")),
            data: data.to_owned(),
            url: url.into(),
            http: http(),
        };
        renter.top_up(usd);
        renter
    }

    pub fn top_up(&self, usd: &str) {
        let data = self.data.to_str().unwrap();
        let output = run(&["topup", &self.name, usd, "--data", data]);
        assert!(output.status.success(), "{output:?}");
    }

    /// Speaks to a server that came back at another address.
    pub fn moved_to(&mut self, url: &str) {
        self.url = url.into();
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let token = std::fs::read_to_string(&self.token_file).unwrap();
        self.http
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(token.trim())
    }

    pub async fn submit(&self, yaml: &str) -> Result<JobId, Problem> {
        let request = self.request(Method::POST, "/v1/jobs").body(yaml.to_owned());
        let submitted: Submitted = answer(request.send().await.unwrap()).await?;
        Ok(submitted.job)
    }

    pub async fn job(&self, job: &JobId) -> JobView {
        let request = self.request(Method::GET, &format!("/v1/jobs/{job}"));
        answer(request.send().await.unwrap()).await.unwrap()
    }

    pub async fn cancel(&self, job: &JobId) -> Result<JobView, Problem> {
        let request = self.request(Method::DELETE, &format!("/v1/jobs/{job}"));
        answer(request.send().await.unwrap()).await
    }

    pub async fn account(&self) -> AccountView {
        let request = self.request(Method::GET, "/v1/account");
        answer(request.send().await.unwrap()).await.unwrap()
    }

    /// Looks at a job until it is as wanted.
    pub async fn until(&self, job: &JobId, wanted: impl Fn(&JobView) -> bool) -> JobView {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let view = self.job(job).await;
            if wanted(&view) {
                return view;
            }
            assert!(Instant::now() < deadline, "still {view:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A success as its type, anything else as its problem document.
pub async fn answer<T: DeserializeOwned>(response: Response) -> Result<T, Problem> {
    if response.status().is_success() {
        return Ok(response.json().await.unwrap());
    }
    Err(problem(response).await)
}

/// The problem document that a refusal must be.
pub async fn problem(response: Response) -> Problem {
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").cloned();
    assert_eq!(
        kind.as_ref().and_then(|k| k.to_str().ok()),
        Some("application/problem+json"),
        "{status}"
    );
    let problem: Problem = response.json().await.unwrap();
    assert_eq!(problem.status, status);
    assert_ne!(problem.code, ProblemCode::Unknown);
    problem
}

/// A job file: `extra` goes into the `x-sublet` block.
pub fn job(price: &str, extra: &str) -> String {
    format!(
        "services:\n  tracer:\n    image: {IMAGE}\n    x-sublet:\n      max_price_per_hour: {price}\n{extra}"
    )
}
