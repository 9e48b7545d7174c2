//! What the governor does, told one by one.

use super::proofs::{Bench, Physics};
use super::*;
use crate::policy::offers;
use crate::testing::{World, card, gpu_id};
use sublet_protocol::gpu::BenchScore;

const WATT: u32 = 1_000;

/// A card of 300 W whose power limit may be set, at a temperature.
fn at(celsius: i32) -> GpuFacts {
    let mut gpu = card("gpu-a", false);
    gpu.power_range = Some(PowerRange {
        lowest_mw: 100 * WATT,
        highest_mw: 330 * WATT,
        default_mw: 300 * WATT,
    });
    let sensed = gpu.sensed.get_or_insert_default();
    sensed.temperature_c = Some(celsius);
    sensed.power_limit_mw = Some(300 * WATT);
    sensed.power_mw = Some(300 * WATT);
    gpu
}

fn second(s: u64) -> Moment {
    Moment {
        mono_ms: 1_000 * s,
        boot_ms: 1_000 * s,
        wall_ms: 0,
    }
}

/// The governor over seconds, on a card that does what it is told; what was done at which second.
fn over(
    governor: &mut Governor,
    gpu: &mut GpuFacts,
    settings: &GpuSettings,
    seconds: std::ops::Range<u64>,
) -> Vec<(u64, Act)> {
    let mut done = Vec::new();
    for s in seconds {
        let (next, acts) = govern(governor, gpu, settings, second(s));
        *governor = next;
        for act in acts {
            if let Act::SetPowerLimit { limit_mw } | Act::RestorePowerLimit { limit_mw } = act {
                let sensed = gpu.sensed.get_or_insert_default();
                sensed.power_limit_mw = Some(limit_mw);
                sensed.power_mw = Some(limit_mw);
            }
            done.push((s, act));
        }
    }
    done
}

fn set(watts: u32) -> Act {
    Act::SetPowerLimit {
        limit_mw: watts * WATT,
    }
}

fn put_back(watts: u32) -> Act {
    Act::RestorePowerLimit {
        limit_mw: watts * WATT,
    }
}

fn quiet(power_percent: u8, fan_percent: Option<u8>) -> GpuSettings {
    GpuSettings {
        quiet: Some(Quiet {
            power_percent,
            fan_percent,
        }),
        ..GpuSettings::default()
    }
}

#[test]
fn a_card_at_its_target_is_left_alone() {
    let (mut governor, mut gpu) = (Governor::default(), at(80));
    assert_eq!(
        over(&mut governor, &mut gpu, &GpuSettings::default(), 1..600),
        []
    );
    assert_eq!(governor.leftover(), None);
}

#[test]
fn above_its_target_it_gets_less_power_every_five_seconds_down_to_its_lowest_and_then_less_time() {
    let (mut governor, mut gpu) = (Governor::default(), at(81));
    let done = over(&mut governor, &mut gpu, &GpuSettings::default(), 1..400);
    assert_eq!(done[..3], [(1, set(291)), (6, set(282)), (11, set(273))]);
    let lowest = done.iter().position(|(_, act)| *act == set(100)).unwrap();
    assert!(
        done[..lowest]
            .iter()
            .all(|(_, act)| matches!(act, Act::SetPowerLimit { .. }))
    );
    assert_eq!(done[lowest + 1].1, Act::Freeze);
    assert!(
        done[lowest + 2..]
            .iter()
            .all(|(_, act)| matches!(act, Act::Freeze | Act::Thaw))
    );
}

#[test]
fn a_limit_far_above_what_is_drawn_is_cut_from_what_is_drawn() {
    let (mut governor, mut gpu) = (Governor::default(), at(82));
    gpu.sensed.get_or_insert_default().power_mw = Some(200 * WATT);
    // Just below hot_c it stands still at once, too.
    assert_eq!(
        over(&mut governor, &mut gpu, &GpuSettings::default(), 1..2),
        [(1, set(182)), (1, Act::Freeze)]
    );
}

#[test]
fn power_comes_back_slowly_and_only_well_below_the_target() {
    let (mut governor, mut gpu) = (Governor::default(), at(81));
    over(&mut governor, &mut gpu, &GpuSettings::default(), 1..12);
    gpu.sensed.get_or_insert_default().temperature_c = Some(79);
    assert_eq!(
        over(&mut governor, &mut gpu, &GpuSettings::default(), 12..300),
        []
    );
    gpu.sensed.get_or_insert_default().temperature_c = Some(78);
    assert_eq!(
        over(&mut governor, &mut gpu, &GpuSettings::default(), 300..600),
        [
            (300, set(276)),
            (320, set(279)),
            (340, set(282)),
            (360, set(285)),
            (380, set(288)),
            (400, set(291)),
            (420, set(294)),
            (440, set(297)),
            (460, put_back(300)),
        ]
    );
}

