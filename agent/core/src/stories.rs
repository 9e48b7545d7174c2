//! The core's behaviour, told as stories.

use crate::event::{Event, FoundContainer, FoundState, News};
use crate::facts::{Docker, GpuProblem};
use crate::lease::Stage;
use crate::memory::Pause;
use crate::testing::*;
use crate::{Effect, Memory, policy};
use sublet_protocol::heartbeat::Funding;
use sublet_protocol::lease::{EndCode, LeaseState};
use sublet_protocol::reason::{ReasonCode, RigState};

fn kill(lease: &str) -> Effect {
    Effect::Kill {
        lease: lease_id(lease),
    }
}

fn remove(lease: &str) -> Effect {
    Effect::Remove {
        lease: lease_id(lease),
    }
}

#[test]
fn a_good_life_from_grant_to_archive() {
    let mut world = World::new();
    let effects = world.send(grant_command(1, grant("l", "gpu-a")));
    assert!(matches!(effects[..], [Effect::Pull { .. }]));
    assert!(matches!(
        world.news("l", News::Pulled)[..],
        [Effect::Start { .. }]
    ));
    assert_eq!(world.news("l", News::Started), []);
    world.pass(30_000);
    let exited = News::Exited {
        code: 0,
        out_of_memory: false,
        ran_ms: Some(30_250),
    };
    assert!(matches!(
        world.news("l", exited)[..],
        [Effect::Collect { .. }]
    ));
    assert_eq!(world.lease("l").used_ms(world.now), 30_250);
    world.pass(5_000);
    let effects = world.news("l", News::Collected(vec![output()]));
    assert!(matches!(effects[..], [Effect::Upload { .. }]));
    assert_eq!(world.news("l", News::Uploaded), [remove("l")]);
    let lease = world.lease("l");
    assert_eq!(lease.state(), LeaseState::Finished);
    assert_eq!(lease.ending.as_ref().unwrap().outputs, [output()]);
    assert_eq!(lease.used_ms(world.now), 30_250);
    world.news("l", News::Removed);
    let effects = world.send(Event::Answered {
        funding: vec![],
        settled: vec![lease_id("l")],
    });
    assert!(matches!(&effects[..], [Effect::Archive(lease)] if lease.used_ms(world.now) == 30_250));
    assert_eq!(world.memory.leases.len(), 0);
}

#[test]
fn a_grant_for_a_gpu_that_may_not_rent_is_refused_with_the_reason() {
    let mut world = World::new();
    world.facts.gpus[0].sensed.as_mut().unwrap().users = Some(vec![game()]);
    assert_eq!(world.send(grant_command(1, grant("l", "gpu-a"))), []);
    let lease = world.lease("l");
    assert_eq!(lease.state(), LeaseState::Refused);
    assert!(
        lease
            .ending
            .as_ref()
            .unwrap()
            .message
            .contains("a-game uses")
    );
    assert!(!lease.holds_gpu());
}

