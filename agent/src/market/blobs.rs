//! Bytes by their CID, to the marketplace and from it: each goes on where it broke off.

use super::client::HttpMarket;
use super::error::MarketError;
use super::{BlobBytes, BlobSent};
use crate::rehearsal;
use bytes::Bytes;
use futures_util::StreamExt;
use reqwest::{Method, StatusCode, header};
use std::io::SeekFrom;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use sublet_protocol::blob::{BlobId, UploadPosition};
use sublet_protocol::problem::ProblemCode;
use sublet_protocol::session::Session;
use tokio::io::AsyncSeekExt;
use tokio_util::io::ReaderStream;

/// Bytes handed to the socket at a time when a file is sent.
const CHUNK: usize = 64 * 1024;

impl HttpMarket {
    /// Sends what the marketplace lacks of a file.
    pub(super) async fn put(
        &self,
        session: &Session,
        blob: &BlobId,
        file: &Path,
        sent: &Arc<AtomicU64>,
    ) -> Result<BlobSent, MarketError> {
        let cid = blob.to_string();
        let path = ["blobs", cid.as_str()];
        if self.has_blob(session, &path).await? {
            return Ok(BlobSent::AlreadyThere);
        }
        let from = self.position(session, &cid).await?;
        match self.upload(session, &path, file, from, sent).await {
            // What is kept there of an earlier try is gone, or was spoiled.
            Err(MarketError::Refused(problem))
                if from > 0
                    && matches!(
                        problem.code,
                        ProblemCode::Conflict | ProblemCode::CidMismatch
                    ) =>
            {
                self.upload(session, &path, file, 0, sent).await?;
            }
            outcome => outcome?,
        }
        Ok(BlobSent::Now)
    }

    async fn has_blob(&self, session: &Session, path: &[&str]) -> Result<bool, MarketError> {
        let call = self.call("a question for a blob", self.patience.answer);
        let answer = self
            .send(call, self.of(session, Method::HEAD, path))
            .await?;
        // An answer to HEAD has no body, so a refusal cannot say why: the PUT that follows will.
        Ok(answer.status().is_success())
    }

    /// How much of an earlier try the marketplace has kept.
    async fn position(&self, session: &Session, cid: &str) -> Result<u64, MarketError> {
        let call = self.call("a question for an upload", self.patience.answer);
        let request = self.of(session, Method::GET, &["blobs", cid, "upload"]);
        match self.ask::<UploadPosition>(call, request).await {
            Ok(position) => Ok(position.next_offset),
            // It keeps nothing of what breaks off.
            Err(MarketError::Refused(problem)) if problem.code == ProblemCode::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn upload(
        &self,
        session: &Session,
        path: &[&str],
        file: &Path,
        from: u64,
        sent: &Arc<AtomicU64>,
    ) -> Result<(), MarketError> {
        let unreadable = |source| MarketError::File {
            path: file.to_owned(),
            source,
        };
        let mut source = tokio::fs::File::open(file).await.map_err(unreadable)?;
        let length = source.metadata().await.map_err(unreadable)?.len();
        // Something must be sent, or nobody would look whether it is whole.
        let from = from.min(length.saturating_sub(1));
        source
            .seek(SeekFrom::Start(from))
            .await
            .map_err(unreadable)?;
        sent.store(from, Ordering::Relaxed);
        let counter = sent.clone();
        let chunks = ReaderStream::with_capacity(source, CHUNK).map(
            move |chunk: Result<Bytes, std::io::Error>| {
                if let Ok(chunk) = &chunk {
                    counter.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                }
                chunk
            },
        );
        let mut request = self
            .of(session, Method::PUT, path)
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header(header::CONTENT_LENGTH, length - from)
            .body(reqwest::Body::wrap_stream(chunks));
        if from > 0 {
            let range = format!("bytes {from}-{}/{length}", length - 1);
            request = request.header(header::CONTENT_RANGE, range);
        }
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
            () = stalled(sent, self.patience.stall) => Err(MarketError::TooSlow {
                url: self.shown.clone(),
                after: self.patience.stall,
            }),
        }
    }

    /// Asks for a blob's bytes from a place on.
    pub(super) async fn get(
        &self,
        session: &Session,
        blob: &BlobId,
        from: u64,
    ) -> Result<BlobBytes, MarketError> {
        let what = "a question for a blob";
        let call = self.call(what, self.patience.answer);
        let cid = blob.to_string();
        let mut request = self.of(session, Method::GET, &["blobs", &cid]);
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        // Not the whole answer has its time, but its beginning, and then each piece of it.
        rehearsal::outside("market", call.what, "asked");
        let answer = tokio::time::timeout(call.limit, request.send()).await;
        rehearsal::outside("market", call.what, "answered");
        let answer = answer
            .map_err(|_| MarketError::TooSlow {
                url: self.shown.clone(),
                after: call.limit,
            })?
            .map_err(|error| call.failed(error))?;
        let answer = call.accepted(answer).await?;
        let (begins, length) = extent(&answer).ok_or_else(|| MarketError::Garbled {
            what,
            why: "it does not say how long the blob is".to_owned(),
        })?;
        if begins > from {
            return Err(MarketError::Garbled {
                what,
                why: format!("it begins at byte {begins}, after the {from} that were asked for"),
            });
        }
        Ok(BlobBytes {
            from: begins,
            length,
            answer: Some(answer),
            url: self.shown.clone(),
            patience: self.patience.stall,
        })
    }

    /// The length of a blob.
    pub(super) async fn length(
        &self,
        session: &Session,
        blob: &BlobId,
    ) -> Result<u64, MarketError> {
        let call = self.call("a question for a blob", self.patience.answer);
        let cid = blob.to_string();
        let request = self.of(session, Method::HEAD, &["blobs", &cid]);
        let answer = self.send(call, request).await?;
        if answer.status().is_success() {
            let told = answer.headers().get(header::CONTENT_LENGTH);
            let length = told.and_then(|text| text.to_str().ok()?.parse().ok());
            if let Some(length) = length {
                return Ok(length);
            }
        }
        // A refusal to HEAD has no body, and so no reason.
        Ok(self.get(session, blob, 0).await?.length)
    }
}

/// Where an answer's bytes begin, and how long the whole is.
fn extent(answer: &reqwest::Response) -> Option<(u64, u64)> {
    let header = |name| answer.headers().get(name)?.to_str().ok();
    if answer.status() == StatusCode::PARTIAL_CONTENT {
        let range = header(header::CONTENT_RANGE)?.strip_prefix("bytes ")?;
        let (range, length) = range.split_once('/')?;
        let (from, _) = range.split_once('-')?;
        return Some((from.parse().ok()?, length.parse().ok()?));
    }
    Some((0, header(header::CONTENT_LENGTH)?.parse().ok()?))
}

impl BlobBytes {
    /// The next piece; none at the end.
    ///
    /// # Errors
    /// The connection broke, or nothing came for too long.
    pub async fn next(&mut self) -> Result<Option<Bytes>, MarketError> {
        let Some(answer) = &mut self.answer else {
            return Ok(None);
        };
        match tokio::time::timeout(self.patience, answer.chunk()).await {
            Ok(Ok(piece)) => Ok(piece),
            Ok(Err(error)) => Err(MarketError::Unreachable {
                url: self.url.clone(),
                why: super::http::root_cause(&error.without_url()),
            }),
            Err(_) => Err(MarketError::TooSlow {
                url: self.url.clone(),
                after: self.patience,
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
