//! A job's life, told by the programs that people use.

use std::time::Duration;
use sublet_protocol::blob::BlobId;
use sublet_tests::market::{BRISK, Market};
use sublet_tests::rig::{Rig, With};
use sublet_tests::{containers, jobs};

#[test]
fn a_job_goes_from_order_to_paid() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let rig = Rig::ready(folder.path(), &market.url);

    let job = market.submit(&jobs::quick());
    let view = market.until_job(&job, &["completed"], Duration::from_secs(60));
    let output = &view["leases"][0]["ending"]["outputs"][0];

    let out = folder.path().join("fetched");
    let said = market.renter(&["fetch", &job, "--out", out.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{said:?}");
    let bytes = std::fs::read(out.join("picture.png")).unwrap();
    assert!(bytes.starts_with(b"\x89PNG"));
    assert_eq!(output["cid"], BlobId::of(&bytes).to_string());

    let wallet = rig.until_settled();
    assert_eq!(wallet["gross"], view["charged"]);
    assert_eq!(wallet["net"], wallet["voucher"]["amount"]);
    assert_eq!(wallet["written_off"], 0);
    let account = market.account();
    assert_eq!(account["spent"], wallet["gross"]);
    assert_eq!(account["reserved"], 0);

    let log = market.renter(&["logs", &job]);
    assert!(log.out.contains("progress 1"), "{log:?}");
    let history = rig.json("jobs");
    assert_eq!(history["leases"][0]["ending"]["code"], "completed");
    let name = rig.json("status")["rig"].as_str().unwrap().to_owned();
    assert_eq!(containers::of_rig(&name), Vec::<String>::new());
}

#[test]
fn the_owner_takes_the_gpu_back_and_the_job_is_gone_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let rig = Rig::ready(folder.path(), &market.url);
    let name = rig.json("status")["rig"].as_str().unwrap().to_owned();
    let job = market.submit(&jobs::endless());
    market.until_lease(&job, &["running"], Duration::from_secs(60));
    assert_eq!(containers::running_of_rig(&name).len(), 1);

    let begun = std::time::Instant::now();
    assert_eq!(rig.run(&["pause", "1h"]).code, 0);
    while !containers::running_of_rig(&name).is_empty() {
        assert!(
            begun.elapsed() < Duration::from_secs(1),
            "the job still runs"
        );
    }
    let status = rig.until_status("the GPU back", |status| status["state"] == "yours");
    assert!(
        status["sentence"].as_str().unwrap().contains("You paused"),
        "{status}"
    );
    let view = market.until_job(&job, &["queued"], Duration::from_secs(20));
    assert_eq!(view["leases"][0]["ending"]["code"], "reclaimed");
    rig.until_settled();
    assert_eq!(containers::of_rig(&name), Vec::<String>::new());

    // The pause outlives the agent.
    let mut rig = rig;
    rig.kill_dead();
    rig.start();
    let status = rig.until_status("the pause", |status| status["pause"].is_object());
    assert_eq!(status["state"], "yours");
    assert_eq!(rig.run(&["resume"]).code, 0);
    market.until_lease(&job, &["running"], Duration::from_secs(60));
    assert_eq!(market.renter(&["cancel", &job]).code, 0);
    market.until_job(&job, &["cancelled"], Duration::from_secs(20));
}

#[test]
fn a_software_adapter_is_not_rented_unless_the_owner_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let mut rig = Rig::new(folder.path(), &market.url, With::default());
    rig.start();
    assert_eq!(rig.run(&["bench"]).code, 0);
    let status = rig.until_status("connected", |status| status["market"]["connected"] == true);
    assert_eq!(status["state"], "yours", "{status}");
    assert_eq!(status["gpus"][0]["reasons"][0]["code"], "software_gpu");
    let job = market.submit(&jobs::quick());
    let view = market.job(&job);
    assert_eq!(view["state"], "queued");
    assert!(
        view["waiting_for"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "{view}"
    );
}
