//! Where the agent is, how to start it, and one call to its local API.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Deserialize;

/// Names the agent's program where it does not lie beside this one.
const PROGRAM_VARIABLE: &str = "SUBLET_AGENT";

/// Longer than the agent's slowest answer, the doctor's.
const ANSWER_WITHIN: Duration = Duration::from_secs(45);

/// It reads a few environment variables.
const PLACES_WITHIN: Duration = Duration::from_secs(10);

/// How much of the end of its log is looked at, in bytes.
const LAST_WORDS: u64 = 4_096;

/// An answer longer than this is not one of the agent's.
const ANSWER_MAX_BYTES: usize = 64 * 1024 * 1024;

/// The agent of this user: its program, its data folder, and where its local API is.
#[derive(Debug, Clone)]
pub struct Agent {
    program: PathBuf,
    /// Its data folder.
    pub data: PathBuf,
    endpoint: PathBuf,
}

/// What `sublet where` says.
#[derive(Deserialize)]
struct Whereabouts {
    data: PathBuf,
    endpoint: PathBuf,
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody listens.
    #[error("the agent does not run")]
    Away,
    /// It listens and says nothing.
    #[error("the agent did not answer within {0} s; it is busy or stuck, its log says with what")]
    TimedOut(u64),
    /// The connection broke, or what came is not the local API.
    #[error("the talk with the agent broke off: {0}")]
    Broken(String),
}

/// What the agent answered.
pub struct Answer {
    /// HTTP's code.
    pub status: u16,
    /// Its media type.
    pub kind: String,
    /// Its body.
    pub body: Bytes,
}

impl Agent {
    /// Asks the agent's program where its things are.
    ///
    /// # Errors
    /// When the program is missing, or answers otherwise than expected: of another version.
    pub async fn find() -> anyhow::Result<Self> {
        use anyhow::Context;
        let program = match std::env::var_os(PROGRAM_VARIABLE) {
            Some(named) => PathBuf::from(named),
            None => std::env::current_exe()?
                .with_file_name(format!("sublet{}", std::env::consts::EXE_SUFFIX)),
        };
        let mut ask = tokio::process::Command::new(&program);
        ask.arg("where").stdin(Stdio::null()).kill_on_drop(true);
        #[cfg(windows)]
        ask.creation_flags(CREATE_NO_WINDOW);
        let said = tokio::time::timeout(PLACES_WITHIN, ask.output())
            .await
            .with_context(|| {
                let program = program.display();
                format!("the agent's program {program} does not answer; install Sublet again")
            })?
            .with_context(|| {
                let program = program.display();
                format!("the agent's program {program} cannot be run; install Sublet again")
            })?;
        let whereabouts: Whereabouts = serde_json::from_slice(&said.stdout).with_context(|| {
            let program = program.display();
            format!("{program} is of another version than this window; install Sublet again")
        })?;
        Ok(Self {
            program,
            data: whereabouts.data,
            endpoint: whereabouts.endpoint,
        })
    }

    /// One whose places are known.
    #[cfg(test)]
    pub fn at(program: PathBuf, data: PathBuf) -> Self {
        let endpoint = data.join("endpoint");
        Self {
            program,
            data,
            endpoint,
        }
    }

    /// Starts the agent as a process of its own, that outlives this one. Its log goes to `agent.log` in its data
    /// folder; the log before stays as `agent.log.before`.
    ///
    /// # Errors
    /// When the system does not start it.
    pub fn start(&self) -> std::io::Result<Child> {
        let mut folder = std::fs::DirBuilder::new();
        folder.recursive(true);
        // As the agent makes it.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        folder.create(&self.data)?;
        let path = self.log();
        match std::fs::rename(&path, path.with_extension("log.before")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let log = std::fs::File::create(path)?;
        let mut command = Command::new(&self.program);
        command
            .args(["run", "--data"])
            .arg(&self.data)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        apart(&mut command);
        command.spawn()
    }

    fn log(&self) -> PathBuf {
        self.data.join("agent.log")
    }

    /// The last line of its log; empty where there is none.
    pub fn last_words(&self) -> String {
        use std::io::{Read, Seek, SeekFrom};
        let end = || -> std::io::Result<Vec<u8>> {
            let mut log = std::fs::File::open(self.log())?;
            let long = log.metadata()?.len();
            log.seek(SeekFrom::Start(long.saturating_sub(LAST_WORDS)))?;
            let mut end = Vec::new();
            log.read_to_end(&mut end)?;
            Ok(end)
        };
        let end = end().unwrap_or_else(|error| error.to_string().into_bytes());
        let text = String::from_utf8_lossy(&end);
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        last.unwrap_or_default().trim().to_owned()
    }

    /// One call, its answer in whole.
    ///
    /// # Errors
    /// [`CallError`]; a refusal by the agent is an answer.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Answer, CallError> {
        let exchange = async {
            let response = self.send(method, path, body).await?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_MAX_BYTES)
                .collect()
                .await
                .map_err(|error| CallError::Broken(error.to_string()))?
                .to_bytes();
            let kind = head.headers.get(CONTENT_TYPE);
            Ok(Answer {
                status: head.status.as_u16(),
                kind: kind
                    .and_then(|kind| kind.to_str().ok())
                    .unwrap_or_default()
                    .to_owned(),
                body,
            })
        };
        match tokio::time::timeout(ANSWER_WITHIN, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(CallError::TimedOut(ANSWER_WITHIN.as_secs())),
        }
    }

    /// One call, its answer as it comes.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Response<Incoming>, CallError> {
        let stream = connect(&self.endpoint).await.map_err(|_| CallError::Away)?;
        let broken = |error: hyper::Error| CallError::Broken(error.to_string());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        // Ends with the answer, or when the answer is dropped.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the agent broke");
            }
        });
        let request = Request::builder()
            .method(method)
            .uri(format!("/local/v1/{path}"))
            .header(HOST, "localhost")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| CallError::Broken(error.to_string()))?;
        sender.send_request(request).await.map_err(broken)
    }
}

#[cfg(unix)]
async fn connect(endpoint: &std::path::Path) -> std::io::Result<tokio::net::UnixStream> {
    tokio::net::UnixStream::connect(endpoint).await
}

#[cfg(windows)]
async fn connect(
    endpoint: &std::path::Path,
) -> std::io::Result<tokio::net::windows::named_pipe::NamedPipeClient> {
    tokio::net::windows::named_pipe::ClientOptions::new().open(endpoint)
}

/// Makes the command's process independent of ours.
#[cfg(unix)]
fn apart(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    // A group of its own: a Ctrl-C for the window is none for the agent.
    command.process_group(0);
}

#[cfg(windows)]
const CREATE_NO_WINDOW: u32 = 0x0800_0000;

/// Makes the command's process independent of ours, and without a console window.
#[cfg(windows)]
fn apart(command: &mut Command) {
    use std::os::windows::process::CommandExt;
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
    command.creation_flags(CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW);
}
