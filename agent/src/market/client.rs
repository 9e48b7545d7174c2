//! Protocol v1 over HTTP: one thin, typed call for each message.

use super::error::MarketError;
use super::http::{self, Call, Patience};
use super::{BlobSent, Known, Market};
use crate::rehearsal;
use bytes::Bytes;
use ed25519_dalek::SigningKey;
use futures_util::StreamExt;
use reqwest::{Method, RequestBuilder, header};
use serde::de::DeserializeOwned;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use sublet_protocol::blob::BlobId;
use sublet_protocol::heartbeat::{CommandBatch, Heartbeat, HeartbeatReply};
use sublet_protocol::ids::LeaseId;
use sublet_protocol::keys::{RigKey, rig_id};
use sublet_protocol::offer::Offer;
use sublet_protocol::renter::{LogAppend, LogPosition};
use sublet_protocol::session::{Challenge, ChallengeRequest, Session, SessionRequest};
use tokio_util::io::ReaderStream;
use url::Url;

/// Bytes handed to the socket at a time when a file is sent.
const CHUNK: usize = 64 * 1024;

/// A marketplace that speaks protocol v1 over HTTP.
#[derive(Debug, Clone)]
pub struct HttpMarket {
    base: Url,
    shown: String,
    client: reqwest::Client,
    patience: Patience,
}

impl HttpMarket {
    /// Takes a marketplace's address. Nothing is sent yet.
    pub fn new(address: &str) -> Result<Self, MarketError> {
        Self::with_patience(address, Patience::default())
    }

    /// The same, with other waiting times.
    pub fn with_patience(address: &str, patience: Patience) -> Result<Self, MarketError> {
        let base = http::check_address(address)?;
        let client = http::client(&base, patience)?;
        let shown = base.as_str().trim_end_matches('/').to_owned();
        Ok(Self {
            base,
            shown,
            client,
            patience,
        })
    }

    /// The address, for people.
    pub fn address(&self) -> &str {
        &self.shown
    }

    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(path);
        }
        self.client.request(method, url)
    }

    fn of(&self, session: &Session, method: Method, path: &[&str]) -> RequestBuilder {
        // `bearer_auth` marks the header as sensitive, so it is not printed.
        self.request(method, path).bearer_auth(&session.token)
    }

    fn call(&self, what: &'static str, limit: Duration) -> Call<'_> {
        Call {
            what,
            url: &self.shown,
            limit,
        }
    }

    async fn send(
        &self,
        call: Call<'_>,
        request: RequestBuilder,
    ) -> Result<reqwest::Response, MarketError> {
        rehearsal::outside("market", call.what, "asked");
        let sent = request.timeout(call.limit).send().await;
        rehearsal::outside("market", call.what, "answered");
        sent.map_err(|error| call.failed(error))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        request: RequestBuilder,
    ) -> Result<T, MarketError> {
        call.read(self.send(call, request).await?).await
    }

    async fn tell(&self, call: Call<'_>, request: RequestBuilder) -> Result<(), MarketError> {
        call.accepted(self.send(call, request).await?).await?;
        Ok(())
    }

    async fn has_blob(&self, session: &Session, path: &[&str]) -> Result<bool, MarketError> {
        let call = self.call("a question for a blob", self.patience.answer);
        let answer = self
            .send(call, self.of(session, Method::HEAD, path))
            .await?;
        // An answer to HEAD has no body, so a refusal cannot say why: the PUT that follows will.
        Ok(answer.status().is_success())
    }

    pub(super) async fn upload(
        &self,
        session: &Session,
        path: &[&str],
        file: &Path,
    ) -> Result<(), MarketError> {
        let unreadable = |source| MarketError::File {
            path: file.to_owned(),
            source,
        };
        let source = tokio::fs::File::open(file).await.map_err(unreadable)?;
        let length = source.metadata().await.map_err(unreadable)?.len();
        let moved = Arc::new(AtomicU64::new(0));
        let counter = moved.clone();
        let chunks = ReaderStream::with_capacity(source, CHUNK).map(
            move |chunk: Result<Bytes, std::io::Error>| {
                counter.fetch_add(1, Ordering::Relaxed);
                chunk
            },
        );
        let request = self
            .of(session, Method::PUT, path)
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header(header::CONTENT_LENGTH, length)
            .body(reqwest::Body::wrap_stream(chunks));
        let call = self.call("an upload", self.patience.stall);
        let send = async {
            rehearsal::outside("market", call.what, "asked");
            let answer = request.send().await.map_err(|error| call.failed(error))?;
            rehearsal::outside("market", call.what, "answered");
            call.accepted(answer).await?;
            Ok(())
        };
        tokio::select! {
            done = send => done,
            () = stalled(&moved, self.patience.stall) => Err(MarketError::TooSlow {
                url: self.shown.clone(),
                after: self.patience.stall,
            }),
        }
    }
}

