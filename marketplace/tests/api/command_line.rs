//! The renter's command line against a running marketplace: what it prints, and its exit codes.

use crate::support::{TestMarket, TestRig, job, program, run};
use std::path::Path;
use std::process::Output;
use sublet_protocol::lease::{EndCode, LeaseState};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a renter's command in a thread, so that the test's rig can go on.
async fn cli(market: &TestMarket, arguments: &[&str]) -> Output {
    let mut command = program();
    command
        .args(arguments)
        .env("SUBLET_MARKET_URL", &market.url)
        .env(
            "SUBLET_MARKET_TOKEN_FILE",
            market.folder.path().join("renters/alice.token"),
        );
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn write(folder: &Path, yaml: &str) -> String {
    let path = folder.join("job.yaml");
    std::fs::write(&path, yaml).unwrap();
    path.to_str().unwrap().to_owned()
}

async fn finish(rig: &mut TestRig, code: EndCode, bytes: Option<&[u8]>) {
    let lease = rig.granted().await.lease;
    rig.report(&lease, LeaseState::Running, 500).await;
    let mut outputs = Vec::new();
    if let Some(bytes) = bytes {
        outputs.push(rig.output("/out/picture.png", bytes).await);
    }
    let last = rig.ends(&lease, LeaseState::Finished, 1_000, code, outputs);
    rig.beat(vec![last]).await;
}

#[tokio::test]
async fn a_job_is_submitted_waited_for_and_fetched() {
    let market = TestMarket::start().await;
    market.renter("alice", "1");
    let mut rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 360_000)]).await;
    let file = write(
        market.folder.path(),
        &job("0.36", "      outputs: [/out/picture.png]\n"),
    );
    let bytes: Vec<u8> = (0..300_000u32).map(|n| (n % 249) as u8).collect();
    let arguments = ["submit", &file, "--wait", "--json"];
    let (submitted, ()) = tokio::join!(
        cli(&market, &arguments),
        finish(&mut rig, EndCode::Completed, Some(&bytes))
    );
    assert_eq!(
        submitted.status.code(),
        Some(0),
        "{}",
        text(&submitted.stderr)
    );
    let view: sublet_protocol::renter::JobView = serde_json::from_slice(&submitted.stdout).unwrap();
    let id = view.job.to_string();

    let listed = text(&cli(&market, &["ps"]).await.stdout);
    assert!(
        listed.starts_with("0 on a rig, 0 waiting for one, 1 completed."),
        "{listed}"
    );
    assert!(
        listed.contains(&id) && listed.contains("• completed"),
        "{listed}"
    );
    assert!(
        !listed.contains('\u{1b}'),
        "no colour where there is no terminal"
    );
    let shown = text(&cli(&market, &["ps", &id]).await.stdout);
    assert!(
        shown.starts_with("`tracer` completed: $0.0001 for 1.0 s."),
        "{shown}"
    );
    let account = text(&cli(&market, &["account"]).await.stdout);
    assert!(
        account.starts_with("alice has $0.9999 free to spend."),
        "{account}"
    );

    // An earlier try broke off after some bytes; what it left is taken up.
    let out = market.folder.path().join("results");
    std::fs::create_dir_all(&out).unwrap();
    let cid = view.leases[0].ending.as_ref().unwrap().outputs[0].cid;
    let part = out.join(format!(".{cid}.part"));
    std::fs::write(&part, &bytes[..100_000]).unwrap();
    let folder = out.to_str().unwrap();
    let fetched = cli(&market, &["fetch", &id, "--out", folder]).await;
    assert_eq!(fetched.status.code(), Some(0), "{}", text(&fetched.stderr));
    assert!(text(&fetched.stdout).contains("picture.png"), "{fetched:?}");
    assert_eq!(std::fs::read(out.join("picture.png")).unwrap(), bytes);
    assert!(!part.exists());
    // Again: nothing to do. And with a broken part, what comes is found out and thrown away.
    assert_eq!(
        cli(&market, &["fetch", &id, "--out", folder])
            .await
            .status
            .code(),
        Some(0)
    );
    std::fs::remove_file(out.join("picture.png")).unwrap();
    std::fs::write(&part, vec![0; 100_000]).unwrap();
    let broken = cli(&market, &["fetch", &id, "--out", folder]).await;
    assert_eq!(broken.status.code(), Some(1));
    assert!(text(&broken.stderr).contains("thrown away"), "{broken:?}");
    assert!(!part.exists() && !out.join("picture.png").exists());
}

