//! Who comes in: this machine's own browser, on our own pages, with the link's token.

use super::Room;
use super::token::Token;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use sublet_protocol::problem::{PROBLEM_JSON, Problem, ProblemCode};

const CALLS: &str = "/local/";

/// Nothing from elsewhere, nothing inline, framed by nobody.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const ON_EVERY_ANSWER: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

/// Refuses whoever may not come in, and puts the browser's safety catches on every answer.
pub(super) async fn guard(State(room): State<Arc<Room>>, request: Request, next: Next) -> Response {
    let calls = request.uri().path().starts_with(CALLS);
    let checked = from_here(request.headers(), room.port).and_then(|()| {
        if calls {
            with_token(request.headers(), &room.token)
        } else {
            Ok(())
        }
    });
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(problem) => refuse(problem),
    };
    for (name, value) in ON_EVERY_ANSWER {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A problem document as an HTTP answer.
pub(super) fn refuse(problem: Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    (status, [kind], axum::Json(problem)).into_response()
}

/// A page of another site can make a browser call us, under its own name (`Origin`) or under a name of its own that
/// it points at this machine (`Host`). Neither is ours.
fn from_here(headers: &HeaderMap, port: u16) -> Result<(), Problem> {
    let ours = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let forbidden = |detail: String| Err(Problem::new(ProblemCode::Forbidden, detail));
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return forbidden("A call names one host.".to_owned());
    };
    if !ours.iter().any(|our| host.as_bytes() == our.as_bytes()) {
        return forbidden(format!(
            "The dashboard answers at 127.0.0.1:{port} only. Through a tunnel, use the same port on both sides."
        ));
    }
    for origin in headers.get_all(header::ORIGIN) {
        let said = origin.as_bytes().strip_prefix(b"http://");
        if said.is_none_or(|said| said != host.as_bytes()) {
            return forbidden("Pages of other sites may not call the dashboard.".to_owned());
        }
    }
    for site in headers.get_all("sec-fetch-site") {
        if !matches!(site.as_bytes(), b"same-origin" | b"none") {
            return forbidden("Pages of other sites may not call the dashboard.".to_owned());
        }
    }
    Ok(())
}

fn with_token(headers: &HeaderMap, token: &Token) -> Result<(), Problem> {
    let said = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if said.is_some_and(|said| token.is(said)) {
        return Ok(());
    }
    Err(Problem::new(
        ProblemCode::Unauthorized,
        "The link's token is missing or has expired. Open the link that `sublet dashboard` printed last.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn only_this_machines_own_pages_come_in() {
        for good in [
            &[("host", "127.0.0.1:7340")][..],
            &[
                ("host", "localhost:7340"),
                ("origin", "http://localhost:7340"),
            ],
            &[("host", "127.0.0.1:7340"), ("sec-fetch-site", "none")],
            &[
                ("host", "127.0.0.1:7340"),
                ("sec-fetch-site", "same-origin"),
            ],
        ] {
            assert_eq!(from_here(&headers(good), 7340), Ok(()), "{good:?}");
        }
        for bad in [
            &[][..],
            &[("host", "127.0.0.1")],
            &[("host", "127.0.0.1:7341")],
            &[("host", "rebound.example:7340")],
            &[("host", "127.0.0.1:7340.example")],
            &[("host", "127.0.0.1:7340"), ("origin", "null")],
            &[
                ("host", "127.0.0.1:7340"),
                ("origin", "https://127.0.0.1:7340"),
            ],
            &[
                ("host", "127.0.0.1:7340"),
                ("origin", "http://127.0.0.1:8000"),
            ],
            &[
                ("host", "127.0.0.1:7340"),
                ("origin", "http://localhost:7340"),
            ],
            &[("host", "127.0.0.1:7340"), ("sec-fetch-site", "cross-site")],
            &[("host", "127.0.0.1:7340"), ("sec-fetch-site", "same-site")],
        ] {
            let refused = from_here(&headers(bad), 7340).unwrap_err();
            assert_eq!(refused.code, ProblemCode::Forbidden, "{bad:?}");
        }
    }

    #[test]
    fn a_call_needs_the_token_as_a_bearer() {
        let token = Token::random().unwrap();
        let bearer = |text: String| with_token(&headers(&[("authorization", &text)]), &token);
        assert_eq!(bearer(format!("Bearer {}", token.reveal())), Ok(()));
        for bad in ["Bearer ", "Bearer 00", "Basic 00", token.reveal()] {
            assert!(bearer(bad.to_owned()).is_err(), "{bad}");
        }
        assert!(with_token(&HeaderMap::new(), &token).is_err());
    }
}