#[test]
fn where_the_driver_refuses_it_freezes_for_a_part_of_each_ten_seconds() {
    let (mut governor, mut gpu) = (Governor::default(), at(81));
    let (next, acts) = govern(&governor, &gpu, &GpuSettings::default(), second(1));
    assert_eq!(acts, [set(291)]);
    governor = next;
    governor.refused();
    let done = over(&mut governor, &mut gpu, &GpuSettings::default(), 2..3);
    assert_eq!(done, [(2, Act::Freeze)]);
    assert_eq!(governor.duty_tenths(), 9);
    assert!(governor.frozen());
    // It thaws when a reading shows its target again, not before.
    assert_eq!(
        over(&mut governor, &mut gpu, &GpuSettings::default(), 3..20),
        []
    );
    gpu.sensed.get_or_insert_default().temperature_c = Some(80);
    let done = over(&mut governor, &mut gpu, &GpuSettings::default(), 20..60);
    let thaw_20_freeze_29: Vec<u64> = done.iter().map(|(s, _)| *s).collect();
    assert_eq!(thaw_20_freeze_29, [20, 29, 31, 40, 42, 51, 53]);
}

#[test]
fn time_comes_back_before_power_does() {
    let (mut governor, mut gpu) = (Governor::default(), at(81));
    over(&mut governor, &mut gpu, &GpuSettings::default(), 1..300);
    assert!(governor.duty_tenths() < 10);
    gpu.sensed.get_or_insert_default().temperature_c = Some(70);
    let done = over(&mut governor, &mut gpu, &GpuSettings::default(), 300..800);
    let last_turn = done
        .iter()
        .rposition(|(_, act)| matches!(act, Act::Freeze | Act::Thaw))
        .unwrap();
    let first_raise = done
        .iter()
        .position(|(_, act)| matches!(act, Act::SetPowerLimit { .. }))
        .unwrap();
    assert!(last_turn < first_raise);
    assert_eq!(done.last().unwrap().1, put_back(300));
    assert_eq!((governor.duty_tenths(), governor.frozen()), (10, false));
}

#[test]
fn at_its_hottest_the_job_stops_and_the_drivers_own_bound_comes_first() {
    let settings = GpuSettings::default();
    let (_, acts) = govern(&Governor::default(), &at(83), &settings, second(1));
    assert_eq!(acts, [Act::Stop]);
    let mut gpu = at(81);
    gpu.slowdown_c = Some(83);
    let (_, acts) = govern(&Governor::default(), &gpu, &settings, second(1));
    assert_eq!(acts, [Act::Stop]);
}

#[test]
fn a_hot_spot_counts_like_a_core_twenty_degrees_cooler() {
    let mut gpu = at(60);
    gpu.sensed.get_or_insert_default().hotspot_c = Some(103);
    let (_, acts) = govern(
        &Governor::default(),
        &gpu,
        &GpuSettings::default(),
        second(1),
    );
    assert_eq!(acts, [Act::Stop]);
    gpu.sensed.get_or_insert_default().hotspot_c = Some(101);
    let (_, acts) = govern(
        &Governor::default(),
        &gpu,
        &GpuSettings::default(),
        second(1),
    );
    assert_eq!(acts, [set(291)]);
}

#[test]
fn a_steep_rise_is_met_before_it_arrives() {
    let (mut governor, mut gpu) = (Governor::default(), at(70));
    let mut first = None;
    for (s, celsius) in (1..).zip([70, 72, 74, 76, 78]) {
        gpu.sensed.get_or_insert_default().temperature_c = Some(celsius);
        let done = over(&mut governor, &mut gpu, &GpuSettings::default(), s..s + 1);
        first = first.or(done.first().map(|(_, act)| (celsius, *act)));
    }
    assert!(
        matches!(first, Some((76, Act::SetPowerLimit { .. }))),
        "{first:?}"
    );
}

#[test]
fn a_leap_far_below_the_target_means_nothing() {
    // A core leaps when work begins; that is not yet the cooler's warmth.
    let (mut governor, mut gpu) = (Governor::default(), at(40));
    over(&mut governor, &mut gpu, &GpuSettings::default(), 1..5);
    for (s, celsius) in (5..).zip([58, 66, 70, 72, 73, 73, 74, 74, 75, 75]) {
        gpu.sensed.get_or_insert_default().temperature_c = Some(celsius);
        assert_eq!(
            over(&mut governor, &mut gpu, &GpuSettings::default(), s..s + 1),
            []
        );
    }
}

