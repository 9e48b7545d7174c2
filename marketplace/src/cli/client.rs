//! How the renter's commands speak to the marketplace: one client, with its timeouts and its errors.

use super::{Access, CliError};
use crate::secret::Token;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use std::time::Duration;
use sublet_protocol::ids::JobId;
use sublet_protocol::problem::{Problem, ProblemCode};
use sublet_protocol::renter::JobView;

/// How long a plain request may take.
const PLAIN: Duration = Duration::from_secs(30);

/// Speaks for one renter.
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: Token,
}

impl Client {
    pub fn new(access: &Access) -> Result<Self, CliError> {
        // A second installation in the same process is refused, and the first one holds.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let path = &access.token_file;
        let text = std::fs::read_to_string(path).map_err(|error| {
            CliError::Failed(format!(
                "The token file {} cannot be read ({error}). The operator of the marketplace gives it out.",
                path.display()
            ))
        })?;
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("sublet-market/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(CliError::failed("setting up the connection"))?;
        Ok(Self {
            http,
            url: access.url.trim_end_matches('/').to_owned(),
            token: Token::from_text(text.trim()),
        })
    }

    /// A request with the token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(self.token.reveal())
    }

    /// Sends it; anything but a success is an error.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, CliError> {
        let response = request
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        Err(self.refusal(status, response).await)
    }

    /// Sends a plain request and reads the JSON that comes back.
    pub async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, CliError> {
        let response = self.send(request.timeout(PLAIN)).await?;
        self.read(response).await
    }

    /// Reads JSON.
    pub async fn read<T: DeserializeOwned>(&self, response: Response) -> Result<T, CliError> {
        response.json().await.map_err(|error| {
            if error.is_decode() {
                CliError::Failed(format!(
                    "{} answers, but not as a Sublet marketplace does ({error}). Is the address right?",
                    self.url
                ))
            } else {
                self.unreachable(&error)
            }
        })
    }

    /// One job.
    pub async fn job(&self, job: &JobId) -> Result<JobView, CliError> {
        self.json(self.request(Method::GET, &format!("/v1/jobs/{job}")))
            .await
    }

    async fn refusal(&self, status: StatusCode, response: Response) -> CliError {
        match response.json::<Problem>().await {
            // Going down, or its database is busy: as good as not there.
            Ok(problem) if problem.code == ProblemCode::Unavailable => {
                CliError::Unreachable(problem.detail)
            }
            Ok(problem) => CliError::Refused(problem),
            Err(_) => CliError::Failed(format!(
                "{} answered {status}, but not as a Sublet marketplace does. Is the address right?",
                self.url
            )),
        }
    }

    pub fn unreachable(&self, error: &reqwest::Error) -> CliError {
        let mut why = error as &dyn std::error::Error;
        while let Some(source) = why.source() {
            why = source;
        }
        CliError::Unreachable(format!(
            "The marketplace at {} cannot be reached: {why}. Check the address (--url) and that it runs.",
            self.url
        ))
    }
}
