//! Who may rent when, told as stories: one GPU, one owner, and what they do.

use super::{decide, ends, offers};
use crate::Event;
use crate::facts::{
    Aged, GpuUser, InputKind, Power, Program, ProgramKind, Session, Touch, Watching, WatchingHow,
};
use crate::memory::{Memory, Pause};
use crate::settings::Mode;
use crate::tariff::Band;
use crate::testing::*;
use sublet_protocol::money::{BasisPoints, HourlyPrice, MicroUsd};
use sublet_protocol::reason::{Figure, Reason, ReasonCode as Code, RigState};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

fn world(mode: Mode) -> World {
    let mut world = World::new();
    world.settings.each.mode = mode;
    world
}

fn touched(idle_ms: u64) -> Option<Aged<Touch>> {
    let by = InputKind::Desk;
    Some(Aged::now(Touch::Ago { idle_ms, by }))
}

fn reasons(world: &World) -> Vec<Reason> {
    decide(&world.memory, &world.settings, &world.facts, world.now)
        .gpus
        .remove(0)
        .reasons
}

/// What bars the first GPU.
fn bars(world: &World) -> Vec<Code> {
    let codes = reasons(world).into_iter().map(|reason| reason.code);
    codes.filter(|code| code.bars()).collect()
}

fn first(world: &World) -> Reason {
    reasons(world).remove(0)
}

fn said(world: &World) -> String {
    let first = first(world);
    format!("{} {}", first.text, first.remedy)
}

/// Why the lease `l` has to go.
fn end(world: &World) -> Option<Code> {
    let lease = world.lease("l");
    let (memory, settings) = (&world.memory, &world.settings);
    ends(memory, settings, &world.facts, world.now, lease).map(|reason| reason.code)
}

fn game_runs(world: &mut World) {
    let (name, kind) = ("Elden Ring".to_owned(), ProgramKind::Game);
    world.facts.programs = Some(Aged::now(vec![Program { name, kind }]));
}

/// Lets the world stand as it is until everything has settled.
fn settle(world: &mut World) {
    world.pass(0);
    world.pass(world.settings.settle_ms);
}

#[test]
fn away_rents_five_minutes_after_the_last_touch() {
    let mut world = world(Mode::Away);
    world.facts.owner.touch = touched(2 * MINUTE);
    world.pass(0);
    assert_eq!(bars(&world), [Code::OwnerPresent]);
    assert_eq!(
        said(&world),
        "Keyboard or mouse are in use. Rents again after 5 min without a touch: in 3 min if nobody comes back."
    );
    assert_eq!(first(&world).figures["left_ms"], Figure::Number(180_000));

    world.facts.owner.touch = touched(5 * MINUTE);
    world.pass(0);
    assert_eq!(bars(&world), [Code::Settling]);
    world.pass(world.settings.settle_ms - 1);
    assert_eq!(bars(&world), [Code::Settling]);
    world.pass(1);
    assert_eq!(bars(&world), []);
}

#[test]
fn the_age_of_a_touch_counts_with_it() {
    let mut world = world(Mode::Away);
    let by = InputKind::Gamepad;
    let touch = |age_ms| {
        let idle_ms = 5 * MINUTE - 1_000;
        let value = Touch::Ago { idle_ms, by };
        Some(Aged { value, age_ms })
    };
    world.facts.owner.touch = touch(999);
    assert_eq!(bars(&world), [Code::OwnerPresent]);
    assert!(said(&world).starts_with("A gamepad is in use."));
    world.facts.owner.touch = touch(1_000);
    assert_eq!(bars(&world), []);
    world.facts.owner.touch = touch(10_001);
    assert_eq!(bars(&world), [Code::ReadingUnknown]);
}

#[test]
fn a_locked_session_is_away_unless_somebody_is_on_it_from_elsewhere() {
    let mut world = world(Mode::Away);
    world.facts.owner.touch = touched(0);
    let session = |locked, remote| {
        let display_off = false;
        Some(Aged::now(Session {
            locked,
            remote,
            display_off,
        }))
    };
    for (locked, remote, present) in [
        (false, false, true),
        (true, false, false),
        (true, true, true),
        (false, true, true),
    ] {
        world.facts.owner.session = session(locked, remote);
        assert_eq!(!bars(&world).is_empty(), present, "{locked} {remote}");
    }
    // What is not known does not count as locked.
    world.facts.owner.session = None;
    assert_eq!(bars(&world), [Code::OwnerPresent]);
}

