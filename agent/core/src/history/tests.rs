//! What is recorded of a day, and what can be made of it.

use super::card as trace_card;
use super::*;
use crate::facts::{Aged, InputKind, Moment, PowerRange, Sensed, Touch};
use crate::policy;
use crate::settings::Mode;
use crate::simulate::{EXAMPLES, Trace, simulate};
use crate::testing::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use sublet_protocol::ids::GpuId;
use sublet_protocol::local::history::{Segment, SegmentKind};
use sublet_protocol::money::{HourlyPrice, MicroUsd};
use sublet_protocol::reason::ReasonCode;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A world that is recorded, second by second.
struct Recorded {
    world: World,
    recorder: Recorder,
}

impl Recorded {
    fn new() -> Self {
        let mut world = World::new();
        let sensed = Sensed {
            temperature_c: Some(60),
            power_mw: Some(300_000),
            power_limit_mw: Some(450_000),
            load_percent: Some(97),
            memory_used_bytes: Some(4 << 30),
            users: Some(Vec::new()),
            ..Sensed::default()
        };
        for gpu in &mut world.facts.gpus {
            gpu.sensed = Some(sensed.clone());
        }
        world.facts.market.best_order = Some(PRICE);
        let mut this = Self {
            world,
            recorder: Recorder::default(),
        };
        this.look();
        this
    }

    fn look(&mut self) {
        let world = &self.world;
        let decision = policy::decide(&world.memory, &world.settings, &world.facts, world.now);
        let sight = Sight {
            decision: &decision,
            facts: &world.facts,
            memory: &world.memory,
            settings: &world.settings,
        };
        self.recorder.look(world.now, &sight);
    }

    fn pass(&mut self, ms: u64) {
        for _ in 0..ms / 1_000 {
            self.world.pass(1_000);
            self.look();
        }
    }

    fn segments(&self, gpu: &str) -> Vec<Segment> {
        of(&self.recorder.gathered(), gpu)
    }

    fn minutes(&mut self, gpu: &str) -> Vec<Minute> {
        self.recorder.end();
        let minutes = self.recorder.gathered().minutes.into_iter();
        let of = minutes.filter(|(id, _)| *id == gpu_id(gpu));
        of.map(|(_, minute)| minute).collect()
    }
}

fn of(batch: &Batch, gpu: &str) -> Vec<Segment> {
    let segments = batch.segments.iter();
    let of = segments.filter(|(id, _)| *id == gpu_id(gpu));
    of.map(|(_, segment)| segment.clone()).collect()
}

#[test]
fn a_job_and_its_owners_return_are_two_pieces_with_a_reason() {
    let mut day = Recorded::new();
    day.world.settings.tariff.base = MicroUsd(400_000);
    day.pass(90_000);
    let began = day.world.now.wall_ms;
    day.world.run("l", "gpu-a");
    day.look();
    assert!(day.recorder.turned(), "worth storing soon");
    day.pass(90_000);
    let used_ms = day.world.lease("l").used_ms(day.world.now);
    day.world.facts.programs = Some(Aged::now(vec![crate::facts::Program {
        name: "A game".into(),
        kind: crate::facts::ProgramKind::Game,
    }]));
    day.pass(1_000);
    day.world.go("l");
    let back = day.world.now.wall_ms;
    day.look();
    day.pass(MINUTE);

    let pieces = day.segments("gpu-a");
    let kinds: Vec<SegmentKind> = pieces.iter().map(|piece| piece.kind).collect();
    assert_eq!(
        kinds,
        [
            SegmentKind::NoDemand,
            SegmentKind::Renting,
            SegmentKind::InUse
        ]
    );
    let [_, renting, in_use] = &pieces[..] else {
        panic!("{pieces:?}")
    };
    assert_eq!((renting.from_ms, renting.to_ms), (began, back));
    assert_eq!(renting.lease, Some(lease_id("l")));
    assert_eq!(renting.reason, None);
    assert_eq!(in_use.from_ms, back);
    assert_eq!(
        in_use.reason.as_ref().map(|reason| reason.code),
        Some(ReasonCode::ProgramRuns)
    );
    assert_eq!(in_use.lease, None);

    let minutes = day.minutes("gpu-a");
    let earned: u64 = minutes.iter().map(|minute| minute.earned.0).sum();
    let grant = grant("l", "gpu-a");
    let metered = grant.fee.net(grant.price.cost(used_ms)).0;
    // The second in which the owner came is on top.
    assert!(
        (metered..metered + 100).contains(&earned),
        "{earned} {metered}"
    );
    let rented_ms: u64 = minutes.iter().map(|minute| minute.rented_ms).sum();
    assert_eq!(rented_ms, back - began);
    let energy: u64 = minutes.iter().map(|minute| minute.energy_mj).sum();
    assert_eq!(energy, 300 * rented_ms, "300 W");
    let cost: u64 = minutes.iter().map(|minute| minute.cost_nano_usd).sum();
    let exact = rented_ms * 300 * 400_000 / 3_600_000;
    assert!((exact..exact + 20).contains(&cost), "{cost} {exact}");
    for minute in &minutes {
        assert!(minute.ms <= MINUTE && minute.rented_ms <= minute.ms);
        assert_eq!(minute.temperature_dc, Some(600));
        assert_eq!(minute.unpriced_ms + minute.unmeasured_ms, 0);
    }
}

