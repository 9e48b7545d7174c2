//! The card is kept cool, and what was changed on it is put back.

use nvml_sim::{Code, Gpu};
use std::time::Duration;
use sublet_tests::market::{BRISK, Market};
use sublet_tests::simulated::{Simulated, calm, reason};

const SOON: Duration = Duration::from_secs(60);
/// The factory's limit of the simulated card.
const FACTORY_MW: u32 = 450_000;

fn warm(temperature_c: u32) -> Gpu {
    Gpu {
        temperature_c,
        ..calm()
    }
}

#[test]
fn heat_lowers_the_power_limit_and_coolness_gives_it_back_while_the_job_runs_on() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let world = Simulated::start(folder.path(), &market);
    let job = world.run_endless(&market);
    world.show(warm(81));
    world.until_limit("a lower power limit", SOON, |limit| {
        limit.is_some_and(|limit| limit < FACTORY_MW)
    });
    world.show(warm(60));
    let lowered = world.limit_mw().unwrap();
    world.until_limit("a higher one again", SOON, |limit| {
        limit.is_some_and(|limit| limit > lowered)
    });
    assert_eq!(market.job(&job)["leases"][0]["state"], "running");
    // The job goes: the rest is given back at once.
    market.cancel(&job);
    world.until_limit("the owner's limit", SOON, |limit| limit == Some(FACTORY_MW));
}

#[test]
fn a_card_that_takes_no_limit_is_cooled_by_freezing_the_job_which_is_not_billed_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let world = Simulated::start(folder.path(), &market);
    let job = world.run_endless(&market);
    let no_permission = |gpu: Gpu| Gpu {
        errors: [("set_power_management_limit".to_owned(), Code::NoPermission)].into(),
        ..gpu
    };
    // A degree below the one at which it would be taken away, a job stands still for as long as that lasts.
    world.show(no_permission(warm(82)));
    market.until_lease(&job, &["paused"], SOON);
    assert_eq!(world.limit_mw(), None);
    let stands = |world: &Simulated| {
        let lease = world.rig.json("status")["leases"][0].clone();
        assert_eq!(lease["state"], "paused", "{lease}");
        lease["used_ms"].clone()
    };
    let before = stands(&world);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(stands(&world), before);
    world.show(no_permission(warm(50)));
    market.until_lease(&job, &["running"], SOON);
    market.cancel(&job);
}

#[test]
fn a_card_that_grows_too_hot_loses_the_job_and_rents_again_once_cool() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let world = Simulated::start(folder.path(), &market);
    let job = world.run_endless(&market);
    world.show(warm(86));
    let status = world.until_reason("too_hot");
    let text = reason(&status, "too_hot").unwrap().to_string();
    assert!(text.contains("86") && text.contains("76"), "{text}");
    let view = market.until_job(&job, &["queued"], SOON);
    assert_eq!(view["leases"][0]["ending"]["code"], "reclaimed", "{view}");
    world.show(warm(70));
    market.until_lease(&job, &["running"], SOON);
    market.cancel(&job);
}

#[test]
fn an_agent_that_was_killed_while_the_limit_was_lowered_puts_it_back_at_its_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let mut world = Simulated::start(folder.path(), &market);
    let job = world.run_endless(&market);
    world.show(warm(81));
    world.until_limit("a lower power limit", SOON, |limit| {
        limit.is_some_and(|limit| limit < FACTORY_MW)
    });
    world.rig.kill_dead();
    world.show(warm(50));
    assert_eq!(market.renter(&["cancel", &job]).code, 0);
    world.rig.start();
    market.until_job(&job, &["cancelled"], SOON);
    world.until_limit("the owner's limit", SOON, |limit| limit == Some(FACTORY_MW));
}

#[test]
fn an_agent_that_goes_down_in_order_leaves_the_card_as_its_owner_had_it() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let mut world = Simulated::start(folder.path(), &market);
    let job = world.run_endless(&market);
    world.show(warm(81));
    world.until_limit("a lower power limit", SOON, |limit| {
        limit.is_some_and(|limit| limit < FACTORY_MW)
    });
    let ended = world.rig.process.take().unwrap().signal_and_wait();
    assert!(ended.success(), "{ended}");
    assert_eq!(world.limit_mw(), Some(FACTORY_MW));
    world.show(warm(50));
    world.rig.start();
    market.cancel(&job);
}
