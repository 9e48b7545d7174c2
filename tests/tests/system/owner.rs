//! The owner comes first, whatever they come with.

use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use sublet_tests::containers;
use sublet_tests::market::{BRISK, Market};
use sublet_tests::program::Running;
use sublet_tests::rig::With;
use sublet_tests::screen::Screen;
use sublet_tests::simulated::{Simulated, calm};

const SOON: Duration = Duration::from_secs(60);
/// Mode `away`, with a second for its minutes.
const AWAY: &str = "[rent]\nmode = \"away\"\nsettle_seconds = 0\n";

pub(super) fn away(folder: &Path, market: &Market, screen: &Screen) -> Simulated {
    let with = With {
        env: vec![("DISPLAY".into(), screen.name.clone())],
        words: vec!["--away-ms".into(), "1500".into()],
        settings: Some(AWAY.into()),
    };
    Simulated::start_with(folder, market, with)
}

/// The first lease of a job, once it is over.
pub(super) fn first_ending(market: &Market, job: &str) -> Value {
    let view = market.until_job(job, &["queued", "leased"], SOON);
    let mut last = view;
    for _ in 0..600 {
        if last["leases"][0]["ending"].is_object() {
            return last["leases"][0].clone();
        }
        std::thread::sleep(Duration::from_millis(50));
        last = market.job(job);
    }
    panic!("the lease did not end: {last}");
}

#[test]
fn the_owner_touches_the_mouse_and_the_job_is_gone_paid_and_queued_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut screen = Screen::start(folder.path());
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let world = away(folder.path(), &market, &screen);
    let name = world.rig.json("status")["rig"].as_str().unwrap().to_owned();
    let job = world.run_endless(&market);
    assert_eq!(containers::running_of_rig(&name).len(), 1);

    screen.touch();
    world.until_reason("owner_present");
    let lease = first_ending(&market, &job);
    assert_eq!(lease["ending"]["code"], "reclaimed", "{lease}");
    // Once nobody touches anything any more, the same job goes on, and it has lost no try.
    market.until_lease(&job, &["running"], SOON);
    assert_eq!(market.job(&job)["leases"].as_array().unwrap().len(), 2);
    market.cancel(&job);
    let wallet = world.rig.until_settled();
    assert_eq!(
        wallet["gross"],
        market.account()["spent"],
        "paid to the second"
    );
    assert_eq!(wallet["net"], wallet["voucher"]["amount"]);
    assert_eq!(containers::of_rig(&name), Vec::<String>::new());
}

#[test]
fn a_film_without_any_input_is_not_absence() {
    let folder = tempfile::tempdir().unwrap();
    let screen = Screen::start(folder.path());
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let world = away(folder.path(), &market, &screen);
    let job = world.run_endless(&market);
    let film = screen.film("mpv");
    let status = world.until_reason("watching");
    assert!(status.to_string().contains("mpv"), "{status}");
    let lease = first_ending(&market, &job);
    assert_eq!(lease["ending"]["code"], "reclaimed", "{lease}");
    drop(film);
    world.until_no_reason("watching");
    market.until_lease(&job, &["running"], SOON);
    market.cancel(&job);
}

#[test]
fn a_game_that_starts_in_mid_job_has_the_gpu_at_once_and_gives_no_grace() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let game = folder.path().join("sublet-test-game");
    std::fs::copy("/bin/sleep", &game).unwrap();
    let with = With {
        settings: Some(
            "[rent]\nmode = \"always\"\nsettle_seconds = 0\ngrace_seconds = 60\n[programs]\nexclusive = [\"sublet-test-game\"]\n".into(),
        ),
        ..With::default()
    };
    let world = Simulated::start_with(folder.path(), &market, with);
    let name = world.rig.json("status")["rig"].as_str().unwrap().to_owned();
    let patient = sublet_tests::jobs::endless_with("      reclaim_grace: 60s\n");
    let job = market.submit(&patient);
    market.until_lease(&job, &["running"], SOON);

    let mut command = Command::new(&game);
    command.arg("600");
    let running = Running::start(command, &folder.path().join("game.log"));
    sublet_tests::wait::until("the job's end", Duration::from_secs(5), || {
        let left = containers::running_of_rig(&name);
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    });
    let status = world.until_reason("program_runs");
    assert!(status.to_string().contains("sublet-test-game"), "{status}");
    let lease = first_ending(&market, &job);
    assert_eq!(lease["ending"]["code"], "reclaimed", "{lease}");
    drop(running);
    world.until_no_reason("program_runs");
    market.until_lease(&job, &["running"], SOON);
    // Which game it was is read on this machine alone.
    assert!(!market.job(&job).to_string().contains("sublet-test-game"));
    let first = lease["lease"].as_str().unwrap();
    let jobs = world.rig.json("jobs");
    let leases = jobs["leases"].as_array().unwrap();
    let here = leases.iter().find(|one| one["lease"] == first).unwrap();
    assert_eq!(here["reason"]["code"], "program_runs", "{here}");
    let list = world.rig.run(&["jobs"]).out;
    assert!(list.contains("why it ended: sublet-test-game"), "{list}");
    market.cancel(&job);
}

#[test]
fn a_laptop_that_is_unplugged_stops_renting() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let sys = folder.path().join("sys");
    let supply = |name: &str, file: &str, text: &str| {
        let at = sys.join("class/power_supply").join(name);
        std::fs::create_dir_all(&at).unwrap();
        std::fs::write(at.join(file), text).unwrap();
    };
    supply("AC", "type", "Mains\n");
    supply("AC", "online", "1\n");
    supply("BAT0", "type", "Battery\n");
    supply("BAT0", "capacity", "80\n");
    supply("BAT0", "status", "Full\n");
    let with = With {
        words: vec!["--sys-folder".into(), sys.to_str().unwrap().into()],
        ..With::default()
    };
    let world = Simulated::start_with(folder.path(), &market, with);
    let job = world.run_endless(&market);
    supply("AC", "online", "0\n");
    supply("BAT0", "status", "Discharging\n");
    world.until_reason("on_battery");
    let lease = first_ending(&market, &job);
    assert_eq!(lease["ending"]["code"], "reclaimed", "{lease}");
    supply("AC", "online", "1\n");
    world.until_no_reason("on_battery");
    market.until_lease(&job, &["running"], SOON);
    market.cancel(&job);
}

#[test]
fn a_job_found_frozen_after_a_crash_was_being_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::start(&folder.path().join("market"), BRISK, "1.00");
    let mut world = Simulated::start(folder.path(), &market);
    let job = world.run_endless(&market);
    let lease = market.job(&job)["leases"][0]["lease"]
        .as_str()
        .unwrap()
        .to_owned();
    // The agent freezes before it stores that it does; here it dies between the two.
    world.rig.kill_dead();
    let container = format!("sublet-{lease}");
    // On a machine that is overloaded, Docker may not bring a job to a stop at the first attempt.
    sublet_tests::wait::until("a frozen container", SOON, || {
        let said = sublet_tests::program::run(Command::new("docker").args(["pause", &container]));
        match said.code {
            0 => Ok(()),
            _ => Err(said.err),
        }
    });
    world.rig.start();
    let ended = first_ending(&market, &job);
    assert_eq!(ended["ending"]["code"], "reclaimed", "{ended}");
    market.until_lease(&job, &["running"], SOON);
    world.show(calm());
    market.cancel(&job);
    let wallet = world.rig.until_settled();
    assert_eq!(wallet["gross"], market.account()["spent"]);
}
