//! What another rig goes on from: when it is kept, and when the GPU does not wait for it.

use crate::effect::Effect;
use crate::event::{Event, FoundContainer, FoundState, News};
use crate::lease::{Lease, Stage};
use crate::memory::Pause;
use crate::testing::{
    World, cancel_command, checkpoint, grant, grant_command, grant_keeping, lease_id,
};
use sublet_protocol::lease::{EndCode, LeaseState};

fn running() -> World {
    let mut world = World::new();
    world.run_grant(grant_keeping("l", "gpu-a"));
    world
}

fn saves(effects: &[Effect]) -> Vec<(u64, bool)> {
    let saves = effects.iter().filter_map(|effect| match effect {
        Effect::Save { used_ms, last, .. } => Some((*used_ms, *last)),
        _ => None,
    });
    saves.collect()
}

fn saved(used_ms: Option<u64>, last: bool) -> News {
    News::Saved {
        checkpoint: used_ms.map(checkpoint),
        last,
    }
}

/// The owner is back; the job stands still, and is dead.
fn reclaimed(world: &mut World) -> Vec<Effect> {
    world.send(Event::Pause(Pause::UNTIL_RESUMED));
    world.news("l", News::Frozen);
    world.news("l", News::Killed)
}

fn code(lease: &Lease) -> Option<EndCode> {
    lease.ending.as_ref().map(|ending| ending.code)
}

#[test]
fn a_job_that_runs_keeps_its_place_once_in_an_interval_of_running() {
    let mut world = running();
    assert_eq!(saves(&world.pass(59_000)), []);
    assert_eq!(saves(&world.pass(1_000)), [(60_000, false)]);
    // Time in which it stands still does not count.
    world.news("l", saved(Some(60_000), false));
    assert_eq!(world.lease("l").checkpoint, Some(checkpoint(60_000)));
    let lease = lease_id("l");
    let paid_ms = 60_000;
    world.send(Event::Paid { lease, paid_ms });
    assert_eq!(saves(&world.pass(59_000)), []);
    assert_eq!(saves(&world.pass(1_000)), [(120_000, false)]);
    let mut without = World::new();
    without.run_grant(grant("l", "gpu-a"));
    assert_eq!(saves(&without.pass(200_000)), []);
}

#[test]
fn the_gpu_is_back_before_the_last_checkpoint_is_asked_for() {
    let mut world = running();
    world.pass(30_000);
    let effects = reclaimed(&mut world);
    assert_eq!(saves(&effects), [(30_000, true)]);
    // In the same breath the card is looked at, and nothing holds it any more.
    assert!(
        effects
            .iter()
            .any(|e| matches!(e, Effect::AwaitFree { .. }))
    );
    let lease = world.lease("l");
    assert_eq!(
        (lease.stage, lease.state()),
        (Stage::Saving, LeaseState::Uploading)
    );
    assert!(!lease.holds_gpu());
    let effects = world.news("l", saved(Some(30_000), true));
    assert!(matches!(effects[..], [Effect::Remove { .. }]));
    let lease = world.lease("l");
    assert_eq!(
        (lease.state(), code(lease)),
        (LeaseState::Finished, Some(EndCode::Reclaimed))
    );
    assert_eq!(lease.checkpoint, Some(checkpoint(30_000)));
}

#[test]
fn what_cannot_be_kept_holds_nothing_up_and_the_older_one_stands() {
    let mut world = running();
    world.pass(60_000);
    world.news("l", saved(Some(60_000), false));
    world.pass(5_000);
    reclaimed(&mut world);
    // An earlier one that comes late is not the last.
    world.news("l", saved(None, false));
    assert_eq!(world.lease("l").stage, Stage::Saving);
    world.news("l", saved(None, true));
    let lease = world.lease("l");
    assert_eq!(lease.stage, Stage::Over);
    assert_eq!(lease.checkpoint, Some(checkpoint(60_000)));
    assert_eq!(code(lease), Some(EndCode::Reclaimed));
}

#[test]
fn a_late_and_older_checkpoint_replaces_no_newer_one() {
    let mut world = running();
    world.news("l", saved(Some(120_000), false));
    world.news("l", saved(Some(60_000), false));
    assert_eq!(world.lease("l").checkpoint, Some(checkpoint(120_000)));
}

