//! The record on the disk: what comes back, what gives way, how fast it reads and how big it gets.

use super::{Store, StoreError};
use crate::wallet::tests::runs;
use std::time::Instant;
use sublet_core::history::{Batch, Line, Minute};
use sublet_core::simulate::Change;
use sublet_protocol::ids::GpuId;
use sublet_protocol::local::Since;
use sublet_protocol::local::history::{Segment, SegmentKind};
use sublet_protocol::money::{HourlyPrice, MicroUsd};
use sublet_protocol::reason::{Reason, ReasonCode};

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;
/// A whole day since 1970, in November 2026.
const NOON: u64 = 20_758 * DAY;

fn gpu() -> GpuId {
    GpuId::new("GPU-1").unwrap()
}

fn segment(from_ms: u64, to_ms: u64, kind: SegmentKind) -> (GpuId, Segment) {
    let segment = Segment {
        from_ms,
        to_ms,
        kind,
        reasons: Vec::new(),
        reason: None,
        lease: None,
    };
    (gpu(), segment)
}

fn segments(segments: Vec<(GpuId, Segment)>) -> Batch {
    Batch {
        segments,
        ..Batch::default()
    }
}

fn minute(minute: u64) -> Minute {
    Minute {
        minute,
        ms: MINUTE,
        temperature_dc: Some(612),
        power_mw: Some(300_000),
        load_permille: Some(970),
        memory_mib: Some(4_096),
        rented_ms: MINUTE,
        pays: Some(HourlyPrice(MicroUsd(340_000))),
        energy_mj: 18_000_000,
        cost_nano_usd: 1_500_000,
        earned: MicroUsd(5_383),
        ..Minute::default()
    }
}

fn minutes(minutes: impl IntoIterator<Item = Minute>) -> Batch {
    Batch {
        minutes: minutes.into_iter().map(|minute| (gpu(), minute)).collect(),
        ..Batch::default()
    }
}

fn spans(store: &Store, from_ms: u64, to_ms: u64) -> Vec<(u64, u64, SegmentKind)> {
    let past = store.past().open().unwrap();
    let all = past.segments(from_ms, to_ms).unwrap();
    let of = all.get(&gpu()).cloned().unwrap_or_default();
    of.iter()
        .map(|piece| (piece.from_ms - NOON, piece.to_ms - NOON, piece.kind))
        .collect()
}

#[test]
fn what_was_recorded_is_there_after_reopening_and_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let mut store = Store::open(data.path()).unwrap();
    let (_, mut told) = segment(NOON, NOON + 1_000, SegmentKind::InUse);
    told.reasons = vec![ReasonCode::ProgramRuns, ReasonCode::NoDemand];
    told.reason = Some(
        Reason::new(ReasonCode::ProgramRuns, "A game runs.", "Rents later.").name("program", "a"),
    );
    let line = Line {
        at_ms: NOON,
        whole: true,
        change: Change {
            paused: Some(true),
            ..Change::default()
        },
    };
    let batch = Batch {
        segments: vec![(gpu(), told.clone())],
        minutes: vec![(gpu(), minute(NOON / MINUTE))],
        lines: vec![line.clone()],
    };
    store.record(&batch).unwrap();
    drop(store);
    let mut store = Store::open(data.path()).unwrap();
    told.to_ms = NOON + 61_000;
    store
        .record(&segments(vec![(gpu(), told.clone())]))
        .unwrap();
    let past = store.past().open().unwrap();
    assert_eq!(past.segments(NOON, NOON + DAY).unwrap()[&gpu()], [told]);
    assert_eq!(past.begins_ms().unwrap(), Some(NOON));
    // A line from before is what the time after it rests on.
    assert_eq!(past.lines(NOON + DAY).unwrap(), [line]);
    assert!(past.knows(&gpu()).unwrap());
    let took = past.electricity(NOON, NOON + DAY).unwrap().unwrap();
    assert_eq!((took.energy_wh, took.cost), (5, MicroUsd(1_500)));
    assert_eq!(past.electricity(NOON + DAY, NOON + 2 * DAY).unwrap(), None);
}

