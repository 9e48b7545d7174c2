//! What must hold of the policy for any facts at all, shown by trying many.

use super::{GAP_MS, decide, ends, observe, offers};
use crate::facts::{
    Aged, GpuProblem, GpuUser, InputKind, OwnerFacts, Power, Program, ProgramKind, Session, Touch,
    Watching, WatchingHow,
};
use crate::memory::{Memory, Pause};
use crate::settings::{Mode, Settings};
use crate::testing::*;
use crate::{Event, Facts, Moment, step};
use proptest::prelude::*;
use sublet_protocol::money::{BasisPoints, HourlyPrice, MicroUsd};
use sublet_protocol::reason::ReasonCode as Code;

fn aged<T: std::fmt::Debug + Clone + 'static>(
    value: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Option<Aged<T>>> {
    let age = prop_oneof![9 => 0u64..=10_000, 1 => 10_001u64..100_000];
    let aged = (value, age).prop_map(|(value, age_ms)| Aged { value, age_ms });
    prop_oneof![1 => Just(None), 14 => aged.prop_map(Some)].boxed()
}

fn touch() -> impl Strategy<Value = Touch> {
    let by = prop::sample::select(vec![InputKind::Desk, InputKind::Gamepad, InputKind::Remote]);
    prop_oneof![
        1 => Just(Touch::NoSeat),
        4 => (0u64..1_200_000, by).prop_map(|(idle_ms, by)| Touch::Ago { idle_ms, by }),
    ]
}

fn owner() -> impl Strategy<Value = OwnerFacts> {
    let session =
        (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(locked, remote, display_off)| {
            Session {
                locked,
                remote,
                display_off,
            }
        });
    let how = prop::sample::select(vec![WatchingHow::Inhibits, WatchingHow::FullScreen]);
    let film = how.prop_map(|how| Watching {
        program: "mpv".into(),
        how,
    });
    let films = prop_oneof![3 => Just(vec![]), 1 => film.prop_map(|film| vec![film])];
    (aged(touch()), aged(session), aged(films)).prop_map(|(touch, session, watching)| OwnerFacts {
        touch,
        session,
        watching,
    })
}

fn user() -> impl Strategy<Value = GpuUser> {
    let bytes = prop::option::of(0u64..4 << 30);
    let load = prop::option::of(0u8..=100);
    (bytes, load, any::<bool>()).prop_map(|(memory_bytes, load_percent, computes)| GpuUser {
        name: "a".into(),
        pid: 1,
        memory_bytes,
        load_percent,
        computes,
    })
}

/// A whole world's facts, most of them fine more often than not, so that renting does happen.
fn facts() -> impl Strategy<Value = Facts> {
    let program = Just(vec![Program {
        name: "a game".into(),
        kind: ProgramKind::Game,
    }]);
    let programs = aged(prop_oneof![6 => Just(vec![]), 1 => program]);
    let power = prop_oneof![
        5 => Just(Power::Mains),
        1 => prop::option::of(0u8..=100).prop_map(|percent| Power::Battery { percent }),
    ];
    let metered = prop_oneof![5 => Just(false), 1 => Just(true)];
    let users = prop_oneof![
        1 => Just(None),
        8 => Just(Some(vec![])),
        3 => user().prop_map(|user| Some(vec![user])),
    ];
    let celsius = prop_oneof![1 => Just(None), 9 => (30i32..95).prop_map(Some)];
    let spot = prop::option::of(40i32..115);
    let problem = prop_oneof![
        20 => Just(None),
        1 => Just(Some(GpuProblem::Lost("gone".into()))),
        1 => Just(Some(GpuProblem::Unreadable("dumb".into()))),
    ];
    let sensed = (
        users,
        celsius,
        spot,
        problem,
        0u64..11_000,
        prop::option::of(70i32..100),
    );
    let market = (
        any::<bool>(),
        0u16..=10_000,
        prop::option::of(0u64..2_000_000),
    );
    (
        owner(),
        programs,
        aged(power),
        aged(metered),
        sensed,
        market,
        -50_000i32..50_000,
    )
        .prop_map(
            |(owner, programs, power, metered, sensed, market, utc_offset_s)| {
                let mut facts = fine();
                facts.owner = owner;
                facts.programs = programs;
                facts.machine.power = power;
                facts.machine.metered = metered;
                facts.utc_offset_s = utc_offset_s;
                let (users, celsius, spot, problem, age_ms, slowdown_c) = sensed;
                let gpu = &mut facts.gpus[0];
                gpu.problem = problem;
                gpu.slowdown_c = slowdown_c;
                let read = gpu.sensed.as_mut().unwrap();
                read.users = users;
                read.temperature_c = celsius;
                read.hotspot_c = spot;
                read.age_ms = age_ms;
                read.power_limit_mw = Some(400_000);
                facts.market.connected = market.0;
                facts.market.fee = Some(BasisPoints::new(market.1).unwrap());
                facts.market.best_order = market.2.map(|best| HourlyPrice(MicroUsd(best)));
                facts
            },
        )
}