#[tokio::test]
async fn exit_codes_tell_refusal_usage_unreachable_and_a_failed_job_apart() {
    let market = TestMarket::start().await;
    market.renter("alice", "1");
    let mut rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 360_000)]).await;
    let good = write(market.folder.path(), &job("0.36", ""));
    let arguments = ["submit", &good, "--wait"];
    let (failed, ()) = tokio::join!(
        cli(&market, &arguments),
        finish(&mut rig, EndCode::JobFailed, None)
    );
    assert_eq!(failed.status.code(), Some(4), "{failed:?}");
    assert!(
        text(&failed.stderr).contains("ended without success"),
        "{failed:?}"
    );

    let unknown = cli(&market, &["cancel", "job-none"]).await;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        text(&unknown.stderr).contains("There is no job job-none of yours"),
        "{unknown:?}"
    );
    assert_eq!(cli(&market, &["cancel"]).await.status.code(), Some(2));
    assert_eq!(
        cli(&market, &["submit", "/nowhere/job.yaml"])
            .await
            .status
            .code(),
        Some(1)
    );
    let away = cli(&market, &["ps", "--url", "http://127.0.0.1:1"]).await;
    assert_eq!(away.status.code(), Some(3));
    assert!(text(&away.stderr).contains("cannot be reached"), "{away:?}");

    let bad = write(
        market.folder.path(),
        &job("0.36", "      privileged: true\n"),
    );
    let refused = cli(&market, &["validate", &bad]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("line 6"), "{refused:?}");
}

#[tokio::test]
async fn logs_are_followed_to_their_end() {
    let market = TestMarket::start().await;
    let renter = market.renter("alice", "1");
    let mut rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 360_000)]).await;
    let id = renter.submit(&job("0.36", "")).await.unwrap().to_string();
    let lease = rig.granted().await.lease;
    let arguments = ["logs", id.as_str(), "--follow"];
    let writing = async {
        for (offset, line, end) in [(0, "first\n", false), (6, "second\n", true)] {
            let append = sublet_protocol::renter::LogAppend {
                offset,
                text: line.into(),
                end,
            };
            let path = rig.path(&format!("leases/{lease}/logs"));
            let sent = rig
                .request(reqwest::Method::POST, &path)
                .json(&append)
                .send()
                .await;
            assert_eq!(sent.unwrap().status(), 200);
        }
        let over = rig.ends(&lease, LeaseState::Finished, 10, EndCode::JobFailed, vec![]);
        rig.beat(vec![over]).await;
    };
    let (followed, ()) = tokio::join!(cli(&market, &arguments), writing);
    assert_eq!(followed.status.code(), Some(0), "{followed:?}");
    assert_eq!(text(&followed.stdout), "first\nsecond\n");
}

#[tokio::test]
async fn a_token_is_made_once_private_and_can_be_replaced() {
    use std::os::unix::fs::PermissionsExt;
    let market = TestMarket::start().await;
    let renter = market.renter("alice", "1");
    let first = std::fs::read_to_string(&renter.token_file).unwrap();
    let mode = std::fs::metadata(&renter.token_file)
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let database = std::fs::read(market.folder.path().join("market.sqlite-wal")).unwrap();
    let secret = first.trim().split_once('.').unwrap().1;
    let leaked = database
        .windows(secret.len())
        .any(|window| window == secret.as_bytes());
    assert!(!leaked, "the database holds the token itself");

    renter.top_up("1");
    assert_eq!(std::fs::read_to_string(&renter.token_file).unwrap(), first);
    let data = market.folder.path().to_str().unwrap();
    let replaced = run(&[
        "topup",
        "alice",
        "0",
        "--data",
        data,
        "--new-token",
        "--json",
    ]);
    assert!(replaced.status.success(), "{replaced:?}");
    assert!(!text(&replaced.stdout).contains(secret));
    assert_ne!(std::fs::read_to_string(&renter.token_file).unwrap(), first);
    assert_eq!(renter.account().await.balance.0, 2_000_000);
    let old = crate::support::http()
        .get(format!("{}/v1/account", market.url))
        .bearer_auth(first.trim());
    assert_eq!(old.send().await.unwrap().status(), 401);

    let nowhere = run(&["topup", "alice", "1", "--data", "/nowhere"]);
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(
        text(&nowhere.stderr).contains("serve --data /nowhere"),
        "{nowhere:?}"
    );
    assert_eq!(
        run(&["topup", "alice", "-1", "--data", data]).status.code(),
        Some(2)
    );
}
