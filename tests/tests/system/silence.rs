//! One side falls silent: the job is stopped before it could run twice.

use rustix::process::Signal;
use std::time::Duration;
use sublet_tests::market::{BRISK, Market};
use sublet_tests::rig::{Rig, With};
use sublet_tests::wait::until;
use sublet_tests::{containers, jobs};

#[test]
fn a_marketplace_that_falls_silent_loses_the_job_and_gets_it_back_when_it_returns() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let rig = Rig::ready(folder.path(), &market.url);
    let name = rig.json("status")["rig"].as_str().unwrap().to_owned();
    let job = market.submit(&jobs::endless());
    market.until_lease(&job, &["running"], Duration::from_secs(60));

    market.process.as_ref().unwrap().signal(Signal::STOP);
    until("the fence", Duration::from_millis(BRISK.lost_ms), || {
        let running = containers::running_of_rig(&name);
        if running.is_empty() {
            Ok(())
        } else {
            Err(format!("{running:?}"))
        }
    });
    rig.until_status("the reason", |status| {
        status["gpus"][0]["reasons"]
            .to_string()
            .contains("market_unreachable")
    });
    market.process.as_ref().unwrap().signal(Signal::CONT);
    rig.until_status("the marketplace back", |status| {
        status["market"]["connected"] == true
    });
    until(
        "another lease of the same job",
        Duration::from_secs(60),
        || {
            let view = market.job(&job);
            let leases = view["leases"].as_array().unwrap();
            let again = leases.len() == 2 && leases[1]["state"] == "running";
            if again { Ok(()) } else { Err(view.to_string()) }
        },
    );
    assert_eq!(market.renter(&["cancel", &job]).code, 0);
    market.until_job(&job, &["cancelled"], Duration::from_secs(30));
    let wallet = rig.until_settled();
    assert_eq!(wallet["proven"], wallet["voucher"]["amount"]);
    assert_eq!(market.account()["spent"], market.job(&job)["charged"]);
}

#[test]
fn a_rig_without_docker_says_so_and_takes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let nowhere = format!("unix://{}", folder.path().join("nothing.sock").display());
    let with = With {
        env: vec![("DOCKER_HOST".into(), nowhere)],
        words: vec!["--allow-software-gpu".into()],
        ..With::default()
    };
    let mut rig = Rig::new(folder.path(), &market.url, with);
    rig.start();
    let status = rig.until_status("the reason", |status| {
        status["gpus"][0]["reasons"]
            .to_string()
            .contains("does not answer")
    });
    assert_eq!(status["sandbox"], serde_json::Value::Null);
    let doctor = rig.run(&["doctor"]);
    assert_eq!(doctor.code, 1, "{doctor:?}");
    assert!(doctor.out.contains("Docker"), "{doctor:?}");
}