#[test]
fn a_film_is_not_absence_but_a_dark_screen_is() {
    let mut world = world(Mode::Away);
    world.facts.owner.touch = touched(HOUR);
    let film = Watching {
        program: "mpv".into(),
        how: WatchingHow::Inhibits,
    };
    world.facts.owner.watching = Some(Aged::now(vec![film]));
    assert_eq!(bars(&world), [Code::Watching]);
    assert_eq!(
        said(&world),
        "mpv keeps the display on. Rents again 15 s after it ends, or after the screen is locked or off."
    );
    world.facts.owner.session = Some(Aged::now(Session {
        display_off: true,
        ..Session::default()
    }));
    assert_eq!(bars(&world), []);
}

#[test]
fn the_game_always_wins_in_every_mode() {
    for (mode, remedy) in [
        (Mode::Away, "Rents again 5 min after it closes."),
        (Mode::GpuIdle, "Rents again 15 s after it closes."),
        (Mode::Always, "Rents again 15 s after it closes."),
    ] {
        let mut world = world(mode);
        game_runs(&mut world);
        assert_eq!(bars(&world), [Code::ProgramRuns], "{mode:?}");
        assert_eq!(said(&world), format!("Elden Ring runs. {remedy}"));
        let decision = decide(&world.memory, &world.settings, &world.facts, world.now);
        assert_eq!(decision.state, RigState::Yours);
    }
}

#[test]
fn gpu_idle_lets_its_owner_work_and_gives_way_to_other_use() {
    let mut world = world(Mode::GpuIdle);
    world.facts.owner.touch = touched(0);
    let sensed = world.facts.gpus[0].sensed.as_mut().unwrap();
    let browser = GpuUser {
        name: "firefox".into(),
        pid: 4,
        memory_bytes: Some(100 << 20),
        load_percent: Some(1),
        computes: false,
    };
    sensed.users = Some(vec![browser.clone()]);
    assert_eq!(bars(&world), []);
    let sensed = world.facts.gpus[0].sensed.as_mut().unwrap();
    sensed.users = Some(vec![browser, game()]);
    assert_eq!(bars(&world), [Code::GpuInUse]);
    assert_eq!(
        said(&world),
        "a-game uses RTX 4090. Rents again 15 s after it has closed."
    );
}

#[test]
fn a_schedule_says_when_it_opens() {
    let mut world = world(Mode::Schedule);
    world.facts.owner.touch = touched(0);
    assert_eq!(bars(&world), [Code::OutsideHours], "no hours at all");
    assert!(said(&world).contains("no hours"));
    // It is Tuesday, 22:13:35 UTC; Wednesday, 08:00 to 09:00.
    assert!(world.settings.hours.mark(2 * 96 + 32, 2 * 96 + 36));
    assert_eq!(
        said(&world),
        "This is not an hour that you chose. Rents again tomorrow at 08:00."
    );
    let Figure::Number(opens) = first(&world).figures["opens_ms"] else {
        unreachable!("a time is a number");
    };
    assert_eq!(opens as u64 % (24 * HOUR), 8 * HOUR);
    world.now.wall_ms = opens as u64;
    assert_eq!(bars(&world), []);
    world.now.wall_ms = opens as u64 + HOUR;
    assert_eq!(bars(&world), [Code::OutsideHours]);
}

#[test]
fn off_is_off_and_says_nothing_else() {
    let mut world = world(Mode::Off);
    game_runs(&mut world);
    assert_eq!(bars(&world), [Code::SwitchedOff]);
    assert!(offers(&world.memory, &world.settings, &world.facts, world.now).is_empty());
}

