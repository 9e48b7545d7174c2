//! The dashboard in front of a real socket of the local API; only the daemon behind that is played.

use super::*;
use crate::control::{Listener, Request, serve};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use sublet_protocol::local::PauseView;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

struct Open {
    data: tempfile::TempDir,
    port: u16,
    token: String,
    closing: CancellationToken,
    served: tokio::task::JoinHandle<Result<(), DashboardError>>,
}

impl Open {
    async fn now() -> Self {
        let data = tempfile::tempdir().unwrap();
        let pages = data.path().join("pages");
        std::fs::create_dir(&pages).unwrap();
        std::fs::write(pages.join("index.html"), "<p>pages").unwrap();
        let endpoint = Endpoint::of(data.path());
        let dashboard = Dashboard::open(endpoint, 0, Some(pages)).await.unwrap();
        let port = dashboard.port();
        let token = dashboard.link().split_once("#token=").unwrap().1.to_owned();
        let closing = CancellationToken::new();
        let served = tokio::spawn(dashboard.serve(closing.clone()));
        Self {
            data,
            port,
            token,
            closing,
            served,
        }
    }

    /// An agent that is paused until 7, and knows nothing else.
    async fn with_agent() -> Self {
        let open = Self::now().await;
        let endpoint = Endpoint::of(open.data.path());
        let listener = Listener::bind(&endpoint).await.unwrap();
        let (requests, mut asked) = mpsc::channel(8);
        tokio::spawn(async move {
            while let Some(request) = asked.recv().await {
                if let Request::Pause { answer, .. } = request {
                    answer.send(Ok(PauseView { until_ms: Some(7) })).unwrap();
                }
            }
        });
        tokio::spawn(serve(listener, requests, open.closing.clone()));
        open
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> hyper::Response<Incoming> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
            .await
            .unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = hyper::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Full::new(bytes::Bytes::from_static(b"{}"));
        sender
            .send_request(request.body(body).unwrap())
            .await
            .unwrap()
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }
}

async fn text(response: hyper::Response<Incoming>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_call_with_the_token_reaches_the_agent_though_a_browser_made_it() {
    let open = Open::with_agent().await;
    let (host, bearer) = (open.host(), open.bearer());
    let origin = format!("http://{host}");
    let headers = [
        ("host", host.as_str()),
        ("authorization", &bearer),
        ("origin", &origin),
        ("sec-fetch-site", "same-origin"),
    ];
    let answer = open.send("PUT", "/local/v1/pause", &headers).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(text(answer).await, r#"{"until_ms":7}"#);
}

#[tokio::test]
async fn the_live_view_comes_through_piece_by_piece() {
    let open = Open::with_agent().await;
    let (host, bearer) = (open.host(), open.bearer());
    let headers = [("host", host.as_str()), ("authorization", &bearer)];
    let mut answer = open.send("GET", "/local/v1/events", &headers).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let first = tokio::time::timeout(Duration::from_secs(10), answer.frame())
        .await
        .unwrap();
    let first = first.unwrap().unwrap().into_data().unwrap();
    assert!(first.starts_with(b"event: problem\n"), "{first:?}");
    open.closing.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(10), open.served).await;
    ended.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn strangers_are_refused_before_the_agent_hears_of_them() {
    let open = Open::with_agent().await;
    let (host, bearer) = (open.host(), open.bearer());
    let pause = "/local/v1/pause";
    for (path, headers, status) in [
        (pause, &[("host", host.as_str())][..], 401),
        (
            pause,
            &[("host", &host), ("authorization", "Bearer 0")],
            401,
        ),
        (
            pause,
            &[("host", "evil.example"), ("authorization", &bearer)],
            403,
        ),
        (
            pause,
            &[
                ("host", &host),
                ("authorization", &bearer),
                ("origin", "http://evil.example"),
            ],
            403,
        ),
        ("/index.html", &[("host", "evil.example")], 403),
        ("/index.html", &[("host", &host)], 405),
    ] {
        let answer = open.send("PUT", path, headers).await;
        assert_eq!(answer.status(), status, "{path} {headers:?}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    }
}

#[tokio::test]
async fn pages_come_with_a_strict_policy_and_nothing_else_comes() {
    let open = Open::now().await;
    let host = open.host();
    let host = [("host", host.as_str())];
    let answer = open.send("GET", "/", &host).await;
    assert_eq!(answer.status(), 200);
    let policy = answer.headers()["content-security-policy"]
        .to_str()
        .unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));
    assert_eq!(text(answer).await, "<p>pages");
    for path in [
        "/../agent.sock",
        "/%2e%2e/run/agent.sock",
        "//etc/passwd",
        "/none",
    ] {
        assert_eq!(open.send("GET", path, &host).await.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn an_agent_that_is_away_is_said_to_be_away() {
    let open = Open::now().await;
    let (host, bearer) = (open.host(), open.bearer());
    let headers = [("host", host.as_str()), ("authorization", &bearer)];
    let answer = open.send("GET", "/local/v1/status", &headers).await;
    assert_eq!(answer.status(), 502);
    let problem: Problem = serde_json::from_str(&text(answer).await).unwrap();
    assert!(
        problem.detail.starts_with("The agent is not running"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_taken_port_and_absent_pages_say_what_to_do() {
    let open = Open::now().await;
    let endpoint = Endpoint::of(open.data.path());
    let pages = open.data.path().join("pages");
    let taken = Dashboard::open(endpoint.clone(), open.port, Some(pages)).await;
    assert!(taken.unwrap_err().to_string().contains("--port"));
    let empty = Dashboard::open(endpoint, 0, Some(open.data.path().to_owned())).await;
    assert!(empty.unwrap_err().to_string().contains("npm run build"));
}