#[test]
fn without_a_reading_nothing_is_given_back_and_no_limit_changes() {
    let settings = GpuSettings::default();
    let (mut governor, mut gpu) = (Governor::default(), at(81));
    over(&mut governor, &mut gpu, &settings, 1..12);
    gpu.sensed = None;
    assert_eq!(over(&mut governor, &mut gpu, &settings, 12..100), []);
    let mut gpu = at(60);
    gpu.sensed.get_or_insert_default().age_ms = 10_001;
    assert_eq!(over(&mut governor, &mut gpu, &settings, 100..200), []);
    // A job that runs for a part of the time freezes as it was going to, and stays so.
    let (mut governor, mut gpu) = (Governor::default(), at(81));
    gpu.power_range = None;
    assert_eq!(
        over(&mut governor, &mut gpu, &settings, 1..2),
        [(1, Act::Freeze)]
    );
    gpu.sensed.get_or_insert_default().temperature_c = Some(80);
    assert_eq!(
        over(&mut governor, &mut gpu, &settings, 2..4),
        [(3, Act::Thaw)]
    );
    gpu.sensed = None;
    assert_eq!(
        over(&mut governor, &mut gpu, &settings, 4..100),
        [(12, Act::Freeze)]
    );
}

#[test]
fn a_limit_that_nobody_tells_is_never_touched() {
    let (mut governor, mut gpu) = (Governor::default(), at(81));
    gpu.sensed.get_or_insert_default().power_limit_mw = None;
    let done = over(&mut governor, &mut gpu, &quiet(50, None), 1..100);
    assert!(
        done.iter()
            .all(|(_, act)| matches!(act, Act::Freeze | Act::Thaw))
    );
    assert!(!done.is_empty());
}

#[test]
fn quiet_bounds_power_from_the_first_second_and_a_loud_fan_counts_like_warmth() {
    let (mut governor, mut gpu) = (Governor::default(), at(60));
    gpu.sensed.get_or_insert_default().fan_percent = Some(45);
    let settings = quiet(60, Some(50));
    assert_eq!(
        over(&mut governor, &mut gpu, &settings, 1..100),
        [(1, set(180))]
    );
    gpu.sensed.get_or_insert_default().fan_percent = Some(51);
    assert_eq!(
        over(&mut governor, &mut gpu, &settings, 100..130),
        [(100, set(171)), (115, set(162))]
    );
    gpu.sensed.get_or_insert_default().fan_percent = Some(46);
    assert_eq!(over(&mut governor, &mut gpu, &settings, 130..200), []);
    gpu.sensed.get_or_insert_default().fan_percent = Some(45);
    assert_eq!(
        over(&mut governor, &mut gpu, &settings, 200..300),
        [(200, set(177)), (220, set(180))]
    );
}

#[test]
fn quiet_without_a_power_limit_is_kept_by_time() {
    let (mut governor, mut gpu) = (Governor::default(), at(60));
    gpu.power_range = None;
    let settings = quiet(60, None);
    let done = over(&mut governor, &mut gpu, &settings, 101..122);
    let froze = [
        (101, Act::Freeze),
        (105, Act::Thaw),
        (111, Act::Freeze),
        (115, Act::Thaw),
        (121, Act::Freeze),
    ];
    assert_eq!(done, froze);
}

#[test]
fn what_was_changed_is_put_back_once_no_job_runs_and_forgotten_when_the_card_shows_it() {
    let (mut governor, mut gpu) = (Governor::default(), at(60));
    over(&mut governor, &mut gpu, &quiet(50, None), 1..10);
    assert_eq!(governor.leftover(), Some(put_back(300)));
    // The agent dies, and another one starts.
    let stored = serde_json::to_string(&governor).unwrap();
    assert_eq!(
        stored,
        r#"{"changed":{"before_mw":300000,"set_mw":150000}}"#
    );
    let governor: Governor = serde_json::from_str(&stored).unwrap();
    let unread = GpuFacts {
        sensed: None,
        ..gpu.clone()
    };
    let (governor, acts) = release(&governor, &unread, second(1));
    assert_eq!(acts, []);
    let (governor, acts) = release(&governor, &gpu, second(2));
    assert_eq!(acts, [put_back(300)]);
    // Not confirmed, so it is asked for again, but not every second.
    let (governor, acts) = release(&governor, &gpu, second(3));
    assert_eq!(acts, []);
    let (governor, acts) = release(&governor, &gpu, second(8));
    assert_eq!(acts, [put_back(300)]);
    gpu.sensed.get_or_insert_default().power_limit_mw = Some(300 * WATT);
    let (governor, acts) = release(&governor, &gpu, second(10));
    assert_eq!((governor.leftover(), acts), (None, vec![]));
}

