//! The client side of the local API, for the command line.

use super::{DOCTOR_WITHIN, Endpoint, PREVIEW_WITHIN};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use sublet_protocol::ids::{GpuId, LeaseId};
use sublet_protocol::local::history::History;
use sublet_protocol::local::settings::{
    SettingsChange, SettingsPreview, SettingsPut, SettingsView,
};
use sublet_protocol::local::{
    BenchView, Doctor, Gpus, Jobs, PauseRequest, PauseView, Status, Wallet,
};
use sublet_protocol::problem::{Problem, ProblemCode};

/// Longer than the server's own patience, so that its answer ("too busy") wins.
const CALL_WITHIN: Duration = Duration::from_secs(10);

/// An answer longer than this is not one of ours.
const ANSWER_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens for this data folder.
    #[error("the agent is not running for this data folder (nothing answers at {0})")]
    NotRunning(PathBuf),
    /// The agent is another user's.
    #[error("the agent at {0} belongs to another user: run this as that user, or as root")]
    NotAllowed(PathBuf),
    /// Connected, and then silence.
    #[error("the agent did not answer within {0} s: it is busy or stuck, its log says with what")]
    TimedOut(u64),
    /// The agent said what is wrong. The detail is a sentence of its own; the title is for programs' logs.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    /// The connection broke, or what came is not the local API.
    #[error("the talk with the agent failed: {0}")]
    Talk(String),
}

/// Calls the agent of one data folder; each call is a connection of its own.
#[derive(Debug, Clone)]
pub struct Client {
    endpoint: Endpoint,
}

type Answered<T> = Result<T, ClientError>;

impl Client {
    /// A client of the agent that serves this endpoint. Connects only when it is used.
    pub fn new(endpoint: Endpoint) -> Self {
        Self { endpoint }
    }

    /// How things stand.
    pub async fn status(&self) -> Answered<Status> {
        self.get("status").await
    }

    /// Every GPU that was found.
    pub async fn gpus(&self) -> Answered<Gpus> {
        self.get("gpus").await
    }

    /// Every lease, newest first.
    pub async fn jobs(&self) -> Answered<Jobs> {
        self.get("jobs").await
    }