#[test]
fn power_that_nobody_reads_is_told_and_not_nought() {
    let mut day = Recorded::new();
    for gpu in &mut day.world.facts.gpus {
        gpu.sensed.as_mut().unwrap().power_mw = None;
    }
    day.world.run("l", "gpu-a");
    day.look();
    day.pass(90_000);
    let minutes = day.minutes("gpu-a");
    let sum = |part: fn(&Minute) -> u64| minutes.iter().map(part).sum::<u64>();
    assert_eq!(sum(|minute| minute.unmeasured_ms), 90_000);
    assert_eq!(sum(|minute| minute.unpriced_ms), 90_000);
    assert_eq!(sum(|minute| minute.energy_mj), 0);
}

#[test]
fn sleep_and_a_set_clock_are_gaps_and_a_small_step_back_is_waited_for() {
    let mut day = Recorded::new();
    day.pass(MINUTE);
    let asleep = day.world.now.wall_ms;
    // Eight hours of sleep: the clock that stands still in it stood.
    day.world.now.boot_ms += 8 * HOUR;
    day.world.now.wall_ms += 8 * HOUR;
    day.look();
    let awake = day.world.now.wall_ms;
    day.pass(MINUTE);
    // The clock is put right by five seconds, and then by three hours.
    day.world.now.wall_ms -= 5_000;
    day.look();
    day.pass(MINUTE);
    day.world.now.wall_ms -= 3 * HOUR;
    day.look();
    let set = day.world.now.wall_ms;
    day.pass(MINUTE);
    day.recorder.end();
    let pieces = day.segments("gpu-a");
    let spans: Vec<(u64, u64)> = ran(&pieces);
    assert_eq!(
        spans,
        [
            (awake - 8 * HOUR - MINUTE, asleep),
            (set, set + MINUTE),
            (awake, awake + 2 * MINUTE - 5_000)
        ]
    );
    // Begun anew, it settled anew.
    assert!(
        pieces
            .iter()
            .any(|piece| piece.kind == SegmentKind::Settling)
    );
}

/// A day with its owner at the desk from nine to ten, away for four minutes in it, and a game in the evening.
fn a_day() -> Recorded {
    let mut day = Recorded::new();
    day.world.settings.each.mode = Mode::Away;
    day.world.facts.market.best_order = None;
    let mut idle_ms = HOUR;
    for minute in 0..24 * 60 {
        let hour = minute / 60;
        let at_desk = hour == 9 && !(20..24).contains(&(minute % 60));
        let plays = (20..22).contains(&hour);
        for _ in 0..6 {
            idle_ms = if at_desk { 2_000 } else { idle_ms + 10_000 };
            let touch = Touch::Ago {
                idle_ms,
                by: InputKind::Desk,
            };
            day.world.facts.owner.touch = Some(Aged::now(touch));
            let users = if plays { vec![game()] } else { Vec::new() };
            for gpu in &mut day.world.facts.gpus {
                gpu.sensed.as_mut().unwrap().users = Some(users.clone());
            }
            day.world.pass(10_000);
            day.look();
        }
    }
    day
}

fn record(day: &Recorded) -> Record {
    let batch = day.recorder.gathered();
    let segments: Vec<Segment> = batch
        .segments
        .iter()
        .map(|(_, piece)| piece.clone())
        .collect();
    Record {
        ran: ran(&segments),
        lines: batch.lines,
        utc_offset_s: 0,
    }
}

