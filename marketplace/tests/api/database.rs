//! Databases that cannot be used, and restarts of one that can.

use crate::support::{TestMarket, audit, config, job, program, run};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use std::path::Path;
use sublet_market::app::Timing;
use sublet_market::db::OpenError;
use sublet_market::serve::{Market, ServeError};
use sublet_protocol::lease::{EndCode, LeaseState};
use sublet_protocol::money::MicroUsd;
use sublet_protocol::problem::ProblemCode;
use sublet_protocol::renter::JobState;

async fn open_error(folder: &Path) -> ServeError {
    match Market::open(config(folder, Timing::default())).await {
        Ok(_) => panic!("it must not open"),
        Err(error) => error,
    }
}

/// A folder with a database that was served once.
async fn served_once() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::open(config(folder.path(), Timing::default()))
        .await
        .unwrap();
    let serving = market.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    serving.close().await;
    folder
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let folder = served_once().await;
    let file = folder.path().join("market.sqlite");
    let options = SqliteConnectOptions::new().filename(&file);
    let mut conn = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("PRAGMA user_version = 999")
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
    let before = std::fs::read(&file).unwrap();
    let error = open_error(folder.path()).await;
    assert!(
        matches!(
            error,
            ServeError::Database(OpenError::Newer { found: 999, .. })
        ),
        "{error}"
    );
    assert!(error.to_string().contains("newer sublet-market"), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn a_truncated_database_and_one_that_is_none_are_named_as_damaged() {
    let folder = served_once().await;
    let file = folder.path().join("market.sqlite");
    let whole = std::fs::read(&file).unwrap();
    assert!(
        whole.len() > 8192,
        "the database is {} bytes long",
        whole.len()
    );
    for bytes in [
        &whole[..whole.len() - 4096],
        &whole[..100],
        b"this is a letter to my aunt, and no database at all".as_slice(),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let error = open_error(folder.path()).await;
        assert!(
            matches!(error, ServeError::Database(OpenError::Damaged { .. })),
            "{} bytes: {error}",
            bytes.len()
        );
        assert!(error.to_string().contains("backup"), "{error}");
    }
    std::fs::write(&file, &whole).unwrap();
    Market::open(config(folder.path(), Timing::default()))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_folder_serves_one_marketplace_at_a_time() {
    let market = TestMarket::start().await;
    let error = open_error(market.folder.path()).await;
    assert!(matches!(error, ServeError::Taken(_)), "{error}");
    let data = market.folder.path().to_str().unwrap();
    let second = run(&["serve", "--data", data, "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&second.stderr).contains("already"),
        "{second:?}"
    );
}

#[tokio::test]
async fn a_key_that_others_can_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let folder = served_once().await;
    let key = folder.path().join("voucher.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = open_error(folder.path()).await;
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

#[tokio::test]
async fn a_restart_in_mid_job_loses_nothing() {
    let mut market = TestMarket::start().await;
    let mut renter = market.renter("alice", "1");
    let mut rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 360_000)]).await;
    let submitted = renter.submit(&job("0.36", "")).await.unwrap();
    let grant = rig.granted().await;
    rig.report(&grant.lease, LeaseState::Running, 1_000).await;
    let (held, epoch) = (rig.held, rig.session.epoch);

    market.restart().await;
    renter.moved_to(&market.url);
    let beat = rig.heartbeat(vec![]);
    rig.url.clone_from(&market.url);
    assert_eq!(
        rig.send(&beat).await.unwrap_err().code,
        ProblemCode::Unauthorized
    );
    rig.reconnect(&market.url).await;
    assert!(rig.session.epoch > epoch);
    // Same channel, same voucher, same funding; the lease goes on.
    let reply = rig.report(&grant.lease, LeaseState::Running, 1_000).await;
    assert_eq!(rig.held, held);
    assert!(reply.funding[0].funded_ms > grant.funded_ms);
    let lower = rig.says(&grant.lease, LeaseState::Running, 900);
    let refused = rig.beat(vec![lower]).await.refused;
    assert_eq!(refused[0].problem.code, ProblemCode::UsageWentBack);
    let last = rig.ends(
        &grant.lease,
        LeaseState::Finished,
        1_500,
        EndCode::Completed,
        vec![],
    );
    rig.beat(vec![last]).await;
    assert_eq!(rig.held, MicroUsd(143));
    assert_eq!(renter.job(&submitted).await.state, JobState::Completed);
    market.audit().await;
}

#[tokio::test]
async fn a_grant_survives_a_restart_until_it_is_taken_in() {
    let mut market = TestMarket::start().await;
    let renter = market.renter("alice", "1");
    let mut rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 360_000)]).await;
    let submitted = renter.submit(&job("0.36", "")).await.unwrap();
    renter
        .until(&submitted, |view| view.state == JobState::Leased)
        .await;
    market.restart().await;
    rig.reconnect(&market.url).await;
    assert_eq!(rig.granted().await.job, submitted);
}

#[tokio::test]
async fn a_full_disk_refuses_changes_and_loses_none_that_it_took() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap().to_owned();
    // A file may grow to 400 KiB, then writes fail as on a full disk.
    let script = format!(
        "trap '' XFSZ; ulimit -f 400; exec {} serve --data {data} --listen 127.0.0.1:0",
        env!("CARGO_BIN_EXE_sublet-market")
    );
    let mut child = crate::killing::Served::start(
        std::process::Command::new("bash").args(["-c", &script]),
        folder.path(),
    );
    let url = child.url();
    let renter = crate::support::Renter::with(folder.path(), &url, "alice", "1");
    let yaml = job(
        "0.36",
        &format!("      outputs: [/out/{}]\n", "a".repeat(3_000)),
    );
    let mut taken = 0;
    let refused = loop {
        match renter.submit(&yaml).await {
            Ok(_) => taken += 1,
            Err(problem) => break problem,
        }
        assert!(taken < 1_000, "the disk never filled up");
    };
    assert_eq!(refused.code, ProblemCode::Unavailable);
    assert!(refused.detail.contains("Nothing was changed"), "{refused}");
    assert!(taken > 0);
    // It still answers what needs no writing.
    assert_eq!(renter.account().await.balance, MicroUsd(1_000_000));
    child.terminate();

    let mut child = crate::killing::Served::start(
        program().args(["serve", "--data", &data, "--listen", "127.0.0.1:0"]),
        folder.path(),
    );
    let renter = crate::support::Renter::with(folder.path(), &child.url(), "alice", "1");
    let request = renter.request(reqwest::Method::GET, "/v1/jobs");
    let list: sublet_protocol::renter::JobList =
        crate::support::answer(request.send().await.unwrap())
            .await
            .unwrap();
    assert_eq!(list.jobs.len(), taken.min(100));
    renter.submit(&yaml).await.unwrap();
    child.terminate();
    audit(folder.path()).await;
}