#[test]
fn a_mode_asks_only_for_the_readings_that_it_needs() {
    for (mode, needs_presence) in [
        (Mode::Away, true),
        (Mode::GpuIdle, false),
        (Mode::Always, false),
    ] {
        let mut world = world(mode);
        world.facts.owner = crate::facts::OwnerFacts::default();
        let expected = if needs_presence {
            vec![Code::ReadingUnknown, Code::ReadingUnknown]
        } else {
            vec![]
        };
        assert_eq!(bars(&world), expected, "{mode:?}");

        let mut world = self::world(mode);
        world.facts.programs = None;
        assert_eq!(bars(&world), [Code::ReadingUnknown]);
        let mut world = self::world(mode);
        world.facts.machine.power = None;
        world.facts.machine.metered = None;
        assert_eq!(bars(&world), [Code::ReadingUnknown, Code::ReadingUnknown]);
        world.settings.on_battery = true;
        world.settings.on_metered = true;
        assert_eq!(bars(&world), []);
    }
}

#[test]
fn battery_and_metered_networks_bar_unless_they_are_allowed() {
    let mut world = world(Mode::Always);
    let percent = Some(64);
    world.facts.machine.power = Some(Aged::now(Power::Battery { percent }));
    world.facts.machine.metered = Some(Aged::now(true));
    assert_eq!(bars(&world), [Code::OnBattery, Code::MeteredNetwork]);
    assert!(said(&world).contains("at 64 %"));
    world.settings.on_battery = true;
    assert_eq!(bars(&world), [Code::MeteredNetwork]);
    world.settings.on_metered = true;
    assert_eq!(bars(&world), []);
}

#[test]
fn settling_begins_anew_after_a_restart_and_after_sleep() {
    let mut world = world(Mode::Always);
    assert_eq!(bars(&world), []);
    let stored = serde_json::to_string(&world.memory).unwrap();
    world.memory = serde_json::from_str::<Memory>(&stored).unwrap();
    world.memory.reconciled = true;
    assert_eq!(bars(&world), [Code::Settling]);
    settle(&mut world);
    assert_eq!(bars(&world), []);

    world.skip(30_000);
    assert_eq!(bars(&world), [], "so long may a look take");
    world.skip(1);
    assert_eq!(bars(&world), [Code::Settling], "before the first look");
    world.pass(0);
    assert_eq!(bars(&world), [Code::Settling]);
    world.pass(world.settings.settle_ms);
    assert_eq!(bars(&world), []);
}

#[test]
fn each_gpu_goes_by_its_own_mode() {
    let mut world = world(Mode::Away);
    world.facts.owner.touch = touched(0);
    let mut own = world.settings.each.clone();
    own.mode = Mode::Always;
    world.settings.gpus.insert(gpu_id("gpu-b"), own);
    let decision = decide(&world.memory, &world.settings, &world.facts, world.now);
    assert_eq!(decision.gpus[0].state, RigState::Yours);
    assert_eq!(decision.gpus[1].state, RigState::Ready);
    assert_eq!(decision.state, RigState::Ready, "by the nearest of them");
}

#[test]
fn the_card_slows_down_before_its_owners_bound() {
    let mut world = world(Mode::Always);
    world.facts.gpus[0].slowdown_c = Some(80);
    world.facts.gpus[0].sensed.as_mut().unwrap().temperature_c = Some(78);
    world.pass(0);
    assert_eq!(bars(&world), [Code::TooHot]);
    let sensed = world.facts.gpus[0].sensed.as_mut().unwrap();
    sensed.temperature_c = Some(60);
    sensed.hotspot_c = Some(100);
    world.pass(0);
    assert_eq!(
        said(&world),
        "The hottest spot of RTX 4090 is at 100 °C. Rents again below 96 °C."
    );
}

/// A tariff, a fee, and a card that was measured at 300 W.
fn metered_world() -> World {
    let mut world = world(Mode::Always);
    world.settings.tariff.base = MicroUsd(400_000);
    world.settings.each.floor = HourlyPrice(MicroUsd(50_000));
    world.facts.market.fee = Some(BasisPoints::new(500).unwrap());
    for gpu in ["gpu-a", "gpu-b"] {
        world.memory.drawn_mw.insert(gpu_id(gpu), 300_000);
    }
    world
}

