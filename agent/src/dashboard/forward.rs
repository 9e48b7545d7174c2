//! A page's call, passed on to the agent's socket, and the answer passed back as it comes.

use super::{Room, door};
use crate::control::Endpoint;
use crate::control::client::{self, ClientError};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HOST};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::time::Duration;
use sublet_protocol::problem::{Problem, ProblemCode};

/// The longest body of a call; a pause takes 20 bytes.
const CALL_MAX_BYTES: usize = 64 * 1024;

/// Longer than the agent takes for its slowest answer, the doctor's.
const ANSWER_BEGINS_WITHIN: Duration = Duration::from_secs(45);

pub(super) async fn forward(State(room): State<Arc<Room>>, call: Request) -> Response {
    match tokio::time::timeout(ANSWER_BEGINS_WITHIN, passed_on(&room.endpoint, call)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(problem)) => door::refuse(problem),
        Err(_) => door::refuse(Problem::new(
            ProblemCode::Unavailable,
            "The agent did not answer in time: it is busy or stuck, its log says with what.",
        )),
    }
}

async fn passed_on(endpoint: &Endpoint, call: Request) -> Result<Response, Problem> {
    let (head, body) = call.into_parts();
    let body = axum::body::to_bytes(body, CALL_MAX_BYTES)
        .await
        .map_err(|error| Problem::new(ProblemCode::TooLarge, format!("{error}.")))?;
    let path = head
        .uri
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .to_owned();
    // A new request: nothing of the browser's own (its token, its cookies, its site) reaches the agent.
    let mut request = hyper::Request::builder()
        .method(head.method)
        .uri(path)
        .header(HOST, "localhost");
    if let Some(kind) = head.headers.get(CONTENT_TYPE) {
        request = request.header(CONTENT_TYPE, kind);
    }
    let request = request
        .body(Full::<Bytes>::new(body))
        .map_err(|error| Problem::new(ProblemCode::BadRequest, format!("{error}.")))?;

    let stream = client::connect(endpoint)
        .await
        .map_err(|error| nobody_there(&client::unreachable(endpoint, &error)))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(&error))?;
    // Ends by itself: with the answer's end, or when the browser drops the answer.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to the agent broke");
        }
    });
    let answer = sender
        .send_request(request)
        .await
        .map_err(|error| broken(&error))?;
    let mut response = Response::new(());
    *response.status_mut() = answer.status();
    for name in [CONTENT_TYPE, CONTENT_DISPOSITION] {
        if let Some(value) = answer.headers().get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    Ok(response.map(|()| Body::new(answer.into_body())))
}

/// 502 rather than 503: an agent that is there but busy says 503 itself, and the pages tell the two apart.
fn nobody_there(error: &ClientError) -> Problem {
    let detail = sentence(&error.to_string());
    match error {
        ClientError::NotAllowed(_) => Problem::new(ProblemCode::Forbidden, detail),
        _ => Problem {
            status: 502,
            ..Problem::new(ProblemCode::Unavailable, detail)
        },
    }
}

fn broken(error: &hyper::Error) -> Problem {
    Problem {
        status: 502,
        ..Problem::new(
            ProblemCode::Unavailable,
            format!("The talk with the agent broke off: {error}."),
        )
    }
}

/// An error's text as a sentence of its own.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
        None => String::new(),
    }
}
