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

/// Only blows whose description has this in it; to look into one.
const ONLY: &str = "SUBLET_RECOVERY_ONLY";

/// Strikes at all of them, or at those that were asked for.
fn strike(lanes: usize, made: Made, mut tellings: Vec<Telling>) {
    if let Ok(only) = std::env::var(ONLY) {
        tellings.retain(|telling| {
            let case = telling.case.as_ref().map(ToString::to_string);
            format!("{}, {}", telling.story.name, case.unwrap_or_default()).contains(&only)
        });
    }
    must_hold(&tell_all(lanes, made, tellings));
}

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
    let listed = listed(&mut Command::new(sublet()));
    all_steps_are_met(&told, Program::Agent, &listed);
    // What is asked of the marketplace is struck at from the other side.
    let wanted = |step: &str| listed.contains(step) || is_done_at_docker(step);
    let kill = kill(Program::Agent, &[Victim::Agent]);
    let tellings = cases(&told, Program::Agent, every(), wanted, is_listed, kill);
    strike(LANES, Made::default(), tellings);
}

#[test]
fn the_marketplace_killed_at_every_step() {
    let told = in_peace(&without_docker(), Made::default());
    let listed = listed(&mut Command::new(sublet_market()));
    all_steps_are_met(&told, Program::Market, &listed);
    // Who only looks changes nothing.
    let wanted = |step: &str| {
        !["answering:GET", "answering:HEAD"]
            .iter()
            .any(|looks| step.starts_with(looks))
    };
    let kill = kill(Program::Market, &[Victim::Market]);
    let tellings = cases(&told, Program::Market, every(), wanted, is_listed, kill);
    strike(LANES, Made::default(), tellings);
}

#[test]
fn docker_killed_at_every_step_of_the_agent() {
    let made = Made {
        own_docker: true,
        tight: false,
    };
    let told = in_peace(&[stories::PLAIN, stories::STOPPED], made);
    // What is done at Docker, not what is said elsewhere meanwhile.
    let wanted = |step: &str| step.starts_with("doing:");
    let kill = kill(Program::Agent, &[Victim::Docker]);
    let tellings = cases(&told, Program::Agent, every(), wanted, is_listed, kill);
    strike(2, made, tellings);
}

/// Whether a step is one of those that a program names in `steps`.
fn is_listed(step: &str) -> bool {
    let kinds = ["docker:", "market:", "answering:", "blob:"];
    !kinds.iter().any(|kind| step.starts_with(kind))
}

fn is_done_at_docker(step: &str) -> bool {
    step.starts_with("docker:") && step.ends_with(":answered")
}

#[test]
fn a_full_disk_at_every_commit() {
    let made = Made {
        own_docker: false,
        tight: true,
    };
    let told = in_peace(&[stories::PLAIN, stories::STOPPED], made);
    for who in [Program::Agent, Program::Market] {
        let fill = |at, _| Case {
            who,
            at,
            blow: Blow::FillDisk(who),
            away_ms: 0,
        };
        let wanted = |step: &str| step.starts_with("decided:") || step.starts_with("writing:");
        let mut tellings = cases(&told, who, every(), wanted, is_listed, fill);
        tellings.retain(|telling| {
            let step = telling.case.as_ref().map(|case| wanted(&case.at.step));
            step.unwrap_or_default()
        });
        strike(LANES, made, tellings);
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
    (
        "lease-finished",
        "a rig of ours says its last word after its outputs, and then the lease is settled",
    ),
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