    /// The last `lines` lines of a job's output.
    pub async fn job_log(&self, lease: &LeaseId, lines: u32) -> Answered<String> {
        let path = format!("jobs/{lease}/log?lines={lines}");
        let bytes = self
            .call(Method::GET, &path, Bytes::new(), CALL_WITHIN)
            .await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// What was earned.
    pub async fn wallet(&self) -> Answered<Wallet> {
        self.get("wallet").await
    }

    /// Every earning, as CSV.
    pub async fn wallet_csv(&self) -> Answered<String> {
        let bytes = self
            .call(Method::GET, "wallet/export", Bytes::new(), CALL_WITHIN)
            .await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Rent nothing for a while.
    pub async fn pause(&self, request: &PauseRequest) -> Answered<PauseView> {
        let body = write(request)?;
        read(&self.call(Method::PUT, "pause", body, CALL_WITHIN).await?)
    }

    /// End every pause.
    pub async fn resume(&self) -> Answered<()> {
        self.call(Method::DELETE, "pause", Bytes::new(), CALL_WITHIN)
            .await
            .map(drop)
    }

    /// End the pause of one GPU.
    pub async fn resume_gpu(&self, gpu: &GpuId) -> Answered<()> {
        let path = format!("pause?gpu={gpu}");
        self.call(Method::DELETE, &path, Bytes::new(), CALL_WITHIN)
            .await
            .map(drop)
    }

    /// How the benchmark goes.
    pub async fn bench(&self) -> Answered<BenchView> {
        self.get("bench").await
    }

    /// Start a benchmark.
    pub async fn start_bench(&self) -> Answered<BenchView> {
        read(
            &self
                .call(Method::POST, "bench", Bytes::new(), CALL_WITHIN)
                .await?,
        )
    }

    /// The agent's own look at everything that renting needs.
    pub async fn doctor(&self) -> Answered<Doctor> {
        let within = DOCTOR_WITHIN + CALL_WITHIN;
        read(
            &self
                .call(Method::GET, "doctor", Bytes::new(), within)
                .await?,
        )
    }

    /// The owner's settings.
    pub async fn settings(&self) -> Answered<SettingsView> {
        self.get("settings").await
    }

    /// Change the settings.
    pub async fn change_settings(&self, put: &SettingsPut) -> Answered<SettingsView> {
        let body = write(put)?;
        read(
            &self
                .call(Method::PUT, "settings", body, CALL_WITHIN)
                .await?,
        )
    }

    /// What a change of the settings would do.
    pub async fn check_settings(&self, change: &SettingsChange) -> Answered<SettingsPreview> {
        let body = write(change)?;
        let path = "settings/check";
        read(&self.call(Method::POST, path, body, CALL_WITHIN).await?)
    }

    /// What the GPUs did over the last days.
    pub async fn history(&self, days: u32) -> Answered<History> {
        self.get(&format!("history?days={days}")).await
    }

    /// The record of the last days as a trace.
    pub async fn trace(&self, days: u32) -> Answered<String> {
        let path = format!("history/trace?days={days}");
        let within = PREVIEW_WITHIN + CALL_WITHIN;
        let bytes = self.call(Method::GET, &path, Bytes::new(), within).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Answered<T> {
        read(
            &self
                .call(Method::GET, path, Bytes::new(), CALL_WITHIN)
                .await?,
        )
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        within: Duration,
    ) -> Answered<Bytes> {
        let request = Request::builder()
            .method(method)
            .uri(format!("/local/v1/{path}"))
            .header(HOST, "localhost")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(talk)?;
        let called = tokio::time::timeout(within, self.exchange(request)).await;
        called.unwrap_or(Err(ClientError::TimedOut(within.as_secs())))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Answered<Bytes> {
        let stream = connect(&self.endpoint)
            .await
            .map_err(|error| unreachable(&self.endpoint, &error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(talk)?;
        let exchanged = async {
            let response = sender.send_request(request).await.map_err(talk)?;
            let status = response.status();
            let body = http_body_util::Limited::new(response.into_body(), ANSWER_MAX_BYTES);
            let bytes = body.collect().await.map_err(talk)?.to_bytes();
            Ok((status, bytes))
        };
        tokio::pin!(exchanged);
        // The connection is driven only as long as its one answer is under way.
        let (status, bytes) = tokio::select! {
            answered = &mut exchanged => answered,
            ended = connection => match ended {
                Ok(()) => exchanged.await,
                Err(error) => Err(talk(error)),
            },
        }?;
        if status.is_success() {
            return Ok(bytes);
        }
        Err(self.refused(status, &bytes))
    }

    fn refused(&self, status: StatusCode, bytes: &[u8]) -> ClientError {
        match serde_json::from_slice::<Problem>(bytes) {
            Ok(problem) if problem.code == ProblemCode::Forbidden => {
                ClientError::NotAllowed(self.endpoint.path().to_owned())
            }
            Ok(problem) => ClientError::Problem(Box::new(problem)),
            Err(_) => ClientError::Talk(format!("it answered {status} without saying why")),
        }
    }
}

/// What it means that [`connect`] failed.
pub(crate) fn unreachable(endpoint: &Endpoint, error: &io::Error) -> ClientError {
    let path = endpoint.path().to_owned();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NotRunning(path),
        io::ErrorKind::PermissionDenied => ClientError::NotAllowed(path),
        _ => talk(error),
    }
}

fn talk(error: impl std::fmt::Display) -> ClientError {
    ClientError::Talk(error.to_string())
}

fn write(value: &impl Serialize) -> Answered<Bytes> {
    serde_json::to_vec(value).map(Bytes::from).map_err(talk)
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Answered<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        ClientError::Talk(format!(
            "its answer could not be read ({error}); agent and command may be of different versions"
        ))
    })
}

/// A new connection to the agent.
#[cfg(unix)]
pub(crate) async fn connect(endpoint: &Endpoint) -> io::Result<tokio::net::UnixStream> {
    tokio::net::UnixStream::connect(endpoint.path()).await
}

/// A new connection to the agent.
#[cfg(windows)]
pub(crate) async fn connect(
    endpoint: &Endpoint,
) -> io::Result<tokio::net::windows::named_pipe::NamedPipeClient> {
    use tokio::net::windows::named_pipe::ClientOptions;
    use windows_sys::Win32::Foundation::ERROR_PIPE_BUSY;
    loop {
        match ClientOptions::new().open(endpoint.path()) {
            // Every instance is taken for a moment; the call's own deadline ends the wait.
            Err(error) if error.raw_os_error() == Some(ERROR_PIPE_BUSY as i32) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            opened => return opened,
        }
    }
}
