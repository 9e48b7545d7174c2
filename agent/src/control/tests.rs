//! The local API over a real socket; only the daemon behind the channel is played.

use super::client::{Client, ClientError};
use super::server::{Daemon, serve_with};
use super::{BindError, Endpoint, Listener, Request};
use crate::settings::{Overrides, Watched};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use sublet_protocol::local::settings::{SettingsChange, SettingsEdit, SettingsPut};
use sublet_protocol::local::{PauseRequest, PauseView};
use sublet_protocol::problem::{PROBLEM_JSON, Problem, ProblemCode};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A server on a data folder of its own, whose daemon is `answer`.
struct Served {
    data: tempfile::TempDir,
    closing: CancellationToken,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Served {
    async fn by(answer: impl FnMut(Request) + Send + 'static) -> Self {
        let data = tempfile::tempdir().unwrap();
        let listener = Listener::bind(&Endpoint::of(data.path())).await.unwrap();
        let (requests, mut asked) = mpsc::channel(8);
        let mut answer = answer;
        tokio::spawn(async move {
            while let Some(request) = asked.recv().await {
                answer(request);
            }
        });
        let closing = CancellationToken::new();
        let daemon = Daemon {
            requests,
            answer_within: Duration::from_millis(300),
            doctor_within: Duration::from_millis(300),
            preview_within: Duration::from_millis(300),
            closing: closing.clone(),
        };
        let server = tokio::spawn(serve_with(listener, daemon));
        Self {
            data,
            closing,
            server,
        }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::of(self.data.path())
    }

    fn client(&self) -> Client {
        Client::new(self.endpoint())
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> (u16, String, Problem) {
        let stream = UnixStream::connect(self.endpoint().path()).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = hyper::Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::<bytes::Bytes>::new()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        let status = response.status().as_u16();
        let kind = response.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, kind, serde_json::from_slice(&body).unwrap())
    }
}

fn silent(request: Request) {
    // A daemon that is stuck keeps the request and says nothing.
    std::mem::forget(request);
}

fn paused_until_7(request: Request) {
    match request {
        Request::Pause { answer, .. } => {
            answer.send(Ok(PauseView { until_ms: Some(7) })).unwrap();
        }
        Request::Log { answer, lease, .. } => {
            let problem = Problem::new(ProblemCode::NotFound, format!("no lease {lease}"));
            answer.send(Err(problem)).unwrap();
        }
        Request::Resume { answer, .. } => answer.send(Ok(())).unwrap(),
        other => drop(other),
    }
}

#[tokio::test]
async fn questions_reach_the_daemon_and_answers_come_back() {
    let served = Served::by(paused_until_7).await;
    let pause = served
        .client()
        .pause(&PauseRequest {
            for_ms: Some(5),
            ..PauseRequest::default()
        })
        .await;
    assert_eq!(pause.unwrap(), PauseView { until_ms: Some(7) });
    served.client().resume().await.unwrap();
    let gpu = "GPU-7f1c".parse().unwrap();
    served.client().resume_gpu(&gpu).await.unwrap();
    let lease = "lease-1".parse().unwrap();
    match served.client().job_log(&lease, 10).await {
        Err(ClientError::Problem(problem)) => {
            assert_eq!(problem.code, ProblemCode::NotFound);
            assert_eq!(problem.detail, "no lease lease-1");
        }
        other => panic!("{other:?}"),
    }
    match served.client().status().await {
        Err(ClientError::Problem(problem)) => {
            assert_eq!(problem.code, ProblemCode::Unavailable, "dropped: {problem}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_a_browser_sends_is_refused() {
    let served = Served::by(paused_until_7).await;
    for headers in [
        &[("host", "localhost"), ("origin", "https://web.example")][..],
        &[("host", "web.example")],
    ] {
        let (status, kind, problem) = served.get("/local/v1/status", headers).await;
        assert_eq!((status, kind.as_str()), (403, PROBLEM_JSON), "{headers:?}");
        assert_eq!(problem.code, ProblemCode::Forbidden);
    }
}

#[tokio::test]
async fn bad_requests_are_told_what_is_wrong() {
    let served = Served::by(paused_until_7).await;
    let host = [("host", "localhost")];
    for (path, code) in [
        ("/local/v1/nothing", ProblemCode::NotFound),
        ("/", ProblemCode::NotFound),
        ("/local/v1/jobs/..%2Fx/log", ProblemCode::BadRequest),
        ("/local/v1/jobs/a/log?lines=0", ProblemCode::BadRequest),
        ("/local/v1/jobs/a/log?lines=x", ProblemCode::BadRequest),
        ("/local/v1/pause", ProblemCode::BadRequest),
    ] {
        let (_, kind, problem) = served.get(path, &host).await;
        assert_eq!(
            (kind.as_str(), problem.code),
            (PROBLEM_JSON, code),
            "{path}"
        );
    }
    match served
        .client()
        .pause(&PauseRequest {
            for_ms: Some(u64::MAX),
            ..PauseRequest::default()
        })
        .await
    {
        Err(ClientError::Problem(problem)) => assert!(problem.detail.contains("366 days")),
        other => panic!("{other:?}"),
    }
}

/// A daemon that has settings and nothing else.
fn with_settings(folder: &Path) -> impl FnMut(Request) + Send + 'static {
    let mut watched = Watched::open(folder, Overrides::default(), Vec::new());
    move |request| match request {
        Request::Settings(answer) => answer.send(Ok(watched.view())).unwrap(),
        Request::CheckSettings { change, answer } => {
            let preview = watched.check(&change).map_err(Problem::from);
            answer.send(preview).unwrap();
        }
        Request::ChangeSettings { put, answer } => {
            let view = watched.change(&put).map_err(Problem::from);
            answer.send(view).unwrap();
        }
        other => drop(other),
    }
}

fn problem_of<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> Problem {
    match answer {
        Err(ClientError::Problem(problem)) => *problem,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn settings_are_shown_checked_and_changed_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    let text = "# mine\n[price]\nfloor = \"0.5\" # not less\n";
    std::fs::write(&file, text).unwrap();
    let served = Served::by(with_settings(folder.path())).await;
    let client = served.client();
    let view = client.settings().await.unwrap();
    assert_eq!((view.text.as_str(), view.problem), (text, None));

    let edit = |key: &str, value: serde_json::Value| {
        SettingsChange::Edits(vec![SettingsEdit {
            key: key.to_owned(),
            value: Some(value),
        }])
    };
    let change = edit("price.floor", "0.75".into());
    let preview = client.check_settings(&change).await.unwrap();
    assert_eq!(preview.changes[0].after, "$0.75 an hour");
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        text,
        "only checked"
    );

    let put = SettingsPut {
        revision: view.revision,
        change,
    };
    let changed = client.change_settings(&put).await.unwrap();
    let new = text.replace("0.5", "0.75");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), new);
    assert_eq!(changed.text, new);

    // The same change again rests on a text that is gone.
    let stale = problem_of(client.change_settings(&put).await);
    assert_eq!(stale.code, ProblemCode::Conflict);
    // A hand-made edit that the caller has not seen is not lost either.
    std::fs::write(&file, format!("{new}# and this\n")).unwrap();
    let unseen = SettingsPut {
        revision: changed.revision,
        change: SettingsChange::Text(String::new()),
    };
    assert_eq!(
        problem_of(client.change_settings(&unseen).await).code,
        ProblemCode::Conflict
    );

    let revision = client.settings().await.unwrap().revision;
    for (change, words) in [
        (
            edit("heat.hot_c", 30.into()),
            "`heat.hot_c` is 30; it must be 40 to 105 °C",
        ),
        (edit("heat.hot", 30.into()), "`heat.hot_c` may be meant"),
        (SettingsChange::Preset("miner".into()), "gamer, studio"),
        (SettingsChange::Text("[rent]\nmode = 1\n".into()), "line 2"),
    ] {
        let revision = revision.clone();
        let put = SettingsPut { revision, change };
        let refused = problem_of(client.change_settings(&put).await);
        assert_eq!(refused.code, ProblemCode::BadRequest);
        assert!(refused.detail.contains(words), "{}", refused.detail);
    }
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        format!("{new}# and this\n")
    );
}