#[test]
fn the_floor_covers_the_electricity_and_the_fee() {
    let mut world = metered_world();
    let floor = |world: &World| {
        let offers = offers(&world.memory, &world.settings, &world.facts, world.now);
        offers[0].floor.0.0
    };
    // 300 W at $0.40 is $0.12 an hour; with a fee of 5 % it takes $0.126316.
    assert_eq!(floor(&world), 127_000);
    world.settings.each.floor = HourlyPrice(MicroUsd(200_000));
    assert_eq!(floor(&world), 200_000, "the owner asks for more");
    world.settings.each.floor = HourlyPrice(MicroUsd(50_000));
    world.settings.tariff.bands.push(Band {
        from_min: 22 * 60,
        to_min: 6 * 60,
        price: MicroUsd(200_000),
    });
    assert_eq!(floor(&world), 64_000, "it is night");
    let mut grant = grant("l", "gpu-a");
    grant.price = HourlyPrice(MicroUsd(60_000));
    world.send(grant_command(1, grant));
    let message = &world.lease("l").ending.as_ref().unwrap().message;
    assert!(message.contains("below the floor of $0.064/h"), "{message}");
}

#[test]
fn before_it_is_measured_the_power_limit_stands_for_it() {
    let mut world = metered_world();
    world.memory.drawn_mw.clear();
    world.facts.market.best_order = Some(HourlyPrice(MicroUsd(1)));
    assert_eq!(bars(&world), [Code::ReadingUnknown], "nothing tells");
    let sensed = world.facts.gpus[0].sensed.as_mut().unwrap();
    sensed.power_limit_mw = Some(450_000);
    assert_eq!(bars(&world), []);
    assert!(said(&world).contains("up to 450 W by its power limit"));
    // Without a price of electricity nobody needs to know.
    world.facts.gpus[0].sensed.as_mut().unwrap().power_limit_mw = None;
    world.settings.tariff.base = MicroUsd::ZERO;
    assert_eq!(bars(&world), []);
}

#[test]
fn what_is_paid_too_little_is_said_and_does_not_withdraw_the_offer() {
    let mut world = metered_world();
    world.settings.each.floor = HourlyPrice(MicroUsd(200_000));
    let mut shown = |best: Option<u64>| {
        world.facts.market.best_order = best.map(|best| HourlyPrice(MicroUsd(best)));
        let offered = offers(&world.memory, &world.settings, &world.facts, world.now);
        assert_eq!(offered.len(), 2, "the offer stands");
        let state = decide(&world.memory, &world.settings, &world.facts, world.now).state;
        let codes = reasons(&world).iter().map(|r| r.code).collect::<Vec<_>>();
        (codes, state, reasons(&world))
    };
    let (codes, state, said) = shown(Some(100_000));
    assert_eq!((codes, state), (vec![Code::BelowCost], RigState::Waiting));
    assert_eq!(
        said[0].text,
        "The best order waiting pays $0.10/h for RTX 4090: $0.027 too little for its electricity, 300 W as measured at $0.40 for a kWh."
    );
    assert_eq!(said[0].figures["short"], Figure::Number(27_000));
    let (codes, state, _) = shown(Some(150_000));
    assert_eq!((codes, state), (vec![Code::BelowFloor], RigState::Ready));
    let (codes, state, _) = shown(None);
    assert_eq!((codes, state), (vec![Code::NoDemand], RigState::Ready));
    let (codes, state, _) = shown(Some(200_000));
    assert_eq!((codes, state), (vec![], RigState::Ready));
}

#[test]
fn a_marketplace_that_keeps_everything_gets_nothing() {
    let mut world = metered_world();
    world.facts.market.fee = Some(BasisPoints::new(10_000).unwrap());
    assert!(offers(&world.memory, &world.settings, &world.facts, world.now).is_empty());
    assert_eq!(first(&world).code, Code::BelowCost);
}