fn settings() -> impl Strategy<Value = Settings> {
    let mode = prop::sample::select(vec![
        Mode::Away,
        Mode::GpuIdle,
        Mode::Schedule,
        Mode::Always,
        Mode::Off,
    ]);
    let hours = (0usize..600, 0usize..72);
    let flags = (any::<bool>(), any::<bool>());
    (
        mode,
        0u64..900_000,
        0u64..60_000,
        60i32..95,
        0u64..500_000,
        0u64..800_000,
        hours,
        flags,
    )
        .prop_map(
            |(mode, away_ms, settle_ms, hot_c, floor, kwh, hours, flags)| {
                let mut settings = Settings {
                    away_ms,
                    settle_ms,
                    on_battery: flags.0,
                    on_metered: flags.1,
                    ..Settings::default()
                };
                settings.each.mode = mode;
                settings.each.heat.hot_c = hot_c;
                settings.each.heat.target_c = hot_c - 3;
                settings.each.heat.cool_c = hot_c - 7;
                settings.each.floor = HourlyPrice(MicroUsd(floor));
                settings.tariff.base = MicroUsd(kwh);
                settings.hours.mark(hours.0, hours.0 + hours.1);
                settings
            },
        )
}

/// What a stricter owner would have set instead.
#[derive(Debug, Clone)]
enum Stricter {
    Away(u64),
    Settle(u64),
    Hot(i32),
    Floor(u64),
    Electricity(u64),
    FewerHours,
    NoBattery,
    NoMetered,
    Off,
}

fn stricter() -> impl Strategy<Value = Stricter> {
    prop_oneof![
        (1u64..900_000).prop_map(Stricter::Away),
        (1u64..60_000).prop_map(Stricter::Settle),
        (1i32..20).prop_map(Stricter::Hot),
        (1u64..500_000).prop_map(Stricter::Floor),
        (1u64..500_000).prop_map(Stricter::Electricity),
        Just(Stricter::FewerHours),
        Just(Stricter::NoBattery),
        Just(Stricter::NoMetered),
        Just(Stricter::Off),
    ]
}

impl Stricter {
    fn of(&self, settings: &Settings) -> Settings {
        let mut strict = settings.clone();
        match self {
            Self::Away(ms) => strict.away_ms += ms,
            Self::Settle(ms) => strict.settle_ms += ms,
            Self::Hot(lower) => {
                strict.each.heat.hot_c -= lower;
                strict.each.heat.cool_c -= lower;
            }
            Self::Floor(more) => strict.each.floor.0.0 += more,
            Self::Electricity(more) => strict.tariff.base.0 += more,
            Self::FewerHours => strict.hours = crate::schedule::WeekGrid::default(),
            Self::NoBattery => strict.on_battery = false,
            Self::NoMetered => strict.on_metered = false,
            Self::Off => strict.each.mode = Mode::Off,
        }
        strict
    }
}

/// The facts one after the other, so long apart; each is looked at as the step does. Hands each look to `see`.
fn live(
    settings: &Settings,
    course: &[(Facts, u64)],
    mut see: impl FnMut(&Memory, &Facts, Moment),
) -> Memory {
    let mut memory = Memory {
        reconciled: true,
        ..Memory::default()
    };
    let mut world = World::new();
    for (facts, wait_ms) in course {
        world.skip(*wait_ms);
        observe(&mut memory, settings, facts, world.now);
        see(&memory, facts, world.now);
    }
    memory
}