fn warm_cards(day: &Recorded) -> Vec<crate::simulate::Card> {
    let warmth = Warmth::of(&[]);
    let facts = day.world.facts.gpus.iter();
    facts
        .map(|gpu| trace_card(gpu, Some(crate::profit::Draw::Measured(250_000)), warmth))
        .collect()
}

#[test]
fn a_recorded_day_replays_as_it_was() {
    let day = a_day();
    let fee = sublet_protocol::money::BasisPoints::new(500).unwrap();
    let trace = recorded(&record(&day), warm_cards(&day), PRICE, fee, [30, 90]).unwrap();
    // It reads as every trace does.
    assert_eq!(Trace::parse(&trace.to_string()).as_ref(), Ok(&trace));
    let report = simulate(&trace, &day.world.settings);
    let recorded_ms = |kind| {
        let pieces = day.segments("gpu-a");
        totals(&pieces, 0, u64::MAX)
            .get(&kind)
            .copied()
            .unwrap_or(0)
    };
    let replayed: u64 = [
        ReasonCode::OwnerPresent,
        ReasonCode::ProgramRuns,
        ReasonCode::GpuInUse,
        ReasonCode::Watching,
    ]
    .iter()
    .filter_map(|code| report.gpus[0].sums.barred_ms.get(code))
    .sum();
    let really = recorded_ms(SegmentKind::InUse);
    assert!(
        replayed.abs_diff(really) <= 2 * MINUTE,
        "replayed {replayed}, recorded {really}"
    );
    // At the desk for an hour and five minutes more, playing for two.
    assert!(
        really.abs_diff(3 * HOUR + 5 * MINUTE) <= 2 * MINUTE,
        "{really}"
    );
    // Another rule on the same day: the desk is nobody's business any more, the game still is.
    let mut idle = day.world.settings.clone();
    idle.each.mode = Mode::GpuIdle;
    let report = simulate(&trace, &idle);
    let lost = &report.gpus[0].sums.barred_ms;
    assert_eq!(lost.get(&ReasonCode::OwnerPresent), None);
    assert!(lost[&ReasonCode::GpuInUse].abs_diff(2 * HOUR) <= 2 * MINUTE);
}

#[test]
fn presence_that_nothing_tells_stays_unknown_in_the_replay() {
    let mut day = Recorded::new();
    day.world.settings.each.mode = Mode::Away;
    day.world.facts.owner.touch = None;
    day.pass(HOUR);
    let trace = recorded(
        &record(&day),
        warm_cards(&day),
        PRICE,
        Default::default(),
        [30, 90],
    );
    let report = simulate(&trace.unwrap(), &day.world.settings);
    assert_eq!(report.total.rentable_ms, 0);
    assert!(report.total.barred_ms[&ReasonCode::ReadingUnknown] >= HOUR);
}

#[test]
fn a_machine_that_was_off_is_off_in_the_replay() {
    let mut day = Recorded::new();
    day.pass(HOUR);
    day.world.now.boot_ms += 8 * HOUR;
    day.world.now.wall_ms += 8 * HOUR;
    day.look();
    day.pass(HOUR);
    let trace = recorded(
        &record(&day),
        warm_cards(&day),
        PRICE,
        Default::default(),
        [30, 90],
    );
    let report = simulate(&trace.unwrap(), &day.world.settings);
    let off = report.gpus[0].sums.barred_ms[&ReasonCode::AgentAway];
    assert!(off.abs_diff(8 * HOUR) <= MINUTE, "{off}");
}

#[test]
fn made_up_weeks_read_on_every_machine() {
    let mut known = card_facts();
    known.power_range = Some(PowerRange {
        lowest_mw: 100_000,
        highest_mw: 450_000,
        default_mw: 400_000,
    });
    let draws = [None, Some(crate::profit::Draw::AtMost(400_000))];
    for example in EXAMPLES {
        for draw in draws {
            let mut software = testing_software();
            software.info.id = gpu_id("sw");
            let cards = vec![
                trace_card(&known, draw, Warmth::of(&[])),
                trace_card(
                    &software,
                    Some(crate::profit::Draw::Measured(0)),
                    Warmth::of(&[]),
                ),
            ];
            let trace = exemplary(example, cards, PRICE, Default::default(), [30, 90]).unwrap();
            assert_eq!(Trace::parse(&trace.to_string()).as_ref(), Ok(&trace));
            let asked = Asked {
                low: PRICE,
                high: HourlyPrice(MicroUsd(2 * PRICE.0.0)),
                demand_percent: [30, 90],
                power_known: draw.is_some(),
            };
            let mut settings = crate::Settings::default();
            settings.tariff.base = MicroUsd(300_000);
            let came = outcome(&trace, &settings, &asked);
            assert_eq!(came.time_ms, 2 * 7 * DAY);
            assert!(came.rentable_ms.low <= came.rentable_ms.high);
            assert!(came.rentable_ms.high > 0, "{example:?}");
            assert_eq!(came.net.is_some(), draw.is_some());
            // No hardware is not rented unless its owner allows it.
            assert!(came.lost_ms[&ReasonCode::SoftwareGpu] > 0);
            let lost: u64 = came.lost_ms.values().sum();
            assert!(lost <= came.time_ms);
        }
    }
}