#[test]
fn power_is_measured_while_a_job_runs_and_kept_coarsely() {
    let mut world = world(Mode::Always);
    world.settings.unpaid_limit_ms = u64::MAX;
    world.run("l", "gpu-a");
    let lease = world.memory.leases.get_mut(&lease_id("l")).unwrap();
    lease.funded_ms = u64::MAX;
    lease.grant.spec.deadline_ms = u64::MAX;
    let draw = |world: &mut World, mw, seconds: u64| {
        let mut writes = 0;
        for _ in 0..seconds {
            world.facts.gpus[0].sensed.as_mut().unwrap().power_mw = Some(mw);
            let before = world.memory.drawn_mw.clone();
            world.pass(1_000);
            writes += usize::from(world.memory.drawn_mw != before);
        }
        (world.memory.drawn_mw.get(&gpu_id("gpu-a")).copied(), writes)
    };
    assert_eq!(draw(&mut world, 300_000, 59), (None, 0));
    assert_eq!(draw(&mut world, 300_000, 1), (Some(300_000), 1));
    // Noise is not worth a write.
    assert_eq!(draw(&mut world, 310_000, 120), (Some(300_000), 0));
    // A dearer job shows, after a while.
    let (kept, writes) = draw(&mut world, 450_000, 1_200);
    assert!((430_000..=450_000).contains(&kept.unwrap()), "{kept:?}");
    assert!(writes <= 10, "{writes}");
    // What a GPU draws at rest says nothing.
    world.send(cancel_command(9, "l"));
    world.news("l", crate::event::News::Killed);
    world.news("l", crate::event::News::Removed);
    assert_eq!(draw(&mut world, 20_000, 1_200).0, kept);
}

#[test]
fn an_hour_of_snooze_stays_an_hour_when_the_clock_is_set() {
    for jump_ms in [8 * HOUR as i64, -8 * HOUR as i64] {
        let mut world = World::new();
        world.send(Event::Pause(Pause::lasting(HOUR, world.now)));
        world.pass(10 * MINUTE);
        world.now.wall_ms = world.now.wall_ms.saturating_add_signed(jump_ms);
        world.pass(50 * MINUTE - 1);
        assert!(world.memory.pause.is_some(), "{jump_ms}");
        world.pass(1);
        assert_eq!(world.memory.pause, None, "{jump_ms}");
    }
}

#[test]
fn one_gpu_is_paused_and_the_other_rents_on() {
    let mut world = World::new();
    world.run("l", "gpu-a");
    world.send(Event::PauseGpu(
        gpu_id("gpu-b"),
        Pause::lasting(HOUR, world.now),
    ));
    assert_eq!(end(&world), None, "its neighbour's pause ends no job");
    let decision = decide(&world.memory, &world.settings, &world.facts, world.now);
    assert_eq!(decision.gpus[1].state, RigState::Yours);
    assert_eq!(
        decision.gpus[1].reasons[0].text,
        "You paused renting of RTX 4090."
    );
    world.send(Event::PauseGpu(
        gpu_id("gpu-a"),
        Pause::lasting(HOUR, world.now),
    ));
    assert_eq!(world.lease("l").stage, crate::lease::Stage::Freezing);
    world.send(Event::ResumeGpu(gpu_id("gpu-b")));
    assert_eq!(world.memory.pauses.len(), 1);
    world.pass(HOUR);
    assert!(world.memory.pauses.is_empty(), "it ends by itself");
    world.send(Event::PauseGpu(gpu_id("gpu-a"), Pause::UNTIL_RESUMED));
    world.send(Event::Resume);
    assert!(world.memory.pauses.is_empty(), "resuming is for all");
}

#[test]
fn nothing_rents_before_its_owner_said_when() {
    let mut world = World::new();
    world.facts.set_up = false;
    world.pass(HOUR);
    assert_eq!(first(&world).code, Code::NotSetUp);
    assert!(offers(&world.memory, &world.settings, &world.facts, world.now).is_empty());
    let decision = decide(&world.memory, &world.settings, &world.facts, world.now);
    assert_eq!(decision.state, RigState::NeedsYou);
    world.send(grant_command(1, grant("l", "gpu-a")));
    assert!(world.lease("l").ending.is_some(), "no job is taken either");
}

#[test]
fn until_tomorrow_goes_by_the_clock_on_the_wall() {
    let mut world = World::new();
    let tomorrow = world.now.wall_ms + 3 * HOUR;
    world.send(Event::Pause(Pause::until(tomorrow)));
    world.pass(MINUTE);
    world.now.wall_ms = tomorrow - MINUTE;
    world.pass(MINUTE - 1);
    assert!(world.memory.pause.is_some());
    assert!(said(&world).contains("at 01:13"), "{}", said(&world));
    world.pass(1);
    assert_eq!(world.memory.pause, None);
}