#[test]
fn a_job_that_nobody_goes_on_with_keeps_nothing() {
    let mut cancelled = running();
    cancelled.pass(30_000);
    cancelled.send(cancel_command(9, "l"));
    cancelled.news("l", News::Frozen);
    assert_eq!(saves(&cancelled.news("l", News::Killed)), []);
    assert_eq!(cancelled.lease("l").stage, Stage::Over);

    // Fenced: the marketplace has given it to another by the time.
    let mut fenced = running();
    fenced.pass(30_000);
    fenced.skip(100_000);
    fenced.send(Event::Tick);
    fenced.news("l", News::Frozen);
    assert_eq!(saves(&fenced.news("l", News::Killed)), []);
    assert_eq!(code(fenced.lease("l")), Some(EndCode::Fenced));
}

#[test]
fn a_job_that_never_ran_keeps_nothing_lest_half_of_what_it_was_given_replace_the_whole() {
    let mut world = World::new();
    world.send(grant_command(1, grant_keeping("l", "gpu-a")));
    world.news("l", News::Pulled);
    assert_eq!(world.lease("l").stage, Stage::Starting);
    assert_eq!(saves(&reclaimed(&mut world)), []);
    assert_eq!(world.lease("l").stage, Stage::Over);
}

#[test]
fn a_renter_who_cancels_ends_the_sending_too() {
    let mut world = running();
    world.pass(30_000);
    reclaimed(&mut world);
    let effects = world.send(cancel_command(9, "l"));
    assert!(effects.iter().any(|e| matches!(e, Effect::Remove { .. })));
    assert_eq!(code(world.lease("l")), Some(EndCode::Cancelled));
}

#[test]
fn a_restart_in_the_middle_of_it_asks_for_the_same_again() {
    let mut world = running();
    world.pass(30_000);
    let effects = reclaimed(&mut world);
    let stored = serde_json::to_string(&world.memory).unwrap();
    world.memory = serde_json::from_str(&stored).unwrap();
    let state = FoundState::Exited {
        code: 137,
        out_of_memory: false,
        ran_ms: 30_000,
    };
    let lease = lease_id("l");
    let again = world.send(Event::Reconciled(vec![FoundContainer { lease, state }]));
    assert_eq!(saves(&again), saves(&effects));
    assert!(!again.iter().any(|e| matches!(e, Effect::Remove { .. })));
}

#[test]
fn a_granted_checkpoint_reaches_whoever_brings_it_here_and_whoever_starts_the_job() {
    let mut world = World::new();
    let mut grant = grant_keeping("l", "gpu-a");
    grant.checkpoint = Some(checkpoint(7));
    let pull = world.send(grant_command(1, grant));
    assert!(matches!(&pull[..], [Effect::Pull { checkpoint: Some(c), .. }] if *c == checkpoint(7)));
    let start = world.news("l", News::Pulled);
    assert!(
        matches!(&start[..], [Effect::Start { checkpoint: Some(c), .. }] if *c == checkpoint(7))
    );
}

#[test]
fn exit_code_signal_and_memory_are_told_apart() {
    for (exit_code, out_of_memory, code, word) in [
        (3, false, EndCode::JobFailed, "exit code 3"),
        (139, false, EndCode::JobFailed, "signal 11 (SIGSEGV)"),
        (137, false, EndCode::JobFailed, "signal 9 (SIGKILL)"),
        (137, true, EndCode::OutOfMemory, "memory"),
        (1, true, EndCode::OutOfMemory, "memory"),
    ] {
        let mut world = running();
        world.pass(10_000);
        world.news(
            "l",
            News::Exited {
                code: exit_code,
                out_of_memory,
                ran_ms: None,
            },
        );
        let ending = world.lease("l").ending.clone().unwrap();
        assert_eq!((ending.code, ending.exit_code), (code, Some(exit_code)));
        assert!(ending.message.contains(word), "{}", ending.message);
    }
    // A process of the job was ended for memory, and the job itself ended well all the same.
    let mut world = running();
    world.pass(10_000);
    let exited = News::Exited {
        code: 0,
        out_of_memory: true,
        ran_ms: None,
    };
    world.news("l", exited);
    assert_eq!(world.lease("l").stage, Stage::Collecting);
}