#[test]
fn a_clock_that_was_set_back_writes_over_and_leaves_no_overlap() {
    use SegmentKind::{InUse, NoDemand, Renting};
    let data = tempfile::tempdir().unwrap();
    let mut store = Store::open(data.path()).unwrap();
    let at = |from: u64, to: u64, kind| segment(NOON + from, NOON + to, kind);
    store
        .record(&segments(vec![
            at(0, 100, NoDemand),
            at(100, 200, Renting),
            at(200, 300, InUse),
        ]))
        .unwrap();
    // Back at 50, and going on: first a little, then over all of it.
    store.record(&segments(vec![at(50, 60, InUse)])).unwrap();
    assert_eq!(
        spans(&store, NOON, NOON + 1_000),
        [
            (0, 50, NoDemand),
            (50, 60, InUse),
            (100, 200, Renting),
            (200, 300, InUse)
        ]
    );
    store.record(&segments(vec![at(50, 250, InUse)])).unwrap();
    assert_eq!(
        spans(&store, NOON, NOON + 1_000),
        [(0, 50, NoDemand), (50, 250, InUse)]
    );
    // Looked at from its middle on, a piece that began earlier is there.
    assert_eq!(spans(&store, NOON + 100, NOON + 101), [(50, 250, InUse)]);
    assert_eq!(spans(&store, NOON + 250, NOON + 1_000), []);
}

#[test]
fn two_parts_of_a_minute_are_one_and_a_minute_again_gives_way() {
    let data = tempfile::tempdir().unwrap();
    let mut store = Store::open(data.path()).unwrap();
    let first = NOON / MINUTE;
    let part = |ms, temperature_dc| Minute {
        ms,
        temperature_dc: Some(temperature_dc),
        rented_ms: ms,
        ..minute(first)
    };
    store.record(&minutes([part(20_000, 500)])).unwrap();
    store.record(&minutes([part(40_000, 800)])).unwrap();
    let read = |store: &Store| {
        let past = store.past().open().unwrap();
        past.telemetry(&gpu(), NOON, NOON + MINUTE, 10).unwrap()
    };
    let both = read(&store);
    assert_eq!(both.temperature_c.mean, [Some(70.0)]);
    assert_eq!(both.rented_permille, [Some(1_000)]);
    assert_eq!(both.earned, [Some(2 * 5_383)]);
    store.record(&minutes([part(60_000, 500)])).unwrap();
    assert_eq!(read(&store).temperature_c.mean, [Some(50.0)]);
    assert_eq!(read(&store).earned, [Some(5_383)]);
}

#[test]
fn buckets_hold_the_lowest_and_highest_minute_and_gaps_stay_gaps() {
    let data = tempfile::tempdir().unwrap();
    let mut store = Store::open(data.path()).unwrap();
    let at = |minute_of: u64, temperature_dc| Minute {
        temperature_dc: Some(temperature_dc),
        power_mw: None,
        ..minute(NOON / MINUTE + minute_of)
    };
    store
        .record(&minutes([
            at(0, 400),
            at(14, 500),
            at(15, 600),
            at(45, 700),
        ]))
        .unwrap();
    let past = store.past().open().unwrap();
    let quarters = past.telemetry(&gpu(), NOON, NOON + 60 * MINUTE, 4).unwrap();
    assert_eq!(quarters.bucket_ms, 15 * MINUTE);
    assert_eq!(
        quarters.at_ms,
        [0, 15, 30, 45].map(|minute| NOON + minute * MINUTE)
    );
    assert_eq!(
        quarters.temperature_c.min,
        [Some(40.0), Some(60.0), None, Some(70.0)]
    );
    assert_eq!(
        quarters.temperature_c.mean,
        [Some(45.0), Some(60.0), None, Some(70.0)]
    );
    assert_eq!(
        quarters.temperature_c.max,
        [Some(50.0), Some(60.0), None, Some(70.0)]
    );
    assert_eq!(quarters.power_w.mean, [None; 4], "never read");
    assert_eq!(
        quarters.earned,
        [Some(10_766), Some(5_383), None, Some(5_383)]
    );
    // The same by the minute.
    let fine = past
        .telemetry(&gpu(), NOON, NOON + 60 * MINUTE, 60)
        .unwrap();
    assert_eq!((fine.bucket_ms, fine.at_ms.len()), (MINUTE, 60));
    assert_eq!(fine.temperature_c.mean[14], Some(50.0));
    assert_eq!(fine.temperature_c.mean[13], None);
    // And another GPU has nothing of it.
    let other = GpuId::new("GPU-2").unwrap();
    let none = past.telemetry(&other, NOON, NOON + 60 * MINUTE, 4).unwrap();
    assert_eq!(none.earned, [None; 4]);
}

