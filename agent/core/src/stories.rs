//! The core's behaviour, told as stories.

use crate::custody::{Held, Holder};
use crate::event::{Event, FoundContainer, FoundState, GpuNews, News};
use crate::facts::{Docker, GpuProblem};
use crate::lease::Stage;
use crate::memory::Pause;
use crate::testing::*;
use crate::{Effect, Memory, policy};
use sublet_protocol::heartbeat::Funding;
use sublet_protocol::lease::{EndCode, LeaseState};
use sublet_protocol::reason::{ReasonCode, RigState};

/// What may be in use of a card's memory after a job, in bytes.
const TOLERATED: u64 = (512 + 64) << 20;

fn kill(lease: &str) -> Effect {
    Effect::Kill {
        lease: lease_id(lease),
    }
}

fn freeze(lease: &str) -> Effect {
    Effect::Freeze {
        lease: lease_id(lease),
    }
}

fn await_free(gpu: &str, within_ms: u64) -> Effect {
    Effect::AwaitFree {
        gpu: gpu_id(gpu),
        lease: lease_id("l"),
        at_most_bytes: Some(TOLERATED),
        within_ms,
    }
}

fn freed(gpu: &str) -> Event {
    Event::Gpu {
        gpu: gpu_id(gpu),
        news: GpuNews::Freed { after_ms: 40 },
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
    assert!(matches!(
        world.news("l", News::Started)[..],
        [Effect::Watch { .. }]
    ));
    world.pass(30_000);
    let exited = News::Exited {
        code: 0,
        out_of_memory: false,
        ran_ms: Some(30_250),
    };
    assert!(matches!(
        world.news("l", exited)[..],
        [Effect::Collect { .. }, Effect::AwaitFree { .. }]
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
            .contains("The owner uses the GPU")
    );
    assert!(!lease.holds_gpu());
    let reason = lease.reason.as_ref().unwrap();
    assert_eq!(reason.code, ReasonCode::GpuInUse);
    assert!(reason.text.contains(&game().name), "the owner reads more");
}

#[test]
fn its_owner_reads_why_a_job_ended_and_others_read_that_it_did() {
    let mut world = World::new();
    world.run("l", "gpu-a");
    world.facts.gpus[0].sensed.as_mut().unwrap().users = Some(vec![game()]);
    world.pass(1_000);
    world.go("l");
    // Whatever is so later, this is why.
    world.facts.gpus[0].sensed.as_mut().unwrap().users = Some(Vec::new());
    world.send(Event::Pause(Pause::UNTIL_RESUMED));
    let stored = serde_json::to_string(world.lease("l")).unwrap();
    let lease: crate::lease::Lease = serde_json::from_str(&stored).unwrap();
    let (ending, reason) = (lease.ending.unwrap(), lease.reason.unwrap());
    assert_eq!(ending.code, EndCode::Reclaimed);
    assert_eq!(reason.code, ReasonCode::GpuInUse);
    assert!(reason.text.contains(&game().name), "{}", reason.text);
    let told = serde_json::to_string(&ending).unwrap();
    assert!(!told.contains(&game().name), "{told}");
}

#[test]
fn a_lease_that_an_earlier_version_stored_has_no_reason() {
    let mut world = World::new();
    world.run("l", "gpu-a");
    let mut stored = serde_json::to_value(world.lease("l")).unwrap();
    assert_eq!(stored.as_object_mut().unwrap().remove("reason"), None);
    let lease: crate::lease::Lease = serde_json::from_value(stored).unwrap();
    assert_eq!(lease.reason, None);
    assert_eq!(lease.grant, world.lease("l").grant);
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
fn a_job_that_asks_for_what_is_not_here_is_refused_by_a_code_of_its_own() {
    use crate::facts::Docker;
    use sublet_protocol::job::{Category, Isolation, JobSpec};
    use sublet_protocol::offer::{Enforced, Part, SandboxFacts};

    let mut world = World::new();
    world.settings.work.refused_categories = vec![Category::Mining];
    world.settings.work.refused_publishers = vec!["bad.example".into()];
    world.facts.host.longest_ms = Some(3_600_000);
    type Change = fn(&mut JobSpec);
    let cases: [(EndCode, Change); 5] = [
        (EndCode::CategoryRefused, |job| {
            job.category = Category::Mining
        }),
        (EndCode::PublisherRefused, |job| {
            let name = format!("bad.example/a@sha256:{}", "0".repeat(64));
            job.image = name.parse().unwrap();
        }),
        (EndCode::BeyondLimits, |job| job.deadline_ms = 3_600_001),
        (EndCode::BeyondLimits, |job| job.cpu_milli = 8_001),
        (EndCode::IsolationMissing, |job| {
            job.isolation = Isolation::Gvisor
        }),
    ];
    for (at, (code, change)) in (1..).zip(cases) {
        let mut grant = grant(&format!("l-{at}"), "gpu-a");
        change(&mut grant.spec);
        let id = grant.lease.clone();
        assert_eq!(world.send(grant_command(at, grant)), []);
        let lease = &world.memory.leases[&id];
        assert_eq!(lease.state(), LeaseState::Refused);
        assert_eq!(lease.ending.as_ref().unwrap().code, code);
    }

    // gVisor that works is not enough for a card: it is not handed out through it.
    let found = Enforced {
        gvisor: Part::Works,
        ..Enforced::default()
    };
    world.facts.docker = Docker::Here(SandboxFacts {
        enforced: Some(found),
        ..SandboxFacts::default()
    });
    let asks = |at: u64| {
        let mut grant = grant(&format!("g-{at}"), "gpu-a");
        grant.spec.isolation = Isolation::Gvisor;
        grant_command(at, grant)
    };
    assert_eq!(world.send(asks(10)), []);
    world.facts.gpus[0].info.software = true;
    world.settings.allow_software_gpu = true;
    assert_ne!(world.send(asks(11)), [], "a software adapter needs no card");
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
    assert_eq!(effects, [freeze("l")]);
    world.pass(4_000);
    assert_eq!(world.news("l", News::Frozen), [kill("l")]);
    let state = |world: &World| {
        policy::decide(&world.memory, &world.settings, &world.facts, world.now).state
    };
    assert_eq!(state(&world), RigState::Renting, "its container still is");
    assert_eq!(
        world.news("l", News::Killed),
        [remove("l"), await_free("gpu-a", 5_000)]
    );
    let lease = world.lease("l");
    assert_eq!(lease.ending.as_ref().unwrap().code, EndCode::Reclaimed);
    let reason = lease.reason.as_ref().unwrap();
    assert_eq!(reason.code, ReasonCode::PausedByOwner);
    assert_eq!(lease.used_ms(world.now), 10_000);
    assert_eq!(state(&world), RigState::Yours);
    world.send(freed("gpu-a"));
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
    assert_eq!(world.pass(1_000), [freeze("l")]);
    world.go("l");
    let reason = world.lease("l").reason.as_ref().unwrap();
    assert_eq!(reason.code, ReasonCode::TooHot);
    assert!(reason.text.contains("83 °C"), "{}", reason.text);
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
    assert_eq!(world.pass(700), [freeze("l")]);
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
    assert_eq!(world.pass(600_400), [freeze("l")]);
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
    assert_eq!(world.pass(1_000), [freeze("l")]);
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
    assert_eq!(world.send(Event::Tick), [freeze("l")]);
    assert_eq!(
        world.lease("l").ending.as_ref().unwrap().code,
        EndCode::Fenced
    );
    world.go("l");
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
    assert!(effects.contains(&freeze("l")), "{effects:?}");
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
        assert_eq!(
            world.news("l", news),
            [remove("l"), await_free("gpu-a", 5_000)]
        );
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
    assert!(matches!(
        effects[..],
        [
            Effect::Watch { .. },
            Effect::Collect { .. },
            Effect::AwaitFree { .. }
        ]
    ));
    assert_eq!(again.lease("l").used_ms(again.now), 12_000);

    let mut again = restart(&world);
    assert_eq!(
        again.send(Event::Reconciled(vec![])),
        [remove("l"), await_free("gpu-a", 5_000)]
    );
    assert_eq!(
        again.lease("l").ending.as_ref().unwrap().code,
        EndCode::SandboxFailed
    );
    assert_eq!(again.lease("l").used_ms(again.now), 10_000);

    let mut fresh = World::new();
    let effects = fresh.send(found(FoundState::Running { ran_ms: 1 }));
    assert_eq!(effects, [remove("l")], "a container that nobody remembers");
    // Where Docker is away meanwhile, it is tried again in a while, not as fast as it fails.
    let away = News::NotYet {
        message: "away".into(),
    };
    assert_eq!(fresh.news("l", away), []);
    assert_eq!(fresh.pass(4_999), []);
    assert_eq!(fresh.pass(1), [remove("l")]);
    fresh.news("l", News::Removed);
    assert_eq!(fresh.pass(60_000), []);
}

#[test]
fn a_step_that_fails_is_tried_again_and_holds_the_gpu_meanwhile() {
    let mut world = World::new();
    world.run("l", "gpu-a");
    world.send(cancel_command(5, "l"));
    let failed = News::NotYet {
        message: "away".into(),
    };
    world.news("l", News::Frozen);
    assert_eq!(world.news("l", failed.clone()), []);
    assert_eq!(world.pass(4_999), []);
    assert_eq!(world.pass(1), [kill("l")]);
    let gone = [remove("l"), await_free("gpu-a", 5_000)];
    assert!(world.memory.holder(&gpu_id("gpu-a")).is_some());
    assert_eq!(world.news("l", News::Killed), gone);
    assert!(world.memory.holder(&gpu_id("gpu-a")).is_none());
    world.news("l", failed);
    assert_eq!(world.pass(5_000), [remove("l")]);
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

#[test]
fn a_job_that_may_end_in_order_is_frozen_first_and_killed_when_its_time_is_over() {
    let mut world = World::new();
    world.settings.reclaim_grace_ms = 10_000;
    let mut patient = grant("l", "gpu-a");
    patient.spec.reclaim_grace_ms = 3_000;
    world.run_grant(patient);
    world.pass(20_000);
    assert_eq!(
        world.send(Event::Pause(Pause::UNTIL_RESUMED)),
        [freeze("l")]
    );
    assert_eq!(world.lease("l").state(), LeaseState::Reclaiming);
    let interrupt = Effect::Interrupt {
        lease: lease_id("l"),
        grace_ms: 3_000,
    };
    assert_eq!(world.news("l", News::Frozen), [interrupt]);
    assert_eq!(world.pass(2_999), []);
    // The task's own clock, or ours: whichever comes first.
    let mut on_time = World {
        memory: world.memory.clone(),
        settings: world.settings.clone(),
        facts: world.facts.clone(),
        now: world.now,
    };
    assert_eq!(on_time.news("l", News::GraceOver), [kill("l")]);
    assert_eq!(world.pass(1), [kill("l")]);
    assert_eq!(world.news("l", News::GraceOver), []);
    world.go("l");
    assert_eq!(world.lease("l").used_ms(world.now), 20_000, "grace is free");
}

#[test]
fn a_job_that_ends_within_its_grace_is_still_reclaimed() {
    let mut world = World::new();
    world.settings.reclaim_grace_ms = 10_000;
    let mut patient = grant("l", "gpu-a");
    patient.spec.reclaim_grace_ms = 60_000;
    world.run_grant(patient);
    world.send(Event::Pause(Pause::UNTIL_RESUMED));
    world.news("l", News::Frozen);
    assert_eq!(
        world.lease("l").grace_ms,
        10_000,
        "the owner's word is less"
    );
    let exited = News::Exited {
        code: 0,
        out_of_memory: false,
        ran_ms: None,
    };
    assert_eq!(
        world.news("l", exited),
        [kill("l"), await_free("gpu-a", 5_000)]
    );
    assert_eq!(world.news("l", News::Killed), [remove("l")]);
    let ending = world.lease("l").ending.clone().unwrap();
    assert_eq!(ending.code, EndCode::Reclaimed);
}

#[test]
fn heat_gives_no_grace_and_a_job_that_cannot_be_frozen_is_killed_all_the_same() {
    let mut world = World::new();
    world.settings.reclaim_grace_ms = 10_000;
    let mut patient = grant("l", "gpu-a");
    patient.spec.reclaim_grace_ms = 60_000;
    world.run_grant(patient);
    world.facts.gpus[0].sensed.as_mut().unwrap().temperature_c = Some(95);
    assert_eq!(world.pass(1_000), [freeze("l")]);
    assert_eq!(world.lease("l").grace_ms, 0);
    let failed = News::FreezeFailed {
        message: "no answer".into(),
    };
    assert_eq!(world.news("l", failed), [kill("l")]);
}

#[test]
fn a_job_stopped_before_it_ran_is_never_left_to_start() {
    let mut world = World::new();
    world.send(grant_command(1, grant("l", "gpu-a")));
    assert_eq!(world.send(cancel_command(2, "l")), [kill("l")]);
    assert_eq!(
        world.news("l", News::Killed),
        [remove("l")],
        "nothing to verify"
    );
    let mut world = World::new();
    world.send(grant_command(1, grant("l", "gpu-a")));
    world.news("l", News::Pulled);
    assert_eq!(world.send(cancel_command(2, "l")), [freeze("l")]);
    assert_eq!(world.news("l", News::Started), [], "it came too late");
    assert!(!world.lease("l").meter.is_running());
    world.go("l");
}

#[test]
fn a_gpu_is_the_owners_again_only_once_its_memory_was_seen_free() {
    let mut world = World::new();
    world.run("l", "gpu-a");
    world.send(cancel_command(5, "l"));
    world.news("l", News::Frozen);
    world.news("l", News::Killed);
    let first = |world: &World| {
        let decision = policy::decide(&world.memory, &world.settings, &world.facts, world.now);
        decision.gpus[0].reasons.first().map(|r| r.code)
    };
    assert_eq!(first(&world), Some(ReasonCode::Returning));
    assert_eq!(world.send(grant_command(6, grant("next", "gpu-a"))), []);
    assert_eq!(world.lease("next").state(), LeaseState::Refused);

    // Also after a restart: the look is asked for again.
    let stored = serde_json::to_string(&world.memory).unwrap();
    world.memory = serde_json::from_str(&stored).unwrap();
    let effects = world.send(Event::Reconciled(vec![]));
    assert!(effects.contains(&await_free("gpu-a", 5_000)), "{effects:?}");

    let held = Held {
        bytes: 2 << 30,
        by: vec![Holder {
            name: "python".into(),
            pid: 4711,
            bytes: Some(2 << 30),
        }],
    };
    let news = |news| Event::Gpu {
        gpu: gpu_id("gpu-a"),
        news,
    };
    world.send(news(GpuNews::Held(held)));
    assert_eq!(first(&world), Some(ReasonCode::MemoryHeld));
    let decision = policy::decide(&world.memory, &world.settings, &world.facts, world.now);
    assert_eq!(decision.gpus[0].state, RigState::NeedsYou);
    assert!(decision.gpus[0].reasons[0].text.contains("4711"));
    // It is looked at again by itself, and what cannot be told changes nothing.
    assert_eq!(world.pass(9_999), []);
    assert_eq!(world.pass(1), [await_free("gpu-a", 0)]);
    let why = "the driver is away".into();
    world.send(news(GpuNews::Unread { why }));
    assert_eq!(first(&world), Some(ReasonCode::MemoryHeld));
    assert_eq!(world.pass(10_000), [await_free("gpu-a", 0)]);
    world.send(freed("gpu-a"));
    assert_eq!(first(&world), Some(ReasonCode::NoDemand));
}

#[test]
fn a_software_adapter_has_no_memory_to_verify() {
    let mut world = World::new();
    world.facts.gpus = vec![card("sw", true)];
    world.settings.allow_software_gpu = true;
    world.pass(1);
    world.pass(world.settings.settle_ms);
    world.run("l", "sw");
    world.send(cancel_command(5, "l"));
    world.news("l", News::Frozen);
    assert_eq!(world.news("l", News::Killed), [remove("l")]);
    assert!(world.memory.custody.is_empty());
}

#[test]
fn a_job_found_frozen_or_killed_was_being_reclaimed() {
    let stored = {
        let mut world = World::new();
        world.run("l", "gpu-a");
        world.pass(10_000);
        serde_json::to_string(&world.memory).unwrap()
    };
    for state in [
        FoundState::Frozen { ran_ms: 14_000 },
        FoundState::Exited {
            code: 137,
            out_of_memory: false,
            ran_ms: 10_000,
        },
    ] {
        let mut again = World::new();
        again.memory = serde_json::from_str::<Memory>(&stored).unwrap();
        let effects = again.send(Event::Reconciled(vec![FoundContainer {
            lease: lease_id("l"),
            state,
        }]));
        assert!(effects.contains(&freeze("l")));
        again.go("l");
        let lease = again.lease("l");
        assert_eq!(lease.ending.as_ref().unwrap().code, EndCode::Reclaimed);
        assert_eq!(
            lease.used_ms(again.now),
            10_000,
            "paid until it stood still"
        );
    }
}

#[test]
fn a_restart_costs_no_job_because_nothing_was_read_yet() {
    let mut world = World::new();
    world.run("l", "gpu-a");
    world.pass(10_000);
    let stored = serde_json::to_string(&world.memory).unwrap();
    let mut again = World::new();
    again.memory = serde_json::from_str::<Memory>(&stored).unwrap();
    again.now = crate::Moment {
        mono_ms: 400,
        boot_ms: 400,
        wall_ms: world.now.wall_ms + 2_000,
    };
    again.facts.programs = None;
    again.facts.owner = crate::facts::OwnerFacts::default();
    again.facts.gpus[0].sensed = None;
    let lease = lease_id("l");
    let state = FoundState::Running { ran_ms: 12_000 };
    let effects = again.send(Event::Reconciled(vec![FoundContainer { lease, state }]));
    assert!(matches!(effects[..], [Effect::Watch { .. }]), "{effects:?}");
    assert_eq!(again.pass(9_000), []);
    // Nor is anything new rented meanwhile.
    assert!(policy::offers(&again.memory, &again.settings, &again.facts, again.now).is_empty());
    assert_eq!(again.pass(1_000), [freeze("l")]);
}