#[test]
fn a_limit_that_the_owner_sets_meanwhile_is_theirs() {
    let (mut governor, mut gpu) = (Governor::default(), at(60));
    let settings = quiet(80, None);
    over(&mut governor, &mut gpu, &settings, 1..10);
    assert_eq!(governor.set_mw(), Some(240 * WATT));
    gpu.sensed.get_or_insert_default().power_limit_mw = Some(200 * WATT);
    // While a job runs: the new limit bounds us, and is what will be put back.
    assert_eq!(over(&mut governor, &mut gpu, &settings, 10..100), []);
    assert_eq!(governor.leftover(), Some(put_back(200)));
    let (governor, acts) = release(&governor, &gpu, second(100));
    assert_eq!((governor.leftover(), acts), (None, vec![]));
    // After it: likewise.
    let (mut governor, mut gpu) = (Governor::default(), at(60));
    over(&mut governor, &mut gpu, &settings, 1..10);
    gpu.sensed.get_or_insert_default().power_limit_mw = Some(200 * WATT);
    let (governor, acts) = release(&governor, &gpu, second(10));
    assert_eq!((governor.leftover(), acts), (None, vec![]));
}

#[test]
fn with_power_to_take_away_a_hot_card_settles_at_its_target_and_hardly_stands_still() {
    let physics = Physics {
        ambient_c: 35.0,
        resistance: 0.2,
        tau_s: 60.0,
        most_w: 320.0,
        cuts_off: true,
    };
    let mut bench = Bench::new(physics, true);
    for _ in 0..600 {
        bench.second(1.0);
    }
    let mut warmest: f64 = 0.0;
    let mut coolest: f64 = 200.0;
    for _ in 0..3_600 {
        let temperature = bench.second(1.0);
        warmest = warmest.max(temperature);
        coolest = coolest.min(temperature);
    }
    assert!(warmest < 82.0 && coolest > 77.0, "{coolest} to {warmest}");
    assert_eq!(bench.stops, 0);
    assert!(bench.frozen_s <= 15, "{}", bench.frozen_s);
    // And it is no nervous thing: few changes once it has settled.
    assert!(bench.acts.len() < 200, "{}", bench.acts.len());
}

#[test]
fn without_permission_the_same_card_runs_for_what_share_of_the_time_its_cooler_carries() {
    let physics = Physics {
        ambient_c: 35.0,
        resistance: 0.2,
        tau_s: 60.0,
        most_w: 320.0,
        cuts_off: true,
    };
    let mut bench = Bench::new(physics, false);
    for _ in 0..4_200 {
        assert!(bench.second(1.0) < 84.0);
    }
    assert_eq!(bench.stops, 0);
    // 45 °C above the room are 225 W: 68 % of the time between 16 W and 320 W, less what the margin costs.
    let ran = 1.0 - f64::from(bench.frozen_s) / 4_200.0;
    assert!((0.58..0.72).contains(&ran), "{ran}");
}

#[test]
fn the_quiet_score_is_the_share_of_power_and_never_more_than_the_measured_one() {
    let score = BenchScore {
        score: 1_000,
        fp32_mflops: 80_000_000,
        bandwidth_mb_s: 900_000,
    };
    let quiet = |power_percent| Quiet {
        power_percent,
        fan_percent: None,
    };
    let range = at(60).power_range;
    assert_eq!(quiet_score(score, &quiet(60), range).score, 600);
    assert_eq!(quiet_score(score, &quiet(100), range), score);
    // The card takes no less than 100 W of 300 W.
    assert_eq!(quiet_score(score, &quiet(30), range).score, 333);
    assert_eq!(quiet_score(score, &quiet(65), None).score, 600);
    assert_eq!(
        quiet_score(score, &quiet(60), range).bandwidth_mb_s,
        540_000
    );
}

#[test]
fn a_quiet_card_is_offered_with_the_score_that_it_has_left() {
    let mut world = World::new();
    world.settings.each.quiet = Some(Quiet {
        power_percent: 65,
        fan_percent: None,
    });
    let range = at(60).power_range;
    world.facts.gpus[0].power_range = range;
    let scores = |world: &World| -> Vec<u32> {
        offers(&world.memory, &world.settings, &world.facts, world.now)
            .iter()
            .map(|offer| offer.gpu.score.unwrap().score)
            .collect()
    };
    // The second one takes no limit, so that time is all there is to take away; so it is with one that is refused.
    assert_eq!(scores(&world), [650, 600]);
    let governor = world.memory.governors.entry(gpu_id("gpu-a")).or_default();
    governor.refused();
    assert_eq!(scores(&world), [600, 600]);
}