fn card_facts() -> crate::facts::GpuFacts {
    crate::testing::card("gpu-a", false)
}

fn testing_software() -> crate::facts::GpuFacts {
    crate::testing::card("sw", true)
}

#[test]
fn a_higher_price_and_more_demand_never_earn_less() {
    let day = a_day();
    let trace = recorded(
        &record(&day),
        warm_cards(&day),
        PRICE,
        Default::default(),
        [0, 0],
    );
    let trace = trace.unwrap();
    let net = |price, percent: u8| {
        let asked = Asked {
            low: HourlyPrice(MicroUsd(price)),
            high: HourlyPrice(MicroUsd(price)),
            demand_percent: [percent, percent],
            power_known: true,
        };
        let mut settings = day.world.settings.clone();
        settings.tariff.base = MicroUsd(300_000);
        outcome(&trace, &settings, &asked).net.unwrap().low
    };
    assert_eq!(net(100_000, 90), 0, "below the floor nothing is rented");
    assert!(net(300_000, 30) > 0);
    assert!(net(300_000, 90) > net(300_000, 30));
    assert!(net(400_000, 30) > net(300_000, 30));
}

proptest! {
    /// Whatever the clocks do, no piece is empty or negative, and those of one stretch of looks never overlap.
    #[test]
    fn no_clock_makes_pieces_overlap(steps in prop::collection::vec((0u64..40_000, -200_000i64..200_000, 0u8..20), 1..60)) {
        let mut day = Recorded::new();
        let start = day.world.now.wall_ms;
        for (went, set, what) in steps {
            day.world.now = Moment {
                mono_ms: day.world.now.mono_ms + went,
                boot_ms: day.world.now.boot_ms + went,
                wall_ms: (day.world.now.wall_ms + went).saturating_add_signed(if what < 4 { set } else { 0 }),
            };
            day.world.memory.pause = (what % 2 == 0).then_some(crate::memory::Pause::UNTIL_RESUMED);
            day.look();
        }
        day.recorder.end();
        let batch = day.recorder.gathered();
        for (_, piece) in &batch.segments {
            prop_assert!(piece.from_ms < piece.to_ms);
        }
        for (_, minute) in &batch.minutes {
            prop_assert!(minute.ms <= MINUTE);
        }
        // As it is shown, it is whole and in order.
        let pieces = gapless(of(&batch, "gpu-a"), start - DAY, start + DAY);
        prop_assert_eq!(pieces.first().map(|piece| piece.from_ms), Some(start - DAY));
        prop_assert_eq!(pieces.last().map(|piece| piece.to_ms), Some(start + DAY));
        for pair in pieces.windows(2) {
            prop_assert_eq!(pair[0].to_ms, pair[1].from_ms);
            prop_assert!(pair[0].from_ms < pair[0].to_ms);
        }
        let all: u64 = totals(&pieces, 0, u64::MAX).values().sum();
        prop_assert_eq!(all, 2 * DAY);
    }
}

#[test]
fn all_gpus_are_recorded_apart() {
    let mut day = Recorded::new();
    day.world.run("l", "gpu-b");
    day.look();
    day.pass(MINUTE);
    let by_gpu: BTreeMap<GpuId, Vec<SegmentKind>> = ["gpu-a", "gpu-b"]
        .map(|gpu| {
            let kinds = day.segments(gpu).iter().map(|piece| piece.kind).collect();
            (gpu_id(gpu), kinds)
        })
        .into();
    assert_eq!(by_gpu[&gpu_id("gpu-a")], [SegmentKind::NoDemand]);
    assert_eq!(by_gpu[&gpu_id("gpu-b")].last(), Some(&SegmentKind::Renting));
}
