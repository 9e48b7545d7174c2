//! The clock on the wall is set by eight hours, forward and back, while everything else goes on. A marketplace refuses
//! a rig whose clock is so wrong, so the job has as long as the marketplace is patient.

use nvml_sim::Scenario;
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use sublet_tests::market::{BRISK, Market, Patience};
use sublet_tests::program::run;
use sublet_tests::rig::With;
use sublet_tests::simulated::{Simulated, calm, has, reason};
use sublet_tests::wait::until;
use sublet_tests::wall_clock::{WallClock, now_ms};

const SOON: Duration = Duration::from_secs(60);
const HOURS_8: i64 = 8 * 60;
/// Further apart than this, in minutes, a marketplace does not talk to a rig.
const TOLERATED: i64 = 10;
/// What a heartbeat, a look and a busy machine take between an event and its figure.
const LEEWAY_MS: u64 = 3_000;
/// So patient that a clock can be wrong for a while, and right again in time.
const PATIENT: Patience = Patience {
    heartbeat_ms: 500,
    suspect_ms: 20_000,
    lost_ms: 40_000,
};

fn world(folder: &Path, market: &Market) -> (Simulated, WallClock) {
    let clock = WallClock::new(&folder.join("clock"));
    let with = clock.given_to(With::default());
    (Simulated::start_with(folder, market, with), clock)
}

/// Sets the agent's clock by so many minutes, and waits until the agent shows that it goes by it.
fn set(world: &Simulated, clock: &WallClock, ahead: i64) {
    clock.set_minutes(ahead);
    world.rig.until_status("the clock", |status| {
        let market = &status["market"];
        if ahead.abs() > TOLERATED {
            let said = market["problem"].as_str().unwrap_or_default();
            return said.contains("clocks are too far apart");
        }
        let heard = market["last_answer_ms"].as_i64().unwrap_or(0);
        let apart = heard - now_ms() - ahead * 60_000;
        market["connected"] == true && apart.abs() < 30_000
    });
}

fn used_ms(status: &Value) -> u64 {
    let lease = &status["leases"][0];
    assert_eq!(lease["state"], "running", "{status}");
    lease["used_ms"].as_u64().unwrap()
}

fn millis(elapsed: Duration) -> u64 {
    elapsed.as_millis().try_into().unwrap()
}

/// The job runs on, and is billed for as long as that takes.
fn goes_on(world: &Simulated, what: &str) {
    let (from, at) = (used_ms(&world.rig.json("status")), Instant::now());
    let status = world.rig.until_status(what, |status| {
        status["leases"][0]["used_ms"].as_u64() >= Some(from + 2_000)
    });
    let went = used_ms(&status) - from;
    assert!(went <= millis(at.elapsed()) + LEEWAY_MS, "{went}: {what}");
}

#[test]
fn a_job_is_neither_lost_nor_billed_for_hours_that_nobody_lived() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), PATIENT, "1.00");
    let (mut world, clock) = world(folder.path(), &market);
    let begun = Instant::now();
    let job = world.run_endless(&market);
    goes_on(&world, "a job that runs");
    for ahead in [HOURS_8, -HOURS_8] {
        // Meanwhile the marketplace refuses the rig, which says why.
        set(&world, &clock, ahead);
        goes_on(&world, "a job under a clock that is wrong");
        set(&world, &clock, 0);
        goes_on(&world, "a job under a clock that was set right");
    }
    // The engine's account of a run is told by the wall clock: an agent that comes back may not believe all of it.
    set(&world, &clock, TOLERATED - 1);
    goes_on(&world, "a job under a clock that is a little wrong");
    world.rig.kill_dead();
    world.rig.start();
    world.rig.until_status("the job again", |status| {
        status["leases"][0]["state"] == "running" && status["market"]["connected"] == true
    });
    goes_on(&world, "a job that was taken up again");

    let view = market.job(&job);
    assert_eq!(view["leases"].as_array().unwrap().len(), 1, "{view}");
    assert_eq!(view["leases"][0]["state"], "running", "{view}");
    set(&world, &clock, 0);
    market.cancel(&job);
    let ran = millis(begun.elapsed());
    let wallet = world.rig.until_settled();
    let view = market.job(&job);
    let used = view["leases"][0]["used_ms"].as_u64().unwrap();
    assert!(used <= ran + LEEWAY_MS, "{used} of {ran} ms");
    assert_eq!(wallet["gross"], market.account()["spent"]);
}

