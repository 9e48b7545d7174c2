//! Several at once, and one upon the other.

use std::time::Duration;
use sublet_tests::program::run;
use sublet_tests::recovery::aftermath;
use sublet_tests::recovery::moments::At;
use sublet_tests::recovery::parts::{Blow, Case, Program, Victim};
use sublet_tests::recovery::run::{Telling, must_hold, tell_all};
use sublet_tests::recovery::scene::{Made, Scene};
use sublet_tests::recovery::stories;
use sublet_tests::wait::until;

fn at(step: &str) -> At {
    At {
        step: step.into(),
        nth: 1,
    }
}

#[test]
fn agent_and_marketplace_killed_at_once() {
    let both: &[Victim] = &[Victim::Agent, Victim::Market];
    let moments = [
        (Program::Market, "writing:lease-offered"),
        (Program::Market, "written:lease-offered"),
        (Program::Market, "written:lease-running"),
        (Program::Market, "answering:POST:/v1/rigs/{rig}/heartbeat"),
        (Program::Market, "written:charge"),
        (Program::Market, "blob:kept"),
        (Program::Market, "written:blob"),
        (Program::Market, "writing:lease-settled"),
        (Program::Market, "written:lease-settled"),
        (Program::Agent, "decided:grant"),
        (Program::Agent, "stored:grant"),
        (Program::Agent, "writing:receive"),
        (Program::Agent, "writing:close"),
        (Program::Agent, "decided:exited"),
        (Program::Agent, "stored:uploaded"),
    ];
    let tellings = moments.map(|(who, step)| Telling {
        story: stories::PLAIN,
        case: Some(Case {
            who,
            at: at(step),
            blow: Blow::Kill(both),
            away_ms: 0,
        }),
        may_miss: false,
    });
    must_hold(&tell_all(3, Made::default(), tellings.into()));
}

#[test]
fn a_second_agent_that_starts_while_the_first_still_ends_changes_nothing() {
    let mut scene = Scene::new(Made::default());
    let job = scene.submit(12, 150, "");
    scene.until_running(&job);
    let first = scene.world.rig.process.as_ref().unwrap().pid();
    let mut second = scene.world.rig.command();
    let said = run(&mut second);
    assert_ne!(said.code, 0, "{said:?}");
    assert!(
        said.err.contains("another agent is already running"),
        "{said:?}"
    );
    // The first one ends in order; another try goes on until it may.
    let agent = scene.world.rig.process.take().unwrap();
    agent.signal(rustix::process::Signal::TERM);
    until(
        "a start after the first one's end",
        Duration::from_secs(20),
        || {
            scene.world.rig.process = None;
            let log = scene.path("agent.log");
            let mut next = sublet_tests::program::Running::start(scene.world.rig.command(), &log);
            std::thread::sleep(Duration::from_millis(300));
            match next.ended() {
                None => {
                    scene.world.rig.process = Some(next);
                    Ok(())
                }
                Some(status) => Err(status.to_string()),
            }
        },
    );
    assert!(agent.signal_and_wait().success(), "agent {first}");
    scene.until_job(&job, "completed", |view| view["state"] == "completed");
    aftermath::all(&mut scene);
}
