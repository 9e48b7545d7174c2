//! The program itself against the local API over its real socket; only the daemon behind it is played.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at once")]

use std::process::{Output, Stdio};
use std::time::Duration;
use sublet_agent::control::{BindError, Endpoint, Listener, Request, serve};
use sublet_agent::settings::{Overrides, Watched};
use sublet_protocol::local::history::History;
use sublet_protocol::local::{
    BenchOutcome, BenchView, Doctor, Gpus, Jobs, MarketView, PauseView, Status, Wallet,
};
use sublet_protocol::money::MicroUsd;
use sublet_protocol::problem::{Problem, ProblemCode};
use sublet_protocol::reason::RigState;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

async fn sublet(data: &std::path::Path, arguments: &[&str]) -> Output {
    let child = tokio::process::Command::new(env!("CARGO_BIN_EXE_sublet"))
        .args(arguments)
        .env_clear()
        .env("SUBLET_DATA", data)
        .env("LANG", "C.UTF-8")
        .envs(std::env::var_os("SystemRoot").map(|root| ("SystemRoot", root)))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    tokio::time::timeout(Duration::from_secs(90), child)
        .await
        .unwrap()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Code and standard output. A failure also shows what stood on standard error.
async fn ran(data: &std::path::Path, arguments: &[&str]) -> (i32, String) {
    let output = sublet(data, arguments).await;
    match output.status.code() {
        Some(code) => (code, text(&output.stdout).to_owned()),
        None => panic!("{arguments:?} was killed: {}", text(&output.stderr)),
    }
}

fn status(state: RigState) -> Status {
    Status {
        sentence: "Ready: your GPU is on offer.".to_owned(),
        state,
        version: "0.1.0".to_owned(),
        rig: "rig-1".parse().unwrap(),
        market: MarketView {
            url: "https://market.example".to_owned(),
            connected: true,
            last_answer_ms: None,
            fee: None,
            problem: None,
        },
        gpus: vec![],
        leases: vec![],
        pause: None,
        today: MicroUsd(0),
        sandbox: None,
        set_up: true,
    }
}

fn empty_wallet() -> Wallet {
    let wallet = serde_json::json!({
        "gross": 0, "fee": 0, "net": 0, "proven": 0, "unproven": 0, "written_off": 0, "today": 0, "voucher": null,
        "payout_address": null, "earnings": [],
    });
    serde_json::from_value(wallet).unwrap()
}

fn nothing_recorded(days: u32) -> History {
    History {
        from_ms: 0,
        to_ms: u64::from(days),
        recorded_from_ms: None,
        problem: None,
        gpus: vec![],
        days: vec![],
        weeks: vec![],
    }
}

fn unasked() -> Problem {
    Problem::new(ProblemCode::Internal, "No command asks this.")
}

/// A daemon with one finished benchmark, which a new one takes two looks to repeat.
#[derive(Default)]
struct Played {
    state: Option<RigState>,
    bench_looks_left: u32,
    settings: Option<(tempfile::TempDir, Watched)>,
}

impl Played {
    /// Real settings, in a folder of their own.
    fn settings(&mut self) -> &mut Watched {
        let (_, watched) = self.settings.get_or_insert_with(|| {
            let folder = tempfile::tempdir().unwrap();
            let watched = Watched::open(folder.path(), Overrides::default(), Vec::new());
            (folder, watched)
        });
        watched
    }

    fn bench(&self) -> BenchView {
        BenchView {
            running: self.bench_looks_left > 0,
            progress_permille: 500,
            step: "fp32 matrix product".to_owned(),
            results: vec![BenchOutcome {
                gpu: "gpu-1".parse().unwrap(),
                name: "Card".to_owned(),
                score: None,
                spread_permille: None,
                problem: Some("It got lost.".to_owned()),
            }],
        }
    }

    fn answer(&mut self, request: Request) {
        match request {
            Request::Status(to) => match self.state {
                Some(state) => drop(to.send(Ok(status(state)))),
                None => drop(to.send(Err(Problem::new(ProblemCode::Internal, "It is broken.")))),
            },
            Request::Gpus(to) => drop(to.send(Ok(Gpus {
                gpus: vec![],
                problems: vec![],
            }))),
            Request::Jobs(to) => drop(to.send(Ok(Jobs { leases: vec![] }))),
            Request::Log { lines, answer, .. } => {
                drop(answer.send(Ok(format!("{lines} lines\n\x1b[2Jevil\n"))));
            }
            Request::Wallet(to) => drop(to.send(Ok(empty_wallet()))),
            Request::History { days, answer } => drop(answer.send(Ok(nothing_recorded(days)))),
            Request::Trace { answer, .. } => drop(answer.send(Err(Problem::new(
                ProblemCode::Conflict,
                "Nothing was recorded yet.",
            )))),
            Request::Telemetry { answer, .. } => drop(answer.send(Err(unasked()))),
            Request::Preview { answer, .. } => drop(answer.send(Err(unasked()))),
            Request::Pause { request, answer } => drop(answer.send(Ok(PauseView {
                until_ms: request.for_ms,
            }))),
            Request::Resume { answer: to, .. } => drop(to.send(Ok(()))),
            Request::Bench(to) => {
                self.bench_looks_left = self.bench_looks_left.saturating_sub(1);
                drop(to.send(Ok(self.bench())));
            }
            Request::StartBench(to) => {
                self.bench_looks_left = 2;
                drop(to.send(Ok(self.bench())));
            }
            Request::Doctor(to) => drop(to.send(Ok(Doctor { checks: vec![] }))),
            Request::Settings(to) => drop(to.send(Ok(self.settings().view()))),
            Request::CheckSettings { change, answer } => {
                let preview = self.settings().check(&change);
                drop(answer.send(preview.map_err(Problem::from)));
            }
            Request::ChangeSettings { put, answer } => {
                let view = self.settings().change(&put);
                drop(answer.send(view.map_err(Problem::from)));
            }
        }
    }
}

/// Serves `played` in a data folder of its own until the token goes.
async fn served(mut played: Played) -> (tempfile::TempDir, tokio_util::sync::DropGuard) {
    let data = tempfile::tempdir().unwrap();
    let listener = Listener::bind(&Endpoint::of(data.path())).await.unwrap();
    let (requests, mut asked) = mpsc::channel(8);
    tokio::spawn(async move {
        while let Some(request) = asked.recv().await {
            played.answer(request);
        }
    });
    let closing = CancellationToken::new();
    tokio::spawn(serve(listener, requests, closing.clone()));
    (data, closing.drop_guard())
}

#[tokio::test]
async fn every_command_answers_for_people_and_for_programs() {
    let played = Played {
        state: Some(RigState::Ready),
        ..Played::default()
    };
    let (data, _end) = served(played).await;
    let data = data.path();
    for (command, code, sentence) in [
        ("status", 0, "Ready: your GPU is on offer."),
        ("gpus", 0, "No GPU was found."),
        ("jobs", 0, "No job ran here yet."),
        ("wallet", 0, "Nothing was earned yet."),
        ("history", 0, "Nothing was recorded yet."),
        ("pause", 0, "Paused until you resume."),
        ("resume", 0, "Resumed: "),
        ("bench", 1, "No GPU could be measured."),
        ("doctor", 0, "Everything that renting needs is there."),
    ] {
        let (found, page) = ran(data, &[command]).await;
        assert_eq!(found, code, "{command}");
        assert!(page.starts_with(sentence), "{command}: {page}");
        assert!(!page.contains('\x1b'), "no terminal, no colour: {page:?}");

        let (found, json) = ran(data, &[command, "--json"]).await;
        assert_eq!(found, code, "{command} --json");
        serde_json::from_str::<serde_json::Value>(&json).unwrap();
    }
    let (_, json) = ran(data, &["status", "--json"]).await;
    assert_eq!(
        serde_json::from_str::<Status>(&json).unwrap(),
        status(RigState::Ready)
    );
    let (_, json) = ran(data, &["pause", "2h", "--json"]).await;
    let pause = serde_json::from_str::<PauseView>(&json).unwrap();
    assert_eq!(pause.until_ms, Some(7_200_000));
    let (_, csv) = ran(data, &["wallet", "--csv"]).await;
    assert!(csv.starts_with("lease,name,at,"), "{csv}");
    let (_, log) = ran(data, &["jobs", "--log", "lease-1", "--lines", "7"]).await;
    assert_eq!(log, "7 lines\n?[2Jevil\n");
}

#[tokio::test]
async fn settings_are_changed_through_the_agent_and_without_one() {
    let (served, _end) = served(Played::default()).await;
    let alone = tempfile::tempdir().unwrap();
    let nobody = alone.path().join("not/made/yet");
    for data in [served.path(), &nobody] {
        let (code, page) = ran(data, &["settings"]).await;
        assert_eq!(code, 0, "{page}");
        assert!(page.starts_with("Rents once you have been away for 5 minutes"));
        let hours = ["settings", "set", "rent.hours", "mon-fri 22:00 to 08:00"];
        let (code, page) = ran(data, &hours).await;
        assert_eq!(code, 0, "{page}");
        assert!(page.contains("mon-fri 22:00 to 08:00"), "{page}");
        let (code, page) = ran(data, &["settings", "preset", "farm"]).await;
        assert_eq!(code, 0, "{page}");
        assert!(page.starts_with("Rents always"), "{page}");
        let (code, json) = ran(data, &["settings", "--json"]).await;
        let view: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(code, 0);
        assert_eq!(view["values"][0]["value"], "always");
        assert!(view["text"].as_str().unwrap().contains("[[rent.hours]]"));
        let text = view["text"].clone();

        let bad = sublet(data, &["settings", "set", "rent.away_minutes", "-5"]).await;
        assert_eq!(bad.status.code(), Some(1));
        let said = crate::text(&bad.stderr);
        assert!(
            said.contains("`rent.away_minutes` is -5; it must be 1 to 1440 minutes"),
            "{said}"
        );
        let unknown = sublet(data, &["settings", "unset", "rent.awayminutes"]).await;
        assert_eq!(unknown.status.code(), Some(2));
        let (_, after) = ran(data, &["settings", "--json"]).await;
        let after: serde_json::Value = serde_json::from_str(&after).unwrap();
        assert_eq!(after["text"], text, "a refused change writes nothing");

        let file = alone.path().join("new.toml");
        std::fs::write(&file, "[rent]\nmode = \"of\"\n").unwrap();
        let (code, page) = ran(data, &["settings", "check", file.to_str().unwrap()]).await;
        assert_eq!(code, 1);
        assert!(
            page.contains("line 2, column 8: `rent.mode` is \"of\""),
            "{page}"
        );
    }
    assert!(nobody.join("settings.toml").exists());
}

#[tokio::test]
async fn progress_goes_to_standard_error_in_plain_lines_where_nobody_watches() {
    let (data, _end) = served(Played::default()).await;
    let output = sublet(data.path(), &["bench", "--json"]).await;
    assert_eq!(text(&output.stderr), "50 %  fp32 matrix product\n");
    serde_json::from_slice::<BenchView>(&output.stdout).unwrap();
}

#[tokio::test]
async fn exit_codes_say_what_kind_of_failure_it_was() {
    let nobody = tempfile::tempdir().unwrap();
    let output = sublet(nobody.path(), &["status"]).await;
    assert_eq!(output.status.code(), Some(3));
    let told = text(&output.stderr);
    assert!(told.contains("Start it with: sublet run"), "{told}");
    assert!(output.stdout.is_empty());

    for wrong in [
        &["pause", "soon"][..],
        &["nonsense"],
        &["jobs", "--log", "../x"],
        &[],
    ] {
        assert_eq!(ran(nobody.path(), wrong).await.0, 2, "{wrong:?}");
    }

    let (broken, _end) = served(Played::default()).await;
    let output = sublet(broken.path(), &["status"]).await;
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(told.contains("It is broken."), "{told}");

    let waiting = Played {
        state: Some(RigState::NeedsYou),
        ..Played::default()
    };
    let (waiting, _end) = served(waiting).await;
    assert_eq!(ran(waiting.path(), &["status"]).await.0, 4);
}

#[tokio::test]
async fn only_one_agent_answers_for_a_data_folder() {
    let (data, _end) = served(Played::default()).await;
    let second = Listener::bind(&Endpoint::of(data.path())).await;
    assert!(
        matches!(second, Err(BindError::AlreadyServed(_))),
        "{second:?}"
    );
}

#[tokio::test]
async fn the_doctor_looks_alone_where_no_agent_runs() {
    let nobody = tempfile::tempdir().unwrap();
    let (code, json) = ran(nobody.path(), &["doctor", "--json"]).await;
    let doctor = serde_json::from_str::<Doctor>(&json).unwrap();
    assert_eq!(doctor.checks[0].name, "Agent");
    assert!(doctor.checks[0].found.contains("not running"));
    let bad = doctor
        .checks
        .iter()
        .any(|check| check.verdict == sublet_protocol::local::Verdict::Bad);
    assert_eq!(code, i32::from(bad));
}

#[tokio::test]
async fn completions_and_the_description_are_written() {
    let nobody = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (code, script) = ran(nobody.path(), &["completions", shell]).await;
        assert!(code == 0 && script.contains("doctor"), "{shell}");
    }
    let (code, document) = ran(nobody.path(), &["openapi"]).await;
    assert_eq!(code, 0);
    serde_json::from_str::<serde_json::Value>(&document).unwrap();
}