#[test]
fn a_clock_that_stays_wrong_costs_the_job_with_a_reason_and_one_set_right_brings_it_back() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let (world, clock) = world(folder.path(), &market);
    let job = world.run_endless(&market);
    set(&world, &clock, HOURS_8);
    let status = world.until_reason("market_unreachable");
    let reason = reason(&status, "market_unreachable").unwrap().to_string();
    assert!(reason.contains("Set the rig's clock"), "{reason}");
    let view = market.until_job(&job, &["queued"], SOON);
    let lost = view["leases"][0]["lease"].as_str().unwrap().to_owned();
    let here = |world: &Simulated| {
        let jobs = world.rig.json("jobs");
        let leases = jobs["leases"].as_array().unwrap().clone();
        leases.into_iter().find(|one| one["lease"] == lost).unwrap()
    };
    let ended = until("the lease's end here", SOON, || match here(&world) {
        lease if lease["ending"].is_object() => Ok(lease),
        lease => Err(lease.to_string()),
    });
    assert_eq!(ended["ending"]["code"], "fenced", "{ended}");
    let used = ended["used_ms"].as_u64().unwrap();
    assert!(used < millis(SOON), "{ended}");
    set(&world, &clock, 0);
    market.until_lease(&job, &["running"], SOON);
    market.cancel(&job);
    world.rig.until_settled();
    assert_eq!(market.account()["spent"], market.job(&job)["charged"]);
}

#[test]
fn a_snooze_keeps_its_length_and_one_until_a_time_of_day_ends_then() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let (world, clock) = world(folder.path(), &market);
    let paused = |status: &Value| !status["pause"].is_null();
    let mut shown = 0;
    for ahead in [HOURS_8, 0] {
        let begun = Instant::now();
        let said = world.rig.run(&["pause", "12s"]);
        assert_eq!(said.code, 0, "{said:?}");
        set(&world, &clock, ahead);
        let status = world.rig.json("status");
        assert!(paused(&status) || begun.elapsed() > Duration::from_secs(12));
        shown += usize::from(paused(&status));
        world.rig.until_status("the end", |status| !paused(status));
        let lasted = begun.elapsed();
        assert!(lasted >= Duration::from_secs(11), "{lasted:?}");
        assert!(lasted <= Duration::from_secs(20), "{lasted:?}");
    }
    assert!(shown > 0, "the clock was never set within a snooze");

    let two_hours_on = run(Command::new("date").args(["-d", "+2 hours", "+%H:%M"]));
    let said = world.rig.run(&["pause", "until", two_hours_on.out.trim()]);
    assert_eq!(said.code, 0, "{said:?}");
    set(&world, &clock, -HOURS_8);
    assert!(paused(&world.rig.json("status")), "ten hours are left");
    set(&world, &clock, HOURS_8);
    world.rig.until_status("the end", |status| !paused(status));
}

#[test]
fn a_reading_that_is_too_old_stays_so_whatever_the_clock_shows() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let (world, clock) = world(folder.path(), &market);
    world.until_no_reason("reading_unknown");
    let hanging = world.hang();
    world.until_reason("reading_unknown");
    let job = market.submit(&sublet_tests::jobs::endless());
    for ahead in [-HOURS_8, HOURS_8, 0] {
        set(&world, &clock, ahead);
        for _ in 0..20 {
            let status = world.rig.json("status");
            assert!(has(&status, "reading_unknown"), "{status}");
            std::thread::sleep(Duration::from_millis(100));
        }
        let view = market.job(&job);
        assert_eq!(view["leases"], serde_json::json!([]), "{view}");
    }
    hanging.answer(&Scenario::with_gpus([calm()]));
    until("a fresh reading", SOON, || {
        let status = world.rig.json("status");
        match has(&status, "reading_unknown") {
            false => Ok(()),
            true => Err(status.to_string()),
        }
    });
    market.until_lease(&job, &["running"], SOON);
    market.cancel(&job);
}
