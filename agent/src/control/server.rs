//! The HTTP server of the local API: who may ask, how long an answer may take, and how it ends.

use super::endpoint::Peer;
use super::{ANSWER_WITHIN, Answer, DOCTOR_WITHIN, Listener, PREVIEW_WITHIN, Request};
use axum::extract::{ConnectInfo, Request as HttpRequest};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;
use std::time::Duration;
use sublet_protocol::problem::{PROBLEM_JSON, Problem, ProblemCode};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// How long answers under way may take once the agent ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// Serves the local API until `closing` is cancelled. Each call becomes one [`Request`] on `requests`.
///
/// # Errors
/// What the system says when the listener cannot go on; single connections that break are not errors.
pub async fn serve(
    listener: Listener,
    requests: mpsc::Sender<Request>,
    closing: CancellationToken,
) -> std::io::Result<()> {
    let daemon = Daemon {
        requests,
        answer_within: ANSWER_WITHIN,
        doctor_within: DOCTOR_WITHIN,
        preview_within: PREVIEW_WITHIN,
        closing,
    };
    serve_with(listener, daemon).await
}

pub(super) async fn serve_with(listener: Listener, daemon: Daemon) -> std::io::Result<()> {
    let closing = daemon.closing.clone();
    let service = super::routes::router(daemon)
        .layer(from_fn(only_the_owner))
        .into_make_service_with_connect_info::<Peer>();
    let server = axum::serve(listener, service)
        .with_graceful_shutdown(closing.clone().cancelled_owned())
        .into_future();
    let overtime = async {
        closing.cancelled().await;
        tokio::time::sleep(FAREWELL).await;
    };
    tokio::select! {
        ended = server => ended,
        () = overtime => Ok(()),
    }
}

/// The way to the daemon, with the server's patience.
#[derive(Debug, Clone)]
pub(super) struct Daemon {
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) answer_within: Duration,
    pub(super) doctor_within: Duration,
    pub(super) preview_within: Duration,
    pub(super) closing: CancellationToken,
}

impl Daemon {
    /// Asks the daemon, for [`Self::answer_within`].
    pub(super) async fn ask<T>(
        &self,
        make: impl FnOnce(Answer<T>) -> Request,
    ) -> Result<T, Failure> {
        self.ask_within(self.answer_within, make).await
    }

    pub(super) async fn ask_within<T>(
        &self,
        within: Duration,
        make: impl FnOnce(Answer<T>) -> Request,
    ) -> Result<T, Failure> {
        let (answer, answered) = oneshot::channel();
        let asked = async {
            self.requests
                .send(make(answer))
                .await
                .map_err(|_| "The agent is ending. Start it again with `sublet run`.".to_owned())?;
            answered.await.map_err(|_| {
                "The agent dropped the request, most likely because it is ending. Ask again."
                    .to_owned()
            })
        };
        match tokio::time::timeout(within, asked).await {
            Ok(Ok(answer)) => answer.map_err(Failure),
            Ok(Err(gone)) => Err(Failure(Problem::new(ProblemCode::Unavailable, gone))),
            Err(_) => Err(Failure(Problem::new(
                ProblemCode::Unavailable,
                format!(
                    "The agent was too busy to answer within {:.1} s. Ask again; if it stays so, its log says what it is doing.",
                    within.as_secs_f32()
                ),
            ))),
        }
    }
}

/// A problem document as an HTTP answer.
#[derive(Debug)]
pub(super) struct Failure(pub(super) Problem);

impl Failure {
    pub(super) fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self(Problem::new(code, detail))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = (header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        (status, [kind], axum::Json(self.0)).into_response()
    }
}

impl axum::extract::connect_info::Connected<IncomingStream<'_, Listener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        *stream.remote_addr()
    }
}

/// Refuses other users, and everything a web page could make a browser send.
async fn only_the_owner(
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: HttpRequest,
    next: Next,
) -> Response {
    if let Peer::Stranger(user) = peer {
        tracing::warn!(
            user,
            path = request.uri().path(),
            "refused another user on the local API"
        );
        return Failure::new(
            ProblemCode::Forbidden,
            "This agent belongs to another user of this machine. Run the command as that user, or as root.",
        )
        .into_response();
    }
    if let Some(detail) = browser_made(request.headers()) {
        tracing::warn!(
            detail,
            path = request.uri().path(),
            "refused a browser on the local API"
        );
        return Failure::new(ProblemCode::Forbidden, detail).into_response();
    }
    next.run(request).await
}

/// Why this looks like a web page's request, where it does.
fn browser_made(headers: &HeaderMap) -> Option<&'static str> {
    if headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site") {
        return Some("Web pages may not talk to the agent. Use the window or the command line.");
    }
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes);
    if host.is_some_and(|host| host != b"localhost") {
        return Some("The local API answers to the host name `localhost` only.");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    header::HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn only_plain_local_requests_pass() {
        assert_eq!(browser_made(&headers(&[("host", "localhost")])), None);
        for bad in [
            &[("host", "localhost"), ("origin", "null")][..],
            &[("host", "localhost"), ("sec-fetch-site", "cross-site")],
            &[("host", "rebound.example")],
            &[("host", "localhost.example")],
            &[("host", "localhost:80")],
        ] {
            assert!(browser_made(&headers(bad)).is_some(), "{bad:?}");
        }
    }
}
