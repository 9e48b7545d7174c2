//! Money runs out, and both sides agree on what was used.

use std::time::Duration;
use sublet_tests::market::{BRISK, Market};
use sublet_tests::rig::Rig;
use sublet_tests::{containers, jobs};

#[test]
fn a_renter_whose_money_runs_out_in_mid_job_pays_for_exactly_what_it_bought() {
    let folder = tempfile::tempdir().unwrap();
    // At $0.20 an hour this lasts for 9 seconds.
    let market = Market::start(&folder.path().join("market"), BRISK, "0.0005");
    let rig = Rig::ready(folder.path(), &market.url);
    let job = market.submit(&jobs::endless());
    let view = market.until_job(&job, &["failed"], Duration::from_secs(90));
    assert_eq!(
        view["leases"][0]["ending"]["code"], "out_of_funds",
        "{view}"
    );
    let wallet = rig.until_settled();
    assert_eq!(wallet["gross"], 500);
    assert_eq!(view["charged"], 500);
    assert_eq!(wallet["proven"], wallet["net"]);
    let account = market.account();
    assert_eq!(
        (&account["balance"], &account["reserved"], &account["spent"]),
        (&0.into(), &0.into(), &500.into())
    );
    let name = rig.json("status")["rig"].as_str().unwrap().to_owned();
    assert_eq!(containers::of_rig(&name), Vec::<String>::new());
    let again = market.renter(&[
        "submit",
        folder.path().join("market/job.yaml").to_str().unwrap(),
    ]);
    assert_ne!(again.code, 0, "{again:?}");
    assert!(again.err.contains("account"), "{again:?}");
}

#[test]
fn a_job_ends_at_its_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let rig = Rig::ready(folder.path(), &market.url);
    let job = market.submit(&jobs::endless_with("      deadline: 3s\n"));
    let view = market.until_job(&job, &["failed"], Duration::from_secs(60));
    assert_eq!(view["leases"][0]["ending"]["code"], "deadline_reached");
    assert_eq!(view["leases"][0]["used_ms"], 3_000);
    assert_eq!(rig.until_settled()["gross"], view["charged"]);
}