/// Returns once `moved` has stood still for `limit`.
async fn stalled(moved: &AtomicU64, limit: Duration) {
    let mut last = moved.load(Ordering::Relaxed);
    loop {
        tokio::time::sleep(limit).await;
        let now = moved.load(Ordering::Relaxed);
        if now == last {
            return;
        }
        last = now;
    }
}

impl Market for HttpMarket {
    async fn open_session(&self, key: &SigningKey, known: &Known) -> Result<Session, MarketError> {
        let rig_key = RigKey::of(key);
        let limit = self.patience.answer;
        let ask = self
            .request(Method::POST, &["challenges"])
            .json(&ChallengeRequest { rig_key });
        let challenge: Challenge = self
            .ask(self.call("a challenge request", limit), ask)
            .await?;
        // Before anything is signed: a signature for another audience would serve whoever passed its challenge on.
        known.check_audience(&challenge.audience)?;
        let answer = SessionRequest::answer(key, &challenge, env!("CARGO_PKG_VERSION"));
        let ask = self.request(Method::POST, &["sessions"]).json(&answer);
        let session: Session = self.ask(self.call("a session request", limit), ask).await?;
        check_session(&session, &challenge, &rig_key, known)?;
        Ok(session)
    }

    async fn put_offer(&self, session: &Session, offer: &Offer) -> Result<(), MarketError> {
        let path = ["rigs", session.rig.as_str(), "offer"];
        let call = self.call("an offer", self.patience.answer);
        let request = self.of(session, Method::PUT, &path).json(offer);
        self.tell(call, request).await
    }

    async fn heartbeat(
        &self,
        session: &Session,
        beat: &Heartbeat,
    ) -> Result<HeartbeatReply, MarketError> {
        let path = ["rigs", session.rig.as_str(), "heartbeat"];
        let ask = self.of(session, Method::POST, &path).json(beat);
        let call = self.call("a heartbeat", self.patience.answer);
        self.ask(call, ask).await
    }

    async fn commands(
        &self,
        session: &Session,
        after: u64,
        wait: Duration,
    ) -> Result<CommandBatch, MarketError> {
        let path = ["rigs", session.rig.as_str(), "commands"];
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let ask = self
            .of(session, Method::GET, &path)
            .query(&[("after", after), ("wait_ms", wait_ms)]);
        let limit = wait.saturating_add(self.patience.answer);
        self.ask(self.call("a poll for commands", limit), ask).await
    }

    async fn append_log(
        &self,
        session: &Session,
        lease: &LeaseId,
        part: &LogAppend,
    ) -> Result<LogPosition, MarketError> {
        let path = [
            "rigs",
            session.rig.as_str(),
            "leases",
            lease.as_str(),
            "logs",
        ];
        let call = self.call("a piece of log", self.patience.answer);
        let request = self.of(session, Method::POST, &path).json(part);
        self.ask(call, request).await
    }

    async fn put_blob(
        &self,
        session: &Session,
        blob: &BlobId,
        file: &Path,
    ) -> Result<BlobSent, MarketError> {
        let cid = blob.to_string();
        let path = ["blobs", cid.as_str()];
        if self.has_blob(session, &path).await? {
            return Ok(BlobSent::AlreadyThere);
        }
        self.upload(session, &path, file).await?;
        Ok(BlobSent::Now)
    }
}

/// What must hold before a session is believed.
fn check_session(
    session: &Session,
    challenge: &Challenge,
    rig_key: &RigKey,
    known: &Known,
) -> Result<(), MarketError> {
    let garbled = |why: String| MarketError::Garbled {
        what: "a session request",
        why,
    };
    if session.audience != challenge.audience {
        return Err(garbled(format!(
            "the challenge was of `{}`, the session of `{}`",
            challenge.audience, session.audience
        )));
    }
    let rig = rig_id(rig_key);
    if session.rig != rig {
        return Err(garbled(format!("it is for {}, this is {rig}", session.rig)));
    }
    session
        .channel
        .check(rig_key)
        .map_err(|error| garbled(error.to_string()))?;
    known.check_payer(&session.channel.payer)?;
    if !(10..=300_000).contains(&session.heartbeat_ms) {
        return Err(garbled(format!(
            "a heartbeat every {} ms; 10 to 300000 are sane",
            session.heartbeat_ms
        )));
    }
    if !(session.heartbeat_ms.saturating_mul(2)..=3_600_000).contains(&session.fence_ms) {
        return Err(garbled(format!(
            "jobs to be stopped after {} ms of silence; twice the heartbeat's interval to one hour is sane",
            session.fence_ms
        )));
    }
    if session.token.is_empty() || !session.token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(garbled("its token cannot stand in a header".to_owned()));
    }
    Ok(())
}
