//! The engine against traces small enough to reckon by hand, and the four examples whole.

use super::*;
use crate::settings::{GpuSettings, Mode, Quiet};
use crate::tariff::{Band, Tariff};
use proptest::prelude::*;
use std::time::{Duration, Instant};
use sublet_protocol::money::{HourlyPrice, MicroUsd};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

const HEAD: &str = r#"{"sublet_trace":1,"name":"a day","from":"2026-11-02T00:00","to":"2026-11-03T00:00","fee":500,"demand_percent":[50,100],"gpus":[{"id":"g","name":"Card","limit_w":300,"job_w":200,"c_per_w":0.2}]}"#;

fn day(lines: &[&str]) -> Trace {
    Trace::parse(&format!("{HEAD}\n{}", lines.join("\n"))).unwrap()
}

fn at(mode: Mode, floor_cents: u64) -> Settings {
    Settings {
        each: GpuSettings {
            mode,
            floor: HourlyPrice(MicroUsd(floor_cents * 10_000)),
            ..GpuSettings::default()
        },
        ..Settings::default()
    }
}

fn sums(lines: &[&str], settings: &Settings) -> Sums {
    simulate(&day(lines), settings).total
}

#[test]
fn an_idle_day_is_sold_from_the_first_settled_second_on() {
    let settings = Settings {
        settle_ms: 15_000,
        ..at(Mode::Away, 20)
    };
    let report = simulate(
        &day(&[r#"{"at":"2026-11-02T00:00","pays":"0.36"}"#]),
        &settings,
    );
    let sums = &report.total;
    assert_eq!(sums.time_ms, 24 * HOUR);
    assert_eq!(sums.rented_ms, 24 * HOUR - 15_000);
    assert_eq!(sums.barred_ms[&ReasonCode::Settling], 15_000);
    assert_eq!(sums.gross, MicroUsd(8_638_500));
    assert_eq!(sums.fee, MicroUsd(431_925));
    assert_eq!((sums.electricity, sums.energy_wh), (MicroUsd(0), 4_799));
    assert_eq!((sums.net.low, sums.net.high), (4_103_287, 8_206_575));
    let timeline = &report.gpus[0].timeline;
    assert_eq!(timeline.len(), 2);
    assert_eq!(timeline[1].state, RigState::Renting);
    let wait = report.gpus[0].longest_wait.unwrap();
    assert_eq!(
        (wait.to_ms - wait.from_ms, wait.mostly),
        (15_000, ReasonCode::Settling)
    );
}

#[test]
fn presence_is_over_after_the_owners_minutes_to_the_second() {
    let lines = [
        r#"{"at":"2026-11-02T00:00","pays":"0.36"}"#,
        r#"{"at":"2026-11-02T10:00","using":"desk"}"#,
        r#"{"at":"2026-11-02T12:00:20","using":null}"#,
    ];
    let settings = Settings {
        settle_ms: 0,
        away_ms: 5 * MINUTE,
        ..at(Mode::Away, 20)
    };
    let sums = sums(&lines, &settings);
    assert_eq!(
        sums.barred_ms[&ReasonCode::OwnerPresent],
        2 * HOUR + 20_000 + 5 * MINUTE
    );
    assert_eq!(sums.rented_ms, 24 * HOUR - 2 * HOUR - 20_000 - 5 * MINUTE);
}

#[test]
fn what_bars_first_is_what_an_hour_is_lost_to() {
    let lines = [
        r#"{"at":"2026-11-02T00:00","pays":"0.36"}"#,
        r#"{"at":"2026-11-02T01:00","programs":[{"name":"A game","kind":"game"}],"gpus":{"g":{"users":["A game"],"own_w":250}}}"#,
        r#"{"at":"2026-11-02T03:00","programs":[],"gpus":{"g":{"users":[],"own_w":0}}}"#,
        r#"{"at":"2026-11-02T04:00","battery":80}"#,
        r#"{"at":"2026-11-02T05:00","battery":null,"metered":true}"#,
        r#"{"at":"2026-11-02T06:00","metered":false,"paused":true}"#,
        r#"{"at":"2026-11-02T07:00","paused":false,"on":false}"#,
        r#"{"at":"2026-11-02T08:00","on":true,"docker":false}"#,
        r#"{"at":"2026-11-02T09:00","docker":true,"market":false}"#,
        r#"{"at":"2026-11-02T10:00","market":true,"gpus":{"g":{"lost":true}}}"#,
        r#"{"at":"2026-11-02T11:00","gpus":{"g":{"lost":false}}}"#,
    ];
    let settings = Settings {
        settle_ms: 0,
        ..at(Mode::GpuIdle, 20)
    };
    let sums = sums(&lines, &settings);
    for (code, hours) in [
        (ReasonCode::ProgramRuns, 2),
        (ReasonCode::OnBattery, 1),
        (ReasonCode::MeteredNetwork, 1),
        (ReasonCode::PausedByOwner, 1),
        (ReasonCode::AgentAway, 1),
        (ReasonCode::DockerUnavailable, 1),
        (ReasonCode::MarketUnreachable, 1),
        (ReasonCode::GpuLost, 1),
    ] {
        assert_eq!(sums.barred_ms.get(&code), Some(&(hours * HOUR)), "{code:?}");
    }
    assert_eq!(sums.rented_ms, 15 * HOUR);
}

#[test]
fn hours_without_a_good_enough_order_are_rentable_and_not_rented() {
    let lines = [
        r#"{"at":"2026-11-02T06:00","pays":"0.10"}"#,
        r#"{"at":"2026-11-02T12:00","pays":"0.03"}"#,
        r#"{"at":"2026-11-02T18:00","pays":"0.30"}"#,
    ];
    let settings = Settings {
        settle_ms: 0,
        tariff: Tariff {
            base: MicroUsd(300_000),
            bands: Vec::new(),
        },
        ..at(Mode::Always, 20)
    };
    // 200 W at $0.30 are 6 cents an hour; before it was measured, its limit counts: 9 cents.
    let sums = sums(&lines, &settings);
    assert_eq!(sums.rentable_ms, 24 * HOUR);
    assert_eq!(sums.waited_ms[&ReasonCode::NoDemand], 6 * HOUR);
    assert_eq!(sums.waited_ms[&ReasonCode::BelowFloor], 6 * HOUR);
    assert_eq!(sums.waited_ms[&ReasonCode::BelowCost], 6 * HOUR);
    assert_eq!(sums.rented_ms, 6 * HOUR);
    assert_eq!(
        (sums.energy_wh, sums.electricity),
        (1_200, MicroUsd(360_000))
    );
    assert_eq!(sums.net.high, 1_800_000 - 90_000 - 360_000);
}

#[test]
fn electricity_costs_what_its_hour_says() {
    let settings = Settings {
        settle_ms: 0,
        tariff: Tariff {
            base: MicroUsd(100_000),
            bands: vec![Band {
                from_min: 18 * 60,
                to_min: 20 * 60,
                price: MicroUsd(500_000),
            }],
        },
        ..at(Mode::Always, 20)
    };
    let sums = sums(&[r#"{"at":"2026-11-02T00:00","pays":"0.36"}"#], &settings);
    assert_eq!(sums.electricity, MicroUsd(22 * 20_000 + 2 * 100_000));
}

#[test]
fn heat_costs_power_where_the_governor_can_hold_it_and_hours_where_it_cannot() {
    let warm = r#"{"at":"2026-11-02T00:00","pays":"0.36","gpus":{"g":{"ambient_c":50}}}"#;
    let settings = Settings {
        settle_ms: 0,
        ..at(Mode::Always, 20)
    };
    // 30 °C above the room are 150 W.
    let held = sums(&[warm], &settings);
    assert_eq!((held.rented_ms, held.energy_wh), (24 * HOUR, 3_600));
    let hotter = r#"{"at":"2026-11-02T12:00","gpus":{"g":{"ambient_c":80}}}"#;
    let lost = sums(&[warm, hotter], &settings);
    assert!(lost.barred_ms[&ReasonCode::TooHot] > 11 * HOUR, "{lost:?}");
}

#[test]
fn quiet_saves_power_and_says_so() {
    let mut settings = Settings {
        settle_ms: 0,
        ..at(Mode::Always, 20)
    };
    settings.each.quiet = Some(Quiet {
        power_percent: 50,
        fan_percent: None,
    });
    let sums = sums(&[r#"{"at":"2026-11-02T00:00","pays":"0.36"}"#], &settings);
    assert_eq!(sums.energy_wh, 150 * 24);
}

#[test]
fn a_film_begins_one_span_and_a_second_program_another() {
    let lines = [
        r#"{"at":"2026-11-02T01:00","watching":[{"program":"mpv","how":"inhibits"}]}"#,
        r#"{"at":"2026-11-02T02:00","watching":[{"program":"Kodi","how":"full_screen"}]}"#,
        r#"{"at":"2026-11-02T03:00","watching":[]}"#,
    ];
    let settings = Settings {
        settle_ms: 0,
        ..at(Mode::Away, 20)
    };
    let report = simulate(&day(&lines), &settings);
    let codes: Vec<_> = report.gpus[0]
        .timeline
        .iter()
        .map(|span| {
            (
                span.reason.as_ref().unwrap().code,
                (span.to_ms - span.from_ms) / HOUR,
            )
        })
        .collect();
    let (no, film) = (ReasonCode::NoDemand, ReasonCode::Watching);
    assert_eq!(codes, [(no, 1), (film, 1), (film, 1), (no, 21)]);
}

#[test]
fn what_does_not_read_is_told_with_its_line() {
    let wrong = |lines: &[&str]| {
        let text = format!("{HEAD}\n{}", lines.join("\n"));
        Trace::parse(&text).unwrap_err().to_string()
    };
    for (lines, words) in [
        (
            vec!["", "{\"at\":\"2026-11-02T01:00\",\"uses\":1}"],
            vec!["line 3", "uses", "using"],
        ),
        (
            vec!["{\"at\":\"yesterday\"}"],
            vec!["line 2", "2026-11-02T18:05"],
        ),
        (vec!["nothing"], vec!["line 2", "column"]),
        (
            vec!["{\"at\":\"2026-11-01T01:00\"}"],
            vec!["line 2", "before the line above"],
        ),
        (
            vec!["{\"at\":\"2026-11-03T00:00\"}"],
            vec!["line 2", "ends at"],
        ),
        (
            vec!["{\"at\":\"2026-11-02T01:00\",\"pays\":\"much\"}"],
            vec!["line 2", "0.35"],
        ),
        (
            vec!["{\"at\":\"2026-11-02T01:00\",\"battery\":101}"],
            vec!["line 2", "0 to 100"],
        ),
        (
            vec!["{\"at\":\"2026-11-02T01:00\",\"gpus\":{\"h\":{}}}"],
            vec!["line 2", "no GPU `h`"],
        ),
    ] {
        let error = wrong(&lines);
        for word in words {
            assert!(error.contains(word), "{error}");
        }
    }
    for (from, to, word) in [
        ("\"sublet_trace\":1", "\"sublet_trace\":2", "reads 1"),
        ("2026-11-03", "2026-11-01", "after `from`"),
        ("\"job_w\":200", "\"job_w\":301", "at most `limit_w`"),
        ("\"c_per_w\":0.2", "\"c_per_w\":0", "0.001 to 5"),
        ("[50,100]", "[50,40]", "lower one first"),
        ("\"gpus\":[", "\"gpu\":[", "gpu"),
    ] {
        let error = Trace::parse(&HEAD.replace(from, to)).unwrap_err();
        assert_eq!(error.line, 1);
        assert!(error.what.contains(word), "{error}");
    }
    assert!(Trace::parse("\n\n").unwrap_err().what.contains("empty"));
}

fn settings_of(example: Example) -> Settings {
    let mut settings = match example {
        Example::Gamer => at(Mode::Away, 12),
        Example::Studio => at(Mode::GpuIdle, 25),
        Example::Farm => at(Mode::Always, 8),
        Example::Laptop => at(Mode::Away, 6),
    };
    settings.tariff = Tariff {
        base: MicroUsd(300_000),
        bands: vec![Band {
            from_min: 22 * 60,
            to_min: 6 * 60,
            price: MicroUsd(180_000),
        }],
    };
    if example == Example::Laptop {
        settings.away_ms = 10 * MINUTE;
        settings.each.quiet = Some(Quiet {
            power_percent: 70,
            fan_percent: None,
        });
    }
    settings
}

/// Everything but the line of time, which has a line for each of hundreds of spans.
fn picture(report: &Report) -> serde_json::Value {
    let mut picture = serde_json::to_value(report).unwrap();
    for gpu in picture["gpus"].as_array_mut().unwrap() {
        gpu["timeline"] = gpu["timeline"].as_array().unwrap().len().into();
    }
    picture
}

#[test]
fn four_owners_four_weeks() {
    for example in EXAMPLES {
        let report = simulate(&example.trace(1), &settings_of(example));
        insta::assert_json_snapshot!(example.name(), picture(&report));
    }
}

#[test]
fn examples_read_as_they_are_written_and_again_the_same() {
    for example in EXAMPLES {
        let trace = example.trace(1);
        let text = trace.to_string();
        assert_eq!(Trace::parse(&text).unwrap(), trace, "{example:?}");
        assert_eq!(example.trace(1).to_string(), text);
        assert_ne!(example.trace(2).to_string(), text);
    }
}

#[test]
fn the_trace_of_the_documentation_reads() {
    let page = include_str!("../../../../docs/operations.md");
    let fences = page.split("```json\n").skip(1);
    let texts: Vec<&str> = fences
        .filter_map(|rest| rest.split("```").next())
        .filter(|text| text.contains("sublet_trace"))
        .collect();
    assert_eq!(texts.len(), 1);
    let trace = Trace::parse(texts[0]).unwrap();
    let report = simulate(&trace, &at(Mode::Away, 20));
    assert!(report.total.barred_ms[&ReasonCode::ProgramRuns] > 2 * HOUR);
}

#[test]
fn four_weeks_take_less_than_a_second() {
    let trace = Example::Gamer.trace(1);
    let settings = settings_of(Example::Gamer);
    // The best of five: something else may build beside, and nothing here is optimized.
    let fastest = (0..5)
        .map(|_| {
            let begun = Instant::now();
            simulate(&trace, &settings);
            begun.elapsed()
        })
        .min();
    assert!(fastest < Some(Duration::from_secs(1)), "{fastest:?}");
}

#[test]
fn looking_every_minute_comes_to_the_same() {
    for example in [Example::Gamer, Example::Laptop] {
        let (trace, settings) = (example.trace(2), settings_of(example));
        assert_eq!(
            simulate(&trace, &settings),
            replay(&trace, &settings, STEP_MS)
        );
    }
}

#[test]
fn minutes_of_absence_mean_nothing_to_a_rig_that_rents_always() {
    // More looks must not find another power, and by it another least price.
    let (trace, settings) = (
        Example::Farm.trace(15_595_112_137_337_817_543),
        settings_of(Example::Farm),
    );
    let mut later = settings.clone();
    later.away_ms += 7 * MINUTE;
    assert_eq!(
        simulate(&trace, &settings).total,
        simulate(&trace, &later).total
    );
}

#[test]
fn every_minute_is_in_the_books_once() {
    for example in EXAMPLES {
        let report = simulate(&example.trace(3), &settings_of(example));
        for gpu in &report.gpus {
            let sums = &gpu.sums;
            let waited: u64 = sums.waited_ms.values().sum();
            let barred: u64 = sums.barred_ms.values().sum();
            assert_eq!(sums.time_ms, 28 * 24 * HOUR);
            assert_eq!(sums.rentable_ms + barred, sums.time_ms);
            assert_eq!(sums.rented_ms + waited, sums.rentable_ms);
            assert!(
                sums.net.low <= sums.net.high && sums.net.low >= 0,
                "{:?}",
                sums.net
            );
            let spans = &gpu.timeline;
            assert_eq!(spans.first().unwrap().from_ms, report.from_ms);
            assert_eq!(spans.last().unwrap().to_ms, report.to_ms);
            assert!(spans.windows(2).all(|two| two[0].to_ms == two[1].from_ms));
            let rented: u64 = spans
                .iter()
                .filter(|span| span.state == RigState::Renting)
                .map(|span| span.to_ms - span.from_ms)
                .sum();
            assert_eq!(rented, sums.rented_ms);
        }
    }
}

fn example() -> impl Strategy<Value = Example> {
    prop::sample::select(EXAMPLES.as_slice())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn stricter_settings_never_rent_more(example in example(), seed: u64, which in 0..6, more in 1u64..20) {
        let trace = example.trace(seed);
        let settings = settings_of(example);
        let mut stricter = settings.clone();
        match which {
            0 => stricter.each.floor = HourlyPrice(MicroUsd(settings.each.floor.0.0 + more * 10_000)),
            1 => stricter.away_ms += more * MINUTE,
            2 => stricter.settle_ms += more * 10_000,
            3 => stricter.each.mode = Mode::Off,
            4 => stricter.tariff.base = MicroUsd(settings.tariff.base.0 + more * 20_000),
            _ => stricter.each.heat.hot_c -= 1,
        }
        let (loose, strict) = (simulate(&trace, &settings).total, simulate(&trace, &stricter).total);
        prop_assert!(strict.rented_ms <= loose.rented_ms, "{} > {}", strict.rented_ms, loose.rented_ms);
    }
}
