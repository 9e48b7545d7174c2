//! Protocol v1 over HTTP: one thin, typed call for each message.

use super::error::MarketError;
use super::http::{self, Call, Patience};
use super::{BlobBytes, BlobSent, Known, Market};
use crate::rehearsal;
use ed25519_dalek::SigningKey;
use reqwest::{Method, RequestBuilder};
use serde::de::DeserializeOwned;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use sublet_protocol::blob::BlobId;
use sublet_protocol::heartbeat::{CommandBatch, Heartbeat, HeartbeatReply};
use sublet_protocol::ids::LeaseId;
use sublet_protocol::keys::{RigKey, rig_id};
use sublet_protocol::offer::Offer;
use sublet_protocol::renter::{LogAppend, LogPosition};
use sublet_protocol::session::{Challenge, ChallengeRequest, Session, SessionRequest};
use url::Url;

/// A marketplace that speaks protocol v1 over HTTP.
#[derive(Debug, Clone)]
pub struct HttpMarket {
    base: Url,
    pub(super) shown: String,
    client: reqwest::Client,
    pub(super) patience: Patience,
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

    pub(super) fn of(&self, session: &Session, method: Method, path: &[&str]) -> RequestBuilder {
        // `bearer_auth` marks the header as sensitive, so it is not printed.
        self.request(method, path).bearer_auth(&session.token)
    }

    pub(super) fn call(&self, what: &'static str, limit: Duration) -> Call<'_> {
        Call {
            what,
            url: &self.shown,
            limit,
        }
    }

    pub(super) async fn send(
        &self,
        call: Call<'_>,
        request: RequestBuilder,
    ) -> Result<reqwest::Response, MarketError> {
        rehearsal::outside("market", call.what, "asked");
        let sent = request.timeout(call.limit).send().await;
        rehearsal::outside("market", call.what, "answered");
        sent.map_err(|error| call.failed(error))
    }

    pub(super) async fn ask<T: DeserializeOwned>(
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
        sent: &Arc<AtomicU64>,
    ) -> Result<BlobSent, MarketError> {
        self.put(session, blob, file, sent).await
    }

    async fn blob_length(&self, session: &Session, blob: &BlobId) -> Result<u64, MarketError> {
        self.length(session, blob).await
    }

    async fn get_blob(
        &self,
        session: &Session,
        blob: &BlobId,
        from: u64,
    ) -> Result<BlobBytes, MarketError> {
        self.get(session, blob, from).await
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
