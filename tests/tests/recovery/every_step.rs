//! The steps are the programs' own, met by telling every story once in peace.

use std::collections::BTreeSet;
use std::process::Command;
use sublet_tests::program::{run, sublet, sublet_market};
use sublet_tests::recovery::moments::At;
use sublet_tests::recovery::parts::{Blow, Case, Program, Victim};
use sublet_tests::recovery::run::{Telling, Told, cases, must_hold, tell_all};
use sublet_tests::recovery::scene::Made;
use sublet_tests::recovery::stories::{self, Story};

/// Set where every moment of every story is to be struck at, not each step once.
const EVERY: &str = "SUBLET_RECOVERY_EVERY";
/// Beyond so many times a step that repeats tells nothing new.
const MOST_TIMES: usize = 12;
const LANES: usize = 4;

fn every() -> Option<usize> {
    std::env::var_os(EVERY).map(|_| MOST_TIMES)
}

fn in_peace(stories: &[Story], made: Made) -> Vec<Told> {
    let tellings = stories.iter().map(|story| Telling {
        story: *story,
        case: None,
        may_miss: false,
    });
    let told = tell_all(LANES, made, tellings.collect());
    must_hold(&told);
    told
}

/// In turns, who was killed is back at once, or only when a short job may have ended.
fn kill(who: Program, victims: &'static [Victim]) -> impl Fn(At, usize) -> Case {
    move |at, number| Case {
        who,
        at,
        blow: Blow::Kill(victims),
        away_ms: if number % 2 == 0 { 0 } else { 1_000 },
    }
}

fn without_docker() -> Vec<Story> {
    let stories = stories::ALL.iter().filter(|story| !story.own_docker);
    stories.copied().collect()
}

#[test]
fn the_agent_killed_at_every_step() {
    let told = in_peace(stories::ALL, Made::default());
    all_steps_are_met(&told, Program::Agent, &listed(&mut Command::new(sublet())));
    let tellings = cases(
        &told,
        Program::Agent,
        every(),
        kill(Program::Agent, &[Victim::Agent]),
    );
    must_hold(&tell_all(LANES, Made::default(), tellings));
}

#[test]
fn the_marketplace_killed_at_every_step() {
    let told = in_peace(&without_docker(), Made::default());
    all_steps_are_met(
        &told,
        Program::Market,
        &listed(&mut Command::new(sublet_market())),
    );
    let tellings = cases(
        &told,
        Program::Market,
        every(),
        kill(Program::Market, &[Victim::Market]),
    );
    must_hold(&tell_all(LANES, Made::default(), tellings));
}

#[test]
fn docker_killed_at_every_step_of_the_agent() {
    let made = Made {
        own_docker: true,
        tight: false,
    };
    let told = in_peace(&[stories::PLAIN, stories::STOPPED], made);
    let mut tellings = cases(
        &told,
        Program::Agent,
        every(),
        kill(Program::Agent, &[Victim::Docker]),
    );
    if every().is_none() {
        // What is done at Docker, not what is said elsewhere meanwhile.
        tellings.retain(|telling| {
            let step = telling
                .case
                .as_ref()
                .map(|case| case.at.step.as_str())
                .unwrap_or_default();
            ["doing:", "done:", "docker:"]
                .iter()
                .any(|kind| step.starts_with(kind))
        });
    }
    must_hold(&tell_all(2, made, tellings));
}

#[test]
fn a_full_disk_at_every_commit() {
    let made = Made {
        own_docker: false,
        tight: true,
    };
    let told = in_peace(&[stories::PLAIN, stories::STOPPED], made);
    for who in [Program::Agent, Program::Market] {
        let fill = move |at, _| Case {
            who,
            at,
            blow: Blow::FillDisk(who),
            away_ms: 0,
        };
        let mut tellings = cases(&told, who, every(), fill);
        tellings.retain(|telling| {
            let step = telling
                .case
                .as_ref()
                .map(|case| case.at.step.as_str())
                .unwrap_or_default();
            ["decided:", "writing:"]
                .iter()
                .any(|kind| step.starts_with(kind))
        });
        must_hold(&tell_all(LANES, made, tellings));
    }
}

/// The steps that a program lists.
fn listed(program: &mut Command) -> BTreeSet<String> {
    let said = run(program.arg("steps"));
    assert_eq!(said.code, 0, "{said:?}");
    said.out.lines().map(str::to_owned).collect()
}

/// Steps that no story leads to, each with the reason.
const NOT_MET: &[(&str, &str)] = &[
    (
        "lease-accepted",
        "a rig reports what it does, which is more than that it accepted",
    ),
    ("lease-verified", "verified and settled are written as one"),
    ("topup", "another process writes it, the operator's"),
];

#[track_caller]
fn all_steps_are_met(told: &[Told], who: Program, listed: &BTreeSet<String>) {
    let trails = told
        .iter()
        .filter_map(|told| told.outcome.as_ref().ok()?.get(&who));
    let met: BTreeSet<&String> = trails.flatten().collect();
    let forgiven = |step: &str| {
        NOT_MET
            .iter()
            .any(|(name, _)| step.ends_with(&format!(":{name}")))
    };
    let missed: Vec<&String> = listed
        .iter()
        .filter(|step| !met.contains(step) && !forgiven(step))
        .collect();
    assert!(
        missed.is_empty(),
        "no story leads to these steps: tell one in recovery/stories.rs: {missed:?}"
    );
    let needless: Vec<&&String> = met.iter().filter(|step| forgiven(step)).collect();
    assert!(
        needless.is_empty(),
        "stories do lead to these: {needless:?}"
    );
}
