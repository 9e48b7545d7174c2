//! The one HTTP client of the agent: how it is made, where it may connect to, and how answers are read.

use super::error::MarketError;
use serde::de::DeserializeOwned;
use std::time::Duration;
use sublet_protocol::problem::{PROBLEM_JSON, Problem};
use url::{Host, Url};

/// The longest JSON answer that is read, in bytes.
pub const MAX_ANSWER: usize = 1 << 20;

/// How long this agent waits for what.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a connection to be made.
    pub connect: Duration,
    /// For the whole answer to a small request (a long poll's wait comes on top).
    pub answer: Duration,
    /// For an upload to move on, or its last answer to come.
    pub stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(10),
            stall: Duration::from_secs(60),
        }
    }
}

/// Takes an address only if what is said there stays private: https, or http to this very machine.
pub fn check_address(text: &str) -> Result<Url, MarketError> {
    let bad = |why: &str| MarketError::BadAddress {
        url: text.to_owned(),
        why: why.to_owned(),
    };
    let mut url = Url::parse(text).map_err(|error| bad(&error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        // The text is not repeated: it holds a password.
        return Err(MarketError::BadAddress {
            url: format!("{}://…@{}", url.scheme(), url.host_str().unwrap_or("")),
            why: "it holds a user name or a password".to_owned(),
        });
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("it holds a ? or a #"));
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => {
            return Err(MarketError::Insecure {
                url: text.to_owned(),
                host: url.host_str().unwrap_or("that host").to_owned(),
            });
        }
        other => return Err(bad(&format!("{other}:// is not http"))),
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The client builder. Redirects are never followed (a token must not travel on), plain text goes to loopback
/// alone, and a proxy from the environment is never asked about loopback.
pub fn client(base: &Url, patience: Patience) -> Result<reqwest::Client, MarketError> {
    // An error says only that a provider is already in place, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("sublet/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(patience.connect)
        .pool_idle_timeout(Duration::from_secs(90))
        .pool_max_idle_per_host(4)
        .tcp_keepalive(Duration::from_secs(30));
    if is_loopback(base) {
        builder = builder.no_proxy();
    }
    if base.scheme() == "http" {
        // Nothing will be encrypted, so the system's certificates need not be there.
        builder = builder.tls_certs_only([]);
    } else {
        builder = builder.https_only(true);
    }
    builder.build().map_err(|error| MarketError::NoClient {
        why: root_cause(&error),
    })
}

/// One call: what it is, whom it goes to and how long it may take, for the errors it can end in.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The call, in words.
    pub what: &'static str,
    /// The marketplace's address.
    pub url: &'a str,
    /// How long the whole answer may take.
    pub limit: Duration,
}

impl Call<'_> {
    /// What a failure on the way means.
    pub fn failed(&self, error: reqwest::Error) -> MarketError {
        if error.is_timeout() {
            MarketError::TooSlow {
                url: self.url.to_owned(),
                after: self.limit,
            }
        } else {
            MarketError::Unreachable {
                url: self.url.to_owned(),
                why: root_cause(&error.without_url()),
            }
        }
    }

    /// Reads an answer's body, whatever its status: the value, or the problem it names.
    pub async fn read<T: DeserializeOwned>(
        &self,
        answer: reqwest::Response,
    ) -> Result<T, MarketError> {
        let answer = self.accepted(answer).await?;
        let body = self.body(answer).await?;
        serde_json::from_slice(&body).map_err(|error| self.garbled(error.to_string()))
    }

    /// Lets a success pass, and turns anything else into the error it stands for.
    pub async fn accepted(
        &self,
        answer: reqwest::Response,
    ) -> Result<reqwest::Response, MarketError> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let kind = answer.headers().get(reqwest::header::CONTENT_TYPE);
        if kind.is_some_and(|kind| kind.as_bytes().starts_with(PROBLEM_JSON.as_bytes())) {
            let body = self.body(answer).await?;
            let problem: Problem = serde_json::from_slice(&body).map_err(|error| {
                self.garbled(format!(
                    "status {status}, and its problem document: {error}"
                ))
            })?;
            return Err(MarketError::Refused(problem));
        }
        // A gateway in front of a marketplace that is away answers in its own words.
        if matches!(status.as_u16(), 502..=504) {
            return Err(MarketError::Unreachable {
                url: self.url.to_owned(),
                why: format!("something in front of it answered {status}"),
            });
        }
        Err(self.garbled(format!("status {status} without a problem document")))
    }

    async fn body(&self, mut answer: reqwest::Response) -> Result<Vec<u8>, MarketError> {
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.failed(error))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(MarketError::Oversized {
                    what: self.what,
                    limit: MAX_ANSWER,
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn garbled(&self, why: String) -> MarketError {
        MarketError::Garbled {
            what: self.what,
            why,
        }
    }
}

/// What lies at the bottom of an error: the layers above it only say that they met it.
pub fn root_cause(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(below) = deepest.source() {
        deepest = below;
    }
    deepest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        for good in [
            "https://market.example",
            "https://market.example/sub/",
            "http://127.0.0.1:8080",
            "http://[::1]:8080/",
            "http://localhost:1",
        ] {
            assert!(check_address(good).is_ok(), "{good}");
        }
        for open in [
            "http://market.example",
            "http://192.168.1.5:80",
            "http://0.0.0.0",
            "http://localhost.example",
        ] {
            let error = check_address(open).unwrap_err();
            assert!(matches!(error, MarketError::Insecure { .. }), "{error}");
            assert!(error.to_string().contains("https://"), "{error}");
        }
        for bad in ["", "market", "ftp://x", "https://m/?a=1", "https://m/#a"] {
            let error = check_address(bad).unwrap_err();
            assert!(matches!(error, MarketError::BadAddress { .. }), "{error}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_repeated() {
        let error = check_address("https://me:hunter2@market.example").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