#[tokio::test]
async fn a_silent_daemon_is_unavailable_before_long() {
    let served = Served::by(silent).await;
    let answer = tokio::time::timeout(Duration::from_secs(5), served.client().status()).await;
    match answer.unwrap() {
        Err(ClientError::Problem(problem)) => {
            assert_eq!(
                (problem.status, problem.code),
                (503, ProblemCode::Unavailable)
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_socket_is_private_and_goes_with_the_server() {
    let served = Served::by(silent).await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let endpoint = served.endpoint();
    assert_eq!(mode(endpoint.path()), 0o600);
    assert_eq!(mode(endpoint.path().parent().unwrap()), 0o700);

    // A client that asks nothing must not hold the end up.
    let _idle = UnixStream::connect(endpoint.path()).await.unwrap();
    served.closing.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(10), served.server).await;
    ended.unwrap().unwrap().unwrap();
    assert!(!endpoint.path().exists());
}

#[tokio::test]
async fn the_live_view_tells_changes_only_and_ends_with_the_server() {
    let served = Served::by(silent).await;
    let stream = UnixStream::connect(served.endpoint().path()).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = hyper::Request::builder()
        .uri("/local/v1/events")
        .header("host", "localhost")
        .body(Empty::<bytes::Bytes>::new())
        .unwrap();
    let mut events = sender.send_request(request).await.unwrap().into_body();
    let first = events.frame().await.unwrap().unwrap().into_data().unwrap();
    let first = String::from_utf8(first.to_vec()).unwrap();
    assert!(first.starts_with("event: problem\ndata: {"), "{first}");

    // The daemon stays silent: asked again and again, it is the same problem, and so no news.
    let second = tokio::time::timeout(Duration::from_secs(3), events.frame()).await;
    assert!(second.is_err(), "{second:?}");
    served.closing.cancel();
    let end = tokio::time::timeout(Duration::from_secs(5), events.frame()).await;
    assert!(end.unwrap().is_none());
}

#[tokio::test]
async fn a_second_agent_is_refused_while_the_first_answers() {
    let served = Served::by(silent).await;
    match Listener::bind(&served.endpoint()).await {
        Err(BindError::AlreadyServed(path)) => assert_eq!(path, served.endpoint().path()),
        other => panic!("{other:?}"),
    }
    assert!(
        served
            .client()
            .resume()
            .await
            .is_err_and(|error| matches!(error, ClientError::Problem(_)))
    );
}

#[tokio::test]
async fn a_socket_left_by_a_killed_agent_is_replaced() {
    let data = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::of(data.path());
    std::fs::create_dir(endpoint.path().parent().unwrap()).unwrap();
    // std's listener leaves its file behind, as a killed process does.
    drop(std::os::unix::net::UnixListener::bind(endpoint.path()).unwrap());
    assert!(endpoint.path().exists());
    match Client::new(endpoint.clone()).status().await {
        Err(ClientError::NotRunning(path)) => assert_eq!(path, endpoint.path()),
        other => panic!("{other:?}"),
    }
    let listener = Listener::bind(&endpoint).await.unwrap();
    UnixStream::connect(endpoint.path()).await.unwrap();
    drop(listener);
    assert!(!endpoint.path().exists());
}

#[tokio::test]
async fn a_folder_that_is_too_deep_is_named() {
    let data = Path::new("/tmp").join("d".repeat(120));
    match Listener::bind(&Endpoint::of(&data)).await {
        Err(BindError::PathTooLong(_)) => {}
        other => panic!("{other:?}"),
    }
}

/// Another user's client, with folder and socket opened wide: the peer's credentials alone must hold. Needs
/// root, or sudo without a password, to become another user.
#[tokio::test]
async fn another_user_is_refused_by_who_they_are() {
    let served = Served::by(paused_until_7).await;
    let endpoint = served.endpoint();
    let open = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(served.data.path(), 0o755);
    open(endpoint.path().parent().unwrap(), 0o755);
    open(endpoint.path(), 0o666);

    let stranger = resume_as("65534", endpoint.path()).await;
    assert!(stranger.starts_with("HTTP/1.1 403 "), "{stranger}");
    assert!(stranger.contains("another user"), "{stranger}");
    let root = resume_as("0", endpoint.path()).await;
    assert!(root.starts_with("HTTP/1.1 204 "), "{root}");
}

/// The raw answer to `DELETE pause`, asked by a process of that user id.
async fn resume_as(user: &str, socket: &Path) -> String {
    const ASK: &str = r#"
        use IO::Socket::UNIX;
        my $agent = IO::Socket::UNIX->new($ARGV[0]) or die "no connection: $!";
        print $agent "DELETE /local/v1/pause HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        $agent->flush;
        print while <$agent>;
    "#;
    let become_them = ["setpriv", "--reuid", user, "--clear-groups"];
    let mut command = if rustix::process::geteuid().is_root() {
        tokio::process::Command::new(become_them[0])
    } else {
        let mut sudo = tokio::process::Command::new("sudo");
        sudo.args(["-n", become_them[0]]);
        sudo
    };
    command
        .args(&become_them[1..])
        .args(["perl", "-e", ASK])
        .arg(socket)
        .kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(20), command.output()).await;
    let output = output.unwrap().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}