/// Ninety days of minutes as they come, for several GPUs, written in one go.
fn ninety_days(store: &Store, gpus: u64) {
    let db = &store.connection;
    let first = NOON / MINUTE - 90 * 24 * 60;
    for gpu in 1..=gpus {
        db.execute(
            "INSERT INTO recorded_gpu (id, gpu) VALUES (?1, ?2)",
            (gpu.cast_signed(), format!("GPU-{gpu}")),
        )
        .unwrap();
        db.execute(
            "WITH RECURSIVE at (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM at WHERE n + 1 < 129600)
             INSERT INTO minute SELECT ?1, ?2 + n, 60000, 400 + n % 313, 15000 + n * 7919 % 300000, n % 1001,
               500 + n % 9000, CASE WHEN n % 3 = 0 THEN 60000 ELSE 0 END, CASE WHEN n % 3 = 1 THEN 60000 ELSE 0 END, 0,
               CASE WHEN n % 3 = 0 THEN 340000 END, CASE WHEN n % 3 = 0 THEN 18000000 + n ELSE 0 END, 0, 0,
               CASE WHEN n % 3 = 0 THEN 1500000 + n ELSE 0 END, CASE WHEN n % 3 = 0 THEN 5383 ELSE 0 END FROM at",
            (gpu.cast_signed(), first.cast_signed()),
        )
        .unwrap();
        db.execute(
            "INSERT INTO quarter SELECT gpu, minute / 15, sum(ms), avg(temperature), min(temperature), max(temperature),
               avg(power), min(power), max(power), avg(load), min(load), max(load), avg(memory), min(memory), max(memory),
               sum(rented), sum(offered), sum(asked), max(pays), sum(energy), sum(unmeasured), sum(unpriced), sum(cost),
               sum(earned)
             FROM minute WHERE gpu = ?1 GROUP BY minute / 15",
            [gpu.cast_signed()],
        )
        .unwrap();
    }
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "the figures are for docs/benchmarks.md"
)]
fn ninety_days_of_minutes_answer_within_a_moment_and_stay_small() {
    let data = tempfile::tempdir().unwrap();
    let mut store = Store::open(data.path()).unwrap();
    ninety_days(&store, 2);
    let began = Instant::now();
    for at in 0..10 {
        let mut batch = minutes([minute(NOON / MINUTE + 600 + at)]);
        batch.segments.push(segment(
            NOON,
            NOON + (601 + at) * MINUTE,
            SegmentKind::Renting,
        ));
        store.record(&batch).unwrap();
    }
    println!("a minute is stored in {:?}", began.elapsed() / 10);
    let from_ms = NOON - 90 * DAY;
    let past = store.past().open().unwrap();
    // All of it, a week, and the worst there is: as many single minutes as may be asked for.
    for (span, points) in [
        (90 * DAY, 600),
        (90 * DAY, 2_000),
        (7 * DAY, 700),
        (19 * DAY, 2_000),
        (7 * DAY, 2_000),
    ] {
        let began = Instant::now();
        let course = past.telemetry(&gpu(), NOON - span, NOON, points).unwrap();
        let took = began.elapsed();
        let held = course.earned.iter().flatten().count();
        println!("{} days in {held} buckets: {took:?}", span / DAY);
        assert!(held as u64 > points / 2 && held as u64 <= points + 1);
        assert!(course.earned.len() as u64 <= points + 1);
        // The figure that the pages are held to, though this build is not optimized.
        assert!(took.as_millis() < 200, "{span} {points}: {took:?}");
    }
    let earned: u64 = past
        .telemetry(&gpu(), from_ms, NOON, 600)
        .unwrap()
        .earned
        .iter()
        .flatten()
        .sum();
    assert_eq!(earned, 129_600 / 3 * 5_383, "nothing is lost in buckets");
    let bytes = std::fs::metadata(data.path().join(super::FILE_NAME))
        .unwrap()
        .len()
        + std::fs::metadata(data.path().join("sublet.sqlite-wal")).map_or(0, |wal| wal.len());
    let pages: u64 = store
        .connection
        .query_row(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
            [],
            |row| row.get::<_, i64>(0),
        )
        .unwrap()
        .cast_unsigned();
    println!(
        "{} MiB a GPU ({} MiB with the log)",
        (pages >> 20) / 2,
        bytes >> 20
    );
    assert!(pages / 2 < 12 << 20, "{pages} bytes for two GPUs");
}

