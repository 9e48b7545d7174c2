//! What must hold for every sequence of events, shown by trying many.

use crate::custody::Held;
use crate::event::{Event, FoundContainer, FoundState, GpuNews, News};
use crate::facts::{Docker, Sensed};
use crate::lease::Stage;
use crate::memory::Pause;
use crate::testing::*;
use crate::{Effect, policy, step};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use sublet_protocol::heartbeat::Funding;
use sublet_protocol::lease::EndCode;

/// Something that happens in the world, or to it.
#[derive(Debug, Clone)]
enum Act {
    Event(Event),
    Pass(u64),
    Silence(u64),
    Heat(Option<i32>),
    Others(Option<bool>),
    Docker(bool),
    Crash,
}

const LEASES: [&str; 3] = ["l1", "l2", "l3"];

fn lease() -> impl Strategy<Value = &'static str> {
    prop::sample::select(LEASES.as_slice())
}

fn news() -> impl Strategy<Value = News> {
    prop_oneof![
        4 => Just(News::Pulled),
        4 => Just(News::Started),
        1 => (0u16..1500).prop_map(News::Progress),
        2 => (0i64..2, any::<bool>(), prop::option::of(0u64..500_000))
            .prop_map(|(code, out_of_memory, ran_ms)| News::Exited { code, out_of_memory, ran_ms }),
        2 => Just(News::Frozen),
        1 => Just(News::FreezeFailed { message: String::new() }),
        2 => Just(News::Thawed),
        1 => Just(News::GraceOver),
        2 => Just(News::Killed),
        2 => Just(News::Collected(vec![output()])),
        2 => Just(News::Uploaded),
        2 => (any::<bool>(), prop::option::of(0u64..400_000))
            .prop_map(|(last, used)| News::Saved { checkpoint: used.map(checkpoint), last }),
        2 => Just(News::Removed),
        1 => Just(News::NotYet { message: String::new() }),
        1 => Just(News::Failed { code: EndCode::SandboxFailed, message: String::new() }),
    ]
}

fn found() -> impl Strategy<Value = FoundState> {
    prop_oneof![
        Just(FoundState::Created),
        (0u64..400_000).prop_map(|ran_ms| FoundState::Running { ran_ms }),
        (0u64..400_000).prop_map(|ran_ms| FoundState::Frozen { ran_ms }),
        (
            prop::sample::select([0i64, 1, 137].as_slice()),
            0u64..400_000
        )
            .prop_map(|(code, ran_ms)| FoundState::Exited {
                code,
                out_of_memory: false,
                ran_ms
            }),
    ]
}

