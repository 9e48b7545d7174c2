//! A GPU is its owner's again only once it was seen free; and what befalls the card itself.

use nvml_sim::{Code, Gpu, Scenario};
use std::time::Duration;
use sublet_tests::containers;
use sublet_tests::market::{BRISK, Market};
use sublet_tests::simulated::{Simulated, calm, card, reason};

const SOON: Duration = Duration::from_secs(60);

fn holding(mib: u64) -> Gpu {
    Gpu {
        memory_used_mib: mib,
        ..calm()
    }
}

#[test]
fn memory_that_stays_held_puts_the_card_in_quarantine_until_it_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let world = Simulated::start(folder.path(), &market);
    let job = world.run_endless(&market);
    world.show(holding(9_000));
    assert_eq!(market.renter(&["cancel", &job]).code, 0);
    let status = world.until_reason("memory_held");
    assert_eq!(card(&status)["state"], "needs_you", "{status}");
    let held = reason(&status, "memory_held").unwrap();
    // 9000 MiB, less the 512 of before and the 64 that drivers may keep.
    assert_eq!(
        held["figures"]["bytes"],
        (9_000_u64 - 512 - 64) << 20,
        "{held}"
    );

    // Nothing runs there meanwhile, also after a restart.
    let mut world = world;
    world.rig.kill_dead();
    world.rig.start();
    world.until_reason("memory_held");
    let next = market.submit(&sublet_tests::jobs::endless());
    world.show(holding(512));
    world.until_no_reason("memory_held");
    market.until_lease(&next, &["running"], SOON);
    market.cancel(&next);
}

#[test]
fn memory_that_is_freed_in_time_is_verified_and_told_to_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let world = Simulated::start(folder.path(), &market);
    let job = world.run_endless(&market);
    world.show(holding(9_000));
    assert_eq!(market.renter(&["cancel", &job]).code, 0);
    world.until_reason("returning");
    world.show(holding(520));
    let status = world.until_no_reason("returning");
    assert!(reason(&status, "memory_held").is_none(), "{status}");
}

#[test]
fn a_card_that_falls_off_the_bus_takes_the_job_with_it_and_rents_again_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let world = Simulated::start(folder.path(), &market);
    let name = world.rig.json("status")["rig"].as_str().unwrap().to_owned();
    let job = world.run_endless(&market);
    world.show(Gpu {
        errors: [("*".to_owned(), Code::GpuIsLost)].into(),
        ..calm()
    });
    world.until_reason("gpu_lost");
    let view = market.until_job(&job, &["queued"], SOON);
    assert_eq!(
        view["leases"][0]["ending"]["code"], "sandbox_failed",
        "{view}"
    );
    assert_eq!(containers::running_of_rig(&name), Vec::<String>::new());
    world.show(calm());
    world.until_no_reason("gpu_lost");
    market.until_lease(&job, &["running"], SOON);
    market.cancel(&job);
}

#[test]
fn a_driver_that_is_reloaded_ends_the_job_and_the_card_comes_back_under_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let world = Simulated::start(folder.path(), &market);
    let job = world.run_endless(&market);
    let away = Scenario {
        init_error: Some(Code::DriverNotLoaded),
        errors: [("*".to_owned(), Code::DriverNotLoaded)].into(),
        ..Scenario::with_gpus([calm()])
    };
    world.show_world(&away);
    let view = market.until_job(&job, &["queued"], SOON);
    assert!(view["leases"][0]["ending"].is_object(), "{view}");
    let new = Scenario {
        driver_version: "560.35.03".into(),
        ..Scenario::with_gpus([calm()])
    };
    world.show_world(&new);
    market.until_lease(&job, &["running"], Duration::from_secs(120));
    market.cancel(&job);
}