#[test]
fn terms_that_do_not_fit_are_refused() {
    let mut world = World::new();
    world.run("first", "gpu-a");
    let mut cheap = grant("cheap", "gpu-b");
    cheap.price.0.0 = world.settings.each.floor.0.0 - 1;
    let mut big = grant("big", "gpu-b");
    big.spec.memory_bytes = 17 << 30;
    let mut twice = grant("twice", "gpu-b");
    twice.gpus.push(gpu_id("gpu-b"));
    let mut none = grant("none", "gpu-b");
    none.gpus.clear();
    let stranger = grant("stranger", "gpu-z");
    let taken = grant("taken", "gpu-a");
    for (at, (grant, word)) in [
        (cheap, "floor"),
        (big, "memory"),
        (twice, "twice"),
        (none, "no GPU"),
        (stranger, "no GPU gpu-z"),
        (taken, "already rented"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = grant.lease.clone();
        assert_eq!(world.send(grant_command(10 + at as u64, grant)), []);
        let lease = &world.memory.leases[&id];
        assert_eq!(lease.state(), LeaseState::Refused);
        let message = &lease.ending.as_ref().unwrap().message;
        assert!(message.contains(word), "{message}");
    }
}

#[test]
fn a_repeated_command_changes_nothing() {
    let mut world = World::new();
    world.run("l", "gpu-a");
    let before = world.memory.clone();
    assert_eq!(world.send(grant_command(1, grant("l", "gpu-a"))), []);
    assert_eq!(world.send(grant_command(2, grant("l", "gpu-a"))), []);
    assert_eq!(world.memory.leases, before.leases);
}

#[test]
fn the_owner_pauses_and_the_job_goes_at_once() {
    let mut world = World::new();
    world.run("l", "gpu-a");
    world.pass(10_000);
    let effects = world.send(Event::Pause(Pause::UNTIL_RESUMED));
    assert_eq!(effects, [kill("l")]);
    world.pass(4_000);
    assert_eq!(world.news("l", News::Killed), [remove("l")]);
    let lease = world.lease("l");
    assert_eq!(lease.ending.as_ref().unwrap().code, EndCode::Reclaimed);
    assert_eq!(lease.used_ms(world.now), 10_000);
    let decision = policy::decide(&world.memory, &world.settings, &world.facts, world.now);
    assert_eq!(
        decision.state,
        RigState::Renting,
        "its container is not gone yet"
    );
    world.news("l", News::Removed);
    let decision = policy::decide(&world.memory, &world.settings, &world.facts, world.now);
    assert_eq!(decision.state, RigState::Yours);
    assert_eq!(decision.reasons[0].code, ReasonCode::PausedByOwner);
    world.send(Event::Resume);
    assert_eq!(
        policy::offers(&world.memory, &world.settings, &world.facts, world.now).len(),
        2
    );
}

#[test]
fn a_pause_ends_by_the_wall_clock_also_after_a_restart() {
    let mut world = World::new();
    let until = world.now.wall_ms + 60_000;
    world.send(Event::Pause(Pause::until(until)));
    world.pass(59_999);
    assert!(world.memory.pause.is_some());
    let stored = serde_json::to_string(&world.memory).unwrap();
    world.memory = serde_json::from_str(&stored).unwrap();
    world.now.mono_ms = 0;
    world.now.boot_ms = 0;
    world.pass(1);
    assert_eq!(world.memory.pause, None);
}

#[test]
fn heat_stops_a_job_and_renting_comes_back_only_once_cool() {
    let mut world = World::new();
    world.run("l", "gpu-a");
    world.facts.gpus[0].sensed.as_mut().unwrap().temperature_c = Some(83);
    assert_eq!(world.pass(1_000), [kill("l")]);
    world.news("l", News::Killed);
    world.news("l", News::Removed);
    let offered = |world: &World| {
        policy::offers(&world.memory, &world.settings, &world.facts, world.now).len()
    };
    world.facts.gpus[0].sensed.as_mut().unwrap().temperature_c = Some(76);
    world.pass(1_000);
    assert_eq!(offered(&world), 1);
    world.facts.gpus[0].sensed.as_mut().unwrap().temperature_c = Some(75);
    world.pass(1_000);
    assert_eq!(offered(&world), 1, "it has to stay cool for a while");
    world.pass(world.settings.settle_ms);
    assert_eq!(offered(&world), 2);
}

#[test]
fn money_and_deadline_stop_a_job_to_the_millisecond() {
    let mut world = World::new();
    world.run("l", "gpu-a");
    world.send(Event::Answered {
        funding: vec![Funding {
            lease: lease_id("l"),
            funded_ms: 310_000,
        }],
        settled: vec![],
    });
    world.send(Event::Paid {
        lease: lease_id("l"),
        paid_ms: 300_000,
    });
    assert_eq!(world.pass(309_999), []);
    assert_eq!(world.pass(700), [kill("l")]);
    assert_eq!(world.lease("l").used_ms(world.now), 310_000);
    assert_eq!(
        world.lease("l").ending.as_ref().unwrap().code,
        EndCode::OutOfFunds
    );

    let mut world = World::new();
    world.settings.unpaid_limit_ms = u64::MAX;
    let mut long = grant("l", "gpu-a");
    long.funded_ms = u64::MAX;
    world.send(grant_command(1, long));
    world.news("l", News::Pulled);
    world.news("l", News::Started);
    assert_eq!(world.pass(600_400), [kill("l")]);
    assert_eq!(world.lease("l").used_ms(world.now), 600_000);
    assert_eq!(
        world.lease("l").ending.as_ref().unwrap().code,
        EndCode::DeadlineReached
    );
}

#[test]
fn a_marketplace_that_does_not_pay_loses_the_job() {
    let mut world = World::new();
    world.run("l", "gpu-a");
    world.send(Event::Paid {
        lease: lease_id("l"),
        paid_ms: 5_000,
    });
    assert_eq!(world.pass(125_000), []);
    assert_eq!(world.pass(1_000), [kill("l")]);
    assert_eq!(
        world.lease("l").ending.as_ref().unwrap().code,
        EndCode::PaymentBehind
    );
}

#[test]
fn a_silent_marketplace_fences_the_job_before_it_is_given_away() {
    let mut world = World::new();
    world.run("l", "gpu-a");
    world.pass(1_000);
    world.facts.market.connected = false;
    world.now.boot_ms += 72_000;
    assert_eq!(world.send(Event::Tick), []);
    world.now.boot_ms += 1;
    assert_eq!(world.send(Event::Tick), [kill("l")]);
    assert_eq!(
        world.lease("l").ending.as_ref().unwrap().code,
        EndCode::Fenced
    );
    world.news("l", News::Killed);
    assert_eq!(world.lease("l").state(), LeaseState::Failed);
}

#[test]
fn a_restart_does_not_lengthen_the_marketplaces_silence() {
    let mut world = World::new();
    world.facts.market.last_answer_boot_ms = Some(world.now.boot_ms);
    world.run("l", "gpu-a");
    let stored = serde_json::to_string(&world.memory).unwrap();
    let restart = |away_ms: u64| {
        let mut again = World::new();
        again.memory = serde_json::from_str(&stored).unwrap();
        again.facts.market.connected = false;
        again.facts.market.last_answer_boot_ms = None;
        again.now.mono_ms = 500;
        again.now.boot_ms = 500;
        again.now.wall_ms = world.now.wall_ms + away_ms;
        let state = FoundState::Running { ran_ms: away_ms };
        let lease = lease_id("l");
        let effects = again.send(Event::Reconciled(vec![FoundContainer { lease, state }]));
        (again, effects)
    };
    let (_, effects) = restart(72_000);
    assert!(matches!(effects[..], [Effect::Watch { .. }]), "{effects:?}");
    let (again, effects) = restart(72_001);
    assert!(effects.contains(&kill("l")), "{effects:?}");
    assert_eq!(
        again.lease("l").ending.as_ref().unwrap().code,
        EndCode::Fenced
    );
}

#[test]
fn exits_are_told_apart() {
    for (code, out_of_memory, expected) in [
        (3, false, EndCode::JobFailed),
        (137, true, EndCode::OutOfMemory),
        (137, false, EndCode::JobFailed),
    ] {
        let mut world = World::new();
        world.run("l", "gpu-a");
        world.pass(1_000);
        let news = News::Exited {
            code,
            out_of_memory,
            ran_ms: None,
        };
        assert_eq!(world.news("l", news), [remove("l")]);
        let ending = world.lease("l").ending.clone().unwrap();
        assert_eq!((ending.code, ending.exit_code), (expected, Some(code)));
    }
}

#[test]
fn after_a_crash_each_lease_goes_on_where_its_container_stands() {
    let restart = |world: &World| {
        let stored = serde_json::to_string(&world.memory).unwrap();
        let mut again = World::new();
        again.memory = serde_json::from_str::<Memory>(&stored).unwrap();
        again.now.wall_ms = world.now.wall_ms + 5_000;
        again
    };
    let found = |state| {
        Event::Reconciled(vec![FoundContainer {
            lease: lease_id("l"),
            state,
        }])
    };
    let mut world = World::new();
    world.run("l", "gpu-a");
    world.pass(10_000);

    let mut again = restart(&world);
    assert!(policy::offers(&again.memory, &again.settings, &again.facts, again.now).is_empty());
    let effects = again.send(found(FoundState::Running { ran_ms: 15_000 }));
    assert!(matches!(effects[..], [Effect::Watch { .. }]));
    again.pass(1_000);
    assert_eq!(again.lease("l").used_ms(again.now), 16_000);

    let mut again = restart(&world);
    let effects = again.send(found(FoundState::Exited {
        code: 0,
        out_of_memory: false,
        ran_ms: 12_000,
    }));
    assert!(matches!(effects[..], [Effect::Collect { .. }]));
    assert_eq!(again.lease("l").used_ms(again.now), 12_000);

    let mut again = restart(&world);
    assert_eq!(again.send(Event::Reconciled(vec![])), [remove("l")]);
    assert_eq!(
        again.lease("l").ending.as_ref().unwrap().code,
        EndCode::SandboxFailed
    );
    assert_eq!(again.lease("l").used_ms(again.now), 10_000);

    let mut fresh = World::new();
    let effects = fresh.send(found(FoundState::Running { ran_ms: 1 }));
    assert_eq!(effects, [remove("l")], "a container that nobody remembers");
}

#[test]
fn a_removal_that_fails_is_tried_again_and_holds_the_gpu_meanwhile() {
    let mut world = World::new();
    world.run("l", "gpu-a");
    world.send(cancel_command(5, "l"));
    let failed = News::RemovalFailed {
        message: "away".into(),
    };
    assert_eq!(world.news("l", failed.clone()), []);
    assert_eq!(world.pass(4_999), []);
    assert_eq!(world.pass(1), [kill("l")]);
    assert_eq!(world.news("l", News::Killed), [remove("l")]);
    world.news("l", failed);
    assert_eq!(world.pass(5_000), [remove("l")]);
    assert!(world.memory.holder(&gpu_id("gpu-a")).is_some());
    world.news("l", News::Removed);
    assert!(world.memory.holder(&gpu_id("gpu-a")).is_none());
}

#[test]
fn sealing_and_sending_leave_the_gpu_free_and_survive_a_pause() {
    let mut world = World::new();
    world.run("l", "gpu-a");
    let exited = News::Exited {
        code: 0,
        out_of_memory: false,
        ran_ms: None,
    };
    world.news("l", exited);
    assert_eq!(world.lease("l").stage, Stage::Collecting);
    assert_eq!(world.send(Event::Pause(Pause::UNTIL_RESUMED)), []);
    let decision = policy::decide(&world.memory, &world.settings, &world.facts, world.now);
    assert_eq!(decision.state, RigState::Yours);
}

#[test]
fn what_is_not_known_is_not_rented_and_says_so() {
    let mut world = World::new();
    let reasons = |world: &World| {
        let decision = policy::decide(&world.memory, &world.settings, &world.facts, world.now);
        decision.gpus[0]
            .reasons
            .iter()
            .map(|r| r.code)
            .collect::<Vec<_>>()
    };
    assert_eq!(reasons(&world), [ReasonCode::NoDemand]);
    world.facts.gpus[0].sensed.as_mut().unwrap().age_ms = 10_001;
    assert_eq!(reasons(&world), [ReasonCode::ReadingUnknown]);
    world.facts.gpus[0].sensed = None;
    world.facts.gpus[0].info.score = None;
    assert_eq!(
        reasons(&world),
        [ReasonCode::ReadingUnknown, ReasonCode::NotBenchmarked]
    );
    world.facts.gpus[0].problem = Some(GpuProblem::Lost("fell off the bus".into()));
    world.facts.docker = Docker::Away("no socket".into());
    world.facts.market.connected = false;
    assert_eq!(
        reasons(&world),
        [
            ReasonCode::GpuLost,
            ReasonCode::NotBenchmarked,
            ReasonCode::DockerUnavailable,
            ReasonCode::MarketUnreachable
        ]
    );
    let mut world = World::new();
    world.facts.gpus = vec![card("sw", true)];
    world.pass(0);
    world.pass(world.settings.settle_ms);
    assert_eq!(reasons(&world), [ReasonCode::SoftwareGpu]);
    world.settings.allow_software_gpu = true;
    assert_eq!(reasons(&world), [ReasonCode::NoDemand]);
}