fn gpu_news() -> impl Strategy<Value = GpuNews> {
    prop_oneof![
        3 => (0u64..2_000).prop_map(|after_ms| GpuNews::Freed { after_ms }),
        2 => (0u64..1 << 30).prop_map(|bytes| GpuNews::Held(Held { bytes, by: Vec::new() })),
        1 => Just(GpuNews::Unread { why: String::new() }),
        1 => Just(GpuNews::LimitRefused { why: String::new() }),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let gpus = prop::sample::select(["gpu-a", "gpu-b"].as_slice());
    let event = prop_oneof![
        3 => (gpus.clone(), gpu_news()).prop_map(|(gpu, news)| Event::Gpu { gpu: gpu_id(gpu), news }),
        6 => (lease(), gpus, 0u64..40).prop_map(|(l, gpu, id)| grant_command(id, if l == "l2" { grant_keeping(l, gpu) } else { grant(l, gpu) })),
        1 => (lease(), 0u64..40).prop_map(|(l, id)| cancel_command(id, l)),
        12 => (lease(), news()).prop_map(|(l, news)| Event::Container { lease: lease_id(l), news }),
        1 => (prop::option::of(0u64..u64::MAX), any::<bool>()).prop_map(|(until_wall_ms, span)| Event::Pause(Pause { until_wall_ms, span })),
        2 => Just(Event::Resume),
        2 => Just(Event::PauseGpu(gpu_id("gpu-a"), Pause::UNTIL_RESUMED)),
        1 => Just(Event::ResumeGpu(gpu_id("gpu-a"))),
        1 => (lease(), 0u64..900_000).prop_map(|(l, funded_ms)| Event::Answered {
            funding: vec![Funding { lease: lease_id(l), funded_ms }],
            settled: vec![],
        }),
        1 => lease().prop_map(|l| Event::Answered { funding: vec![], settled: vec![lease_id(l)] }),
        1 => (lease(), 0u64..400_000).prop_map(|(l, paid_ms)| Event::Paid { lease: lease_id(l), paid_ms }),
        2 => (lease(), found()).prop_map(|(l, state)| Event::Reconciled(vec![FoundContainer { lease: lease_id(l), state }])),
    ];
    prop_oneof![
        20 => event.prop_map(Act::Event),
        5 => (1u64..200_000).prop_map(Act::Pass),
        1 => (1u64..200_000).prop_map(Act::Silence),
        1 => prop::option::of(20i32..100).prop_map(Act::Heat),
        1 => prop::option::of(any::<bool>()).prop_map(Act::Others),
        1 => any::<bool>().prop_map(Act::Docker),
        1 => Just(Act::Crash),
    ]
}

fn apply(world: &mut World, act: Act) -> Vec<Effect> {
    let sense = |world: &mut World, change: &dyn Fn(&mut Sensed)| {
        if let Some(sensed) = &mut world.facts.gpus[0].sensed {
            change(sensed);
        }
    };
    match act {
        Act::Event(event) => return world.send(event),
        Act::Pass(ms) => return world.pass(ms),
        Act::Silence(ms) => {
            world.skip(ms);
        }
        Act::Heat(celsius) => sense(world, &|s| s.temperature_c = celsius),
        Act::Others(used) => sense(world, &|s| {
            s.users = used.map(|used| if used { vec![game()] } else { Vec::new() })
        }),
        Act::Docker(true) => world.facts.docker = fine().docker,
        Act::Docker(false) => world.facts.docker = Docker::Away("away".into()),
        Act::Crash => {
            let stored = serde_json::to_string(&world.memory).unwrap();
            world.memory = serde_json::from_str(&stored).unwrap();
            world.facts.market.last_answer_boot_ms = Some(world.now.boot_ms);
        }
    }
    world.send(Event::Tick)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn the_core_keeps_its_promises(acts in prop::collection::vec(act(), 1..80)) {
        let mut world = World::new();
        let mut used: BTreeMap<String, u64> = BTreeMap::new();
        let mut over: BTreeSet<String> = BTreeSet::new();
        for act in acts {
            let before = policy::decide(&world.memory, &world.settings, &world.facts, world.now);
            let custody: BTreeSet<_> = world.memory.custody.keys().cloned().collect();
            let known: BTreeSet<_> = world.memory.leases.keys().cloned().collect();
            let is_event = matches!(act, Act::Event(_));
            let effects = apply(&mut world, act);

            // Nothing new is taken on a GPU that had a reason against it, or that another lease holds.
            for effect in &effects {
                if let Effect::Pull { lease, .. } = effect
                    && !known.contains(lease)
                {
                    prop_assert!(is_event);
                    for gpu in &world.memory.leases[lease].grant.gpus {
                        let decided = before.gpus.iter().find(|d| d.gpu == *gpu).unwrap();
                        prop_assert!(decided.may_rent(), "{:?}", decided);
                        // Nor on one that was not seen free of the job before.
                        prop_assert!(!custody.contains(gpu), "{gpu} is on its way back");
                    }
                }
            }
            for gpu in ["gpu-a", "gpu-b"] {
                let holders = world.memory.leases.values()
                    .filter(|l| l.holds_gpu() && l.grant.gpus.contains(&gpu_id(gpu)))
                    .count();
                prop_assert!(holders <= 1, "{gpu} is held {holders} times");
            }

            for (id, lease) in &world.memory.leases {
                let name = id.to_string();
                let now_used = lease.used_ms(world.now);
                let last = used.entry(name.clone()).or_default();
                // A lease that was archived may be granted anew only under a new id by a sane marketplace.
                if known.contains(id) {
                    prop_assert!(now_used >= *last, "{name} shrank from {last} to {now_used}");
                }
                *last = now_used;
                prop_assert!(now_used <= lease.limit_ms());
                // Over means: an ending that says why, and a clock that stands.
                if lease.stage == Stage::Over {
                    prop_assert!(lease.ending.is_some());
                    prop_assert!(!lease.meter.is_running());
                    over.insert(name);
                } else if known.contains(id) {
                    prop_assert!(!over.contains(&name), "{name} came back");
                }
                // What may have run holds its GPU until it has ended; then the GPU is looked at until it is free.
                if lease.stage == Stage::Over && lease.started && !lease.ended {
                    prop_assert!(lease.holds_gpu() || lease.removed);
                }
                // Only a running lease counts time.
                prop_assert!(!lease.meter.is_running() || lease.stage == Stage::Running);
                // Under a pause nothing goes on that needs the GPU, but for stopping it.
                if world.memory.pause.is_some() {
                    prop_assert!(!lease.stage.may_run());
                }
            }
            over.retain(|name| world.memory.leases.contains_key(&lease_id(name)));
        }
    }

    #[test]
    fn the_same_arguments_give_the_same_answer(acts in prop::collection::vec(act(), 1..40)) {
        let mut world = World::new();
        for act in acts {
            if let Act::Event(event) = &act {
                let once = step(world.memory.clone(), &world.settings, &world.facts, event.clone(), world.now);
                let twice = step(world.memory.clone(), &world.settings, &world.facts, event.clone(), world.now);
                prop_assert_eq!(once, twice);
            }
            apply(&mut world, act);
        }
    }

    #[test]
    fn a_lease_that_is_left_alone_ends_and_is_taken_away(acts in prop::collection::vec(act(), 1..60)) {
        let mut world = World::new();
        for act in acts {
            apply(&mut world, act);
        }
        world.facts = fine();
        world.facts.market.last_answer_boot_ms = Some(world.now.boot_ms);
        // The renter cancels everything, and the outside does what it is asked to.
        let mut waiting: Vec<Effect> = Vec::new();
        for (at, lease) in LEASES.iter().enumerate() {
            waiting.extend(world.send(cancel_command(1_000 + at as u64, lease)));
        }
        for _ in 0..20 {
            waiting.extend(world.pass(6_000));
            for effect in std::mem::take(&mut waiting) {
                let (lease, news) = match effect {
                    Effect::Freeze { lease } => (lease, News::Frozen),
                    Effect::Kill { lease } => (lease, News::Killed),
                    Effect::Remove { lease } => (lease, News::Removed),
                    _ => continue,
                };
                waiting.extend(world.send(Event::Container { lease, news }));
            }
            let stuck: Vec<_> = world.memory.leases.values().filter(|l| matches!(l.stage, Stage::Freezing | Stage::Killing) || (l.stage == Stage::Over && !l.removed)).map(|l| l.id().clone()).collect();
            for lease in stuck {
                // As after a restart: what is not done is asked for again.
                let state = FoundState::Created;
                waiting.extend(world.send(Event::Reconciled(vec![FoundContainer { lease, state }])));
            }
        }
        for lease in world.memory.leases.values() {
            prop_assert_eq!(lease.stage, Stage::Over);
            prop_assert!(lease.removed);
            prop_assert!(!lease.holds_gpu());
        }
    }
}