fn course() -> impl Strategy<Value = Vec<(Facts, u64)>> {
    // Mostly as it was a moment ago, so that things settle.
    let stay =
        (facts(), prop::collection::vec(1u64..=GAP_MS + 1_000, 1..6)).prop_map(|(facts, waits)| {
            waits
                .into_iter()
                .map(|wait| (facts.clone(), wait))
                .collect()
        });
    prop::collection::vec(stay, 1..6).prop_map(|parts: Vec<Vec<_>>| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_offered_under_a_reason_that_bars(settings in settings(), course in course()) {
        let mut world = World::new();
        world.settings = settings;
        world.memory = Memory { reconciled: true, ..Memory::default() };
        for (facts, wait_ms) in course {
            world.skip(wait_ms);
            world.facts = facts;
            world.facts.market.last_answer_boot_ms = Some(world.now.boot_ms);
            world.send(Event::Tick);
            let decision = decide(&world.memory, &world.settings, &world.facts, world.now);
            let offers = offers(&world.memory, &world.settings, &world.facts, world.now);
            for decided in &decision.gpus {
                let offered = offers.iter().any(|offer| offer.gpu.id == decided.gpu);
                prop_assert!(!offered || decided.may_rent(), "{decided:?}");
                prop_assert!(decided.reasons.is_sorted_by_key(|reason| reason.code));
            }
            // And no job is begun: whatever the marketplace grants, a GPU that is not offered is not pulled for.
            for gpu in ["gpu-a", "gpu-b"] {
                let id = world.memory.commands_seen + 1;
                let lease = format!("l{id}");
                let effects = world.send(grant_command(id, grant(&lease, gpu)));
                let pulls = effects.iter().any(|effect| matches!(effect, crate::Effect::Pull { .. }));
                let offer = offers.iter().find(|offer| offer.gpu.id == gpu_id(gpu));
                prop_assert!(!pulls || offer.is_some_and(|offer| offer.floor <= PRICE));
            }
            let leases: Vec<_> = world.memory.leases.keys().cloned().collect();
            for lease in leases {
                world.memory.leases.remove(&lease);
            }
        }
    }

    #[test]
    fn stricter_settings_never_rent_more(settings in settings(), stricter in stricter(), course in course()) {
        let strict = stricter.of(&settings);
        let rents = |settings: &Settings| {
            let mut floors = Vec::new();
            live(settings, &course, |memory, facts, now| {
                let offered = offers(memory, settings, facts, now);
                floors.push(facts.gpus.iter().map(|gpu| {
                    offered.iter().find(|offer| offer.gpu.id == gpu.info.id).map(|offer| offer.floor)
                }).collect::<Vec<_>>());
            });
            floors
        };
        for (strict, loose) in rents(&strict).into_iter().zip(rents(&settings)) {
            for (strict, loose) in strict.into_iter().zip(loose) {
                if let Some(strict) = strict {
                    prop_assert!(loose.is_some_and(|loose| loose <= strict), "{loose:?} {strict:?}");
                }
            }
        }
    }

    #[test]
    fn stricter_settings_never_keep_a_job_longer(settings in settings(), stricter in stricter(), course in course()) {
        let strict = stricter.of(&settings);
        let mut running = World::new();
        running.run("l", "gpu-a");
        let lease = running.lease("l").clone();
        let ended = |settings: &Settings| {
            let mut all = Vec::new();
            live(settings, &course, |memory, facts, now| {
                all.push(ends(memory, settings, facts, now, &lease).is_some());
            });
            all
        };
        for (strict, loose) in ended(&strict).into_iter().zip(ended(&settings)) {
            prop_assert!(strict || !loose);
        }
    }

    #[test]
    fn what_a_mode_needs_and_nobody_knows_is_never_rented(settings in settings(), facts in facts(), which in 0usize..7) {
        let mut facts = facts;
        let gpu = &mut facts.gpus[0];
        let mode = settings.each.mode;
        let needed = match which {
            0 => { facts.programs = None; true }
            1 => { facts.owner.touch = None; facts.owner.session = None; mode == Mode::Away }
            2 => { gpu.sensed = None; true }
            3 => { gpu.sensed.as_mut().unwrap().temperature_c = None; true }
            4 => { gpu.sensed.as_mut().unwrap().users = None; true }
            5 => { facts.machine.power = None; !settings.on_battery }
            _ => { facts.machine.metered = None; !settings.on_metered }
        };
        let wait = (settings.settle_ms / 2).min(GAP_MS);
        let course = vec![(facts, wait); 8];
        live(&settings, &course, |memory, facts, now| {
            let decided = decide(memory, &settings, facts, now).gpus.remove(0);
            let known = decided.reasons.iter().all(|reason| reason.code != Code::ReadingUnknown);
            assert!(!needed || !decided.may_rent());
            // It is said, too, unless the GPU is off or gone anyhow.
            let moot = mode == Mode::Off || facts.gpus[0].problem.is_some();
            assert!(!needed || !known || moot, "{decided:?}");
        });
    }

    #[test]
    fn a_snooze_ends(length_ms in 1u64..40_000_000, span: bool, set_ms in -100_000_000i64..100_000_000) {
        let mut world = World::new();
        let pause = if span {
            Pause::lasting(length_ms, world.now)
        } else {
            Pause::until(world.now.wall_ms + length_ms)
        };
        world.send(Event::Pause(pause));
        world.now.wall_ms = world.now.wall_ms.saturating_add_signed(set_ms);
        world.send(Event::Tick);
        let late_ms = u64::try_from(-set_ms).unwrap_or_default();
        let longest_ms = if span { length_ms + 60_000 } else { length_ms + late_ms };
        world.skip(longest_ms);
        world.send(Event::Tick);
        prop_assert_eq!(world.memory.pause, None);
    }

    #[test]
    fn decisions_are_deterministic(settings in settings(), course in course()) {
        live(&settings, &course, |memory, facts, now| {
            let decide = || decide(memory, &settings, facts, now);
            assert_eq!(decide(), decide());
            let step = || step(memory.clone(), &settings, facts, Event::Tick, now);
            assert_eq!(step(), step());
        });
    }
}

/// The most changes of "may rent" in an hour, whatever the sensors say: it becomes true only after `settle_ms` without
/// a reason, so at most once in each `settle_ms`, and each time it may become false once; and it may begin true.
fn most_changes(settle_ms: u64) -> u64 {
    2 * (3_600_000 / settle_ms) + 1
}

/// An hour of looks, one a second, at facts of which temperature and presence are noise; the changes of "may rent".
fn changes(settings: &Settings, noise: &[(i32, bool)]) -> u64 {
    let mut world = World::new();
    world.settings = settings.clone();
    let mut may = None;
    let mut changes = 0;
    for (celsius, touched) in noise.iter().cycle().take(3_600) {
        let idle_ms = if *touched { 0 } else { settings.away_ms };
        let by = InputKind::Desk;
        world.facts.owner.touch = Some(Aged::now(Touch::Ago { idle_ms, by }));
        world.facts.gpus[0].sensed.as_mut().unwrap().temperature_c = Some(*celsius);
        world.skip(1_000);
        let now = world.now;
        observe(&mut world.memory, settings, &world.facts, now);
        let decision = decide(&world.memory, settings, &world.facts, now);
        let may_now = decision.gpus[0].may_rent();
        changes += u64::from(may.is_some_and(|may| may != may_now));
        may = Some(may_now);
    }
    changes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn noise_changes_nothing_more_often_than_settling_allows(
        noise in prop::collection::vec((60i32..90, prop::bool::weighted(0.03)), 40..400),
        settle_s in 5u64..60,
    ) {
        let settings = Settings { settle_ms: settle_s * 1_000, ..Settings::default() };
        prop_assert!(changes(&settings, &noise) <= most_changes(settings.settle_ms));
    }

    /// A sensor that trembles by less than the distance of its two bounds changes it at most once.
    #[test]
    fn hysteresis_swallows_a_trembling_sensor(noise in prop::collection::vec(77i32..90, 40..400)) {
        let noise: Vec<_> = noise.into_iter().map(|celsius| (celsius, false)).collect();
        prop_assert!(changes(&Settings::default(), &noise) <= 1);
    }
}

#[test]
fn the_bound_on_changes_is_one_that_can_be_reached() {
    let settings = Settings::default();
    // Calm for just long enough, one touch, and so on: the most that settling allows with a look each second.
    let mut noise = vec![(50, false); 17];
    noise[0].1 = true;
    let changes = changes(&settings, &noise);
    assert!(
        changes >= most_changes(settings.settle_ms) * 8 / 10,
        "{changes}"
    );
}