#[test]
fn what_is_old_goes_by_number_so_that_no_clock_can_clear_it() {
    let data = tempfile::tempdir().unwrap();
    let mut store = Store::open(data.path()).unwrap();
    ninety_days(&store, 1);
    // A clock years ahead for a minute.
    let later = NOON / MINUTE + 5 * 365 * 24 * 60;
    store
        .record(&minutes([minute(later), minute(later + 1)]))
        .unwrap();
    store.forget_old().unwrap();
    let count: i64 = store
        .connection
        .query_row("SELECT count(*) FROM minute", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 129_600);
    let oldest: i64 = store
        .connection
        .query_row("SELECT min(minute) FROM minute", [], |row| row.get(0))
        .unwrap();
    assert_eq!(oldest.cast_unsigned(), NOON / MINUTE - 90 * 24 * 60 + 2);
}

#[test]
fn a_full_disk_is_a_gap_in_the_record_and_nothing_else() {
    let data = tempfile::tempdir().unwrap();
    let mut store = Store::open(data.path()).unwrap();
    let pages: i64 = store
        .connection
        .query_row("PRAGMA page_count", [], |row| row.get(0))
        .unwrap();
    store
        .connection
        .pragma_update(None, "max_page_count", pages)
        .unwrap();
    let day = || minutes((0..1_440).map(|at| minute(NOON / MINUTE + at)));
    let full = store.record(&day());
    assert!(matches!(full, Err(StoreError::Full(_))), "{full:?}");
    store
        .connection
        .pragma_update(None, "max_page_count", pages * 100)
        .unwrap();
    // Money waits for the disk as before, and the record goes on.
    let synchronous: i64 = store
        .connection
        .query_row("PRAGMA synchronous", [], |row| row.get(0))
        .unwrap();
    assert_eq!(synchronous, 2, "FULL");
    store.record(&day()).unwrap();
    let past = store.past().open().unwrap();
    let took = past.electricity(NOON, NOON + DAY).unwrap().unwrap();
    assert_eq!(took.rented_ms, DAY);
}

#[test]
fn the_wallet_knows_what_electricity_took_and_when_it_does_not() {
    let data = tempfile::tempdir().unwrap();
    let mut store = Store::open(data.path()).unwrap();
    let of = |store: &Store, since| {
        let wallet = store.wallet(NOON + DAY / 2).unwrap();
        let mut periods = wallet.periods.into_iter();
        periods.find(|period| period.since == since).unwrap()
    };
    assert_eq!(of(&store, Since::All).from_ms, 0);
    assert_eq!(of(&store, Since::All).electricity, None);
    store
        .commit(&super::Change {
            ledger: vec![runs(0, 60_000)],
            ..super::Change::default()
        })
        .unwrap();
    let all = of(&store, Since::All);
    assert!(all.from_ms > 0 && all.gross > MicroUsd::ZERO);
    assert_eq!(
        (all.electricity, all.left),
        (None, None),
        "nothing recorded"
    );
    // A day ago, so that it is in no day, but in all.
    let unmeasured = Minute {
        power_mw: None,
        energy_mj: 0,
        cost_nano_usd: 0,
        unmeasured_ms: MINUTE,
        ..minute(NOON / MINUTE - 24 * 60)
    };
    store.record(&minutes([unmeasured])).unwrap();
    let all = of(&store, Since::All);
    assert_eq!(all.electricity.map(|took| took.unmeasured_ms), Some(MINUTE));
    assert_eq!(all.left, None, "nothing of it was measured");
    store
        .record(&minutes([minute(NOON / MINUTE - 24 * 60 + 1)]))
        .unwrap();
    let all = of(&store, Since::All);
    assert_eq!(all.electricity.map(|took| took.cost), Some(MicroUsd(1_500)));
    let net = i64::try_from(all.net.0).unwrap();
    assert_eq!(all.left, Some(net - 1_500), "at most");
    assert_eq!(of(&store, Since::Today).electricity, None);
}
