//! Programs die at bad moments; nothing is lost and nothing is paid twice.

use std::time::Duration;
use sublet_tests::dockerd::Dockerd;
use sublet_tests::market::{BRISK, Market};
use sublet_tests::rig::{Rig, With};
use sublet_tests::{containers, jobs};

#[test]
fn an_agent_that_is_killed_takes_its_job_up_again() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let mut rig = Rig::ready(folder.path(), &market.url);
    let job = market.submit(&jobs::of_seconds(8));
    market.until_lease(&job, &["running"], Duration::from_secs(60));
    rig.kill_dead();
    rig.start();
    let view = market.until_job(&job, &["completed"], Duration::from_secs(90));
    assert_eq!(
        view["leases"].as_array().unwrap().len(),
        1,
        "the same lease: {view}"
    );
    let wallet = rig.until_settled();
    assert_eq!(wallet["gross"], view["charged"]);
    assert_eq!(wallet["net"], wallet["voucher"]["amount"]);
}

#[test]
fn an_agent_that_is_killed_at_each_step_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let mut rig = Rig::ready(folder.path(), &market.url);
    for state in ["pulling", "starting", "running", "uploading", "finished"] {
        let job = market.submit(&jobs::quick());
        // The step may be over before it is seen; then the next one is as good a moment.
        let order = [
            "accepted",
            "pulling",
            "starting",
            "running",
            "uploading",
            "finished",
            "verified",
            "settled",
        ];
        let from = order.iter().position(|s| *s == state).unwrap();
        market.until_lease(&job, &order[from..], Duration::from_secs(60));
        rig.kill_dead();
        rig.start();
        market.until_job(&job, &["completed"], Duration::from_secs(60));
    }
    let wallet = rig.until_settled();
    assert_eq!(wallet["gross"], market.account()["spent"]);
    assert_eq!(wallet["net"], wallet["voucher"]["amount"]);
    let name = rig.json("status")["rig"].as_str().unwrap().to_owned();
    assert_eq!(containers::of_rig(&name), Vec::<String>::new());
}

#[test]
fn a_marketplace_that_is_killed_comes_back_with_its_books_right() {
    let folder = tempfile::tempdir().unwrap();
    let mut market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let rig = Rig::ready(folder.path(), &market.url);
    let job = market.submit(&jobs::of_seconds(8));
    market.until_lease(&job, &["running"], Duration::from_secs(60));
    market.process.take().unwrap().kill_dead();
    market.restart();
    let view = market.until_job(&job, &["completed"], Duration::from_secs(90));
    let wallet = rig.until_settled();
    assert_eq!(wallet["gross"], view["charged"]);
    assert_eq!(market.account()["spent"], view["charged"]);
}

#[test]
fn docker_that_dies_under_a_job_fails_the_job_and_not_the_agent() {
    let folder = tempfile::tempdir().unwrap();
    let mut dockerd = Dockerd::start(&folder.path().join("d"));
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let with = With {
        env: vec![("DOCKER_HOST".into(), dockerd.host())],
        words: vec!["--allow-software-gpu".into()],
        ..With::default()
    };
    let mut rig = Rig::new(folder.path(), &market.url, with);
    rig.start();
    rig.until_status("connected", |status| status["market"]["connected"] == true);
    assert_eq!(rig.run(&["bench"]).code, 0);
    rig.until_status("ready", |status| status["state"] == "ready");
    let job = market.submit(&jobs::endless());
    market.until_lease(&job, &["running"], Duration::from_secs(60));
    dockerd.kill_dead();
    let view = market.until_job(&job, &["queued", "failed"], Duration::from_secs(60));
    assert_eq!(
        view["leases"][0]["ending"]["code"], "sandbox_failed",
        "{view}"
    );
    let status = rig.until_status("the reason", |status| {
        status["gpus"][0]["reasons"]
            .to_string()
            .contains("docker_unavailable")
    });
    assert_ne!(status["state"], "ready");
    dockerd.go();
    rig.until_status("Docker back", |status| {
        !status["gpus"][0]["reasons"]
            .to_string()
            .contains("docker_unavailable")
    });
    market.until_lease(&job, &["running"], Duration::from_secs(60));
    assert_eq!(market.renter(&["cancel", &job]).code, 0);
    market.until_job(&job, &["cancelled"], Duration::from_secs(30));
    let wallet = rig.until_settled();
    assert_eq!(wallet["gross"], market.account()["spent"]);
}