#[test]
fn a_machine_that_slept_eight_hours_ends_its_hour_of_snooze() {
    let mut world = World::new();
    world.send(Event::Pause(Pause::lasting(HOUR, world.now)));
    world.pass(MINUTE);
    world.now.boot_ms += 8 * HOUR;
    world.now.wall_ms += 8 * HOUR;
    world.send(Event::Tick);
    assert_eq!(world.memory.pause, None);
    assert_eq!(bars(&world), [Code::Settling]);
}

#[test]
fn a_lease_ends_at_once_for_its_owner_heat_and_power() {
    type Change = fn(&mut World);
    let changes: [(Code, Change); 11] = [
        (Code::PausedByOwner, |w| {
            w.memory.pause = Some(Pause::UNTIL_RESUMED);
        }),
        (Code::PausedByOwner, |w| {
            w.memory
                .pauses
                .insert(gpu_id("gpu-a"), Pause::UNTIL_RESUMED);
        }),
        (Code::SwitchedOff, |w| w.settings.each.mode = Mode::Off),
        (Code::GpuLost, |w| drop(w.facts.gpus.remove(0))),
        (Code::ReadingUnknown, |w| {
            w.facts.gpus[0].sensed.as_mut().unwrap().age_ms = 10_001;
        }),
        (Code::ProgramRuns, game_runs),
        (Code::OwnerPresent, |w| w.facts.owner.touch = touched(0)),
        (Code::Watching, |w| {
            w.facts.owner.touch = touched(HOUR);
            w.facts.owner.watching = Some(Aged::now(vec![Watching {
                program: "mpv".into(),
                how: WatchingHow::FullScreen,
            }]));
        }),
        (Code::GpuInUse, |w| {
            w.facts.gpus[0].sensed.as_mut().unwrap().users = Some(vec![game()]);
        }),
        (Code::TooHot, |w| {
            w.facts.gpus[0].sensed.as_mut().unwrap().temperature_c = Some(83);
        }),
        (Code::OnBattery, |w| {
            w.facts.machine.power = Some(Aged::now(Power::Battery { percent: None }));
        }),
    ];
    for (code, change) in changes {
        let mut world = world(Mode::Away);
        world.run("l", "gpu-a");
        assert_eq!(end(&world), None);
        change(&mut world);
        assert_eq!(end(&world), Some(code));
    }
}

#[test]
fn hours_metered_networks_and_cost_leave_a_job_its_slice() {
    type Change = fn(&mut World);
    let changes: [(Code, Change); 3] = [
        (Code::OutsideHours, |w| {
            w.settings.each.mode = Mode::Schedule
        }),
        (Code::MeteredNetwork, |w| {
            w.facts.machine.metered = Some(Aged::now(true));
        }),
        (Code::BelowCost, |w| {
            w.settings.tariff.base = MicroUsd(4_000_000)
        }),
    ];
    for (code, change) in changes {
        let mut world = metered_world();
        world.settings.unpaid_limit_ms = u64::MAX;
        world.run("l", "gpu-a");
        change(&mut world);
        assert_eq!(end(&world), None, "{code:?}");
        let slice_ms = world.settings.min_slice_ms;
        world.now.mono_ms += slice_ms - 1;
        assert_eq!(end(&world), None, "{code:?}");
        world.now.mono_ms += 1;
        assert_eq!(end(&world), Some(code));
    }
}

#[test]
fn what_others_look_after_ends_no_lease() {
    let mut world = world(Mode::Away);
    world.run("l", "gpu-a");
    world.facts.set_up = false;
    world.facts.settings_problem = Some("line 3".into());
    world.facts.ledger_problem = Some("disk full".into());
    world.facts.docker = crate::facts::Docker::Away("no socket".into());
    world.facts.market.connected = false;
    world.facts.gpus[0].info.score = None;
    world.now.mono_ms += HOUR;
    assert_eq!(end(&world), None);
}
