//! Reading what was recorded, on a connection of its own: weeks of it take longer than the agent's loop may be kept.

use super::{CACHE_KIB, Store, StoreError};
use crate::wallet::Book;
use rusqlite::{Connection, OpenFlags, params};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use sublet_core::history::{Line, MINUTE_MS, QUARTER_MINUTES, Quarter};
use sublet_protocol::ids::{GpuId, LeaseId};
use sublet_protocol::local::history::{Course, Electricity, Segment, TelemetryHistory};
use sublet_protocol::money::{HourlyPrice, MicroUsd};

const QUARTER_MS: u64 = QUARTER_MINUTES * MINUTE_MS;

/// Where the record can be read; cheap, and may go to another thread.
#[derive(Debug, Clone)]
pub struct PastPlace(PathBuf);

/// The record, for reading.
#[derive(Debug)]
pub struct Past {
    connection: Connection,
    path: PathBuf,
}

impl Store {
    /// Where the record can be read.
    pub fn past(&self) -> PastPlace {
        PastPlace(self.path.clone())
    }

    /// What electricity took since a time, as far as it is recorded.
    pub(super) fn electricity_since(&self, from_ms: u64) -> rusqlite::Result<Option<Electricity>> {
        electricity(&self.connection, from_ms, i64::MAX.cast_unsigned())
    }
}

impl PastPlace {
    /// Opens it.
    ///
    /// # Errors
    /// What keeps the database from being read.
    pub fn open(&self) -> Result<Past, StoreError> {
        let path = self.0.clone();
        let open = |path: &Path| {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(super::BUSY)?;
            connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
            Ok(connection)
        };
        match open(&path) {
            Ok(connection) => Ok(Past { connection, path }),
            Err(source) => Err(StoreError::sqlite(&path, source)),
        }
    }
}

impl Past {
    fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        query(&self.connection).map_err(|source| StoreError::sqlite(&self.path, source))
    }

    /// What GPUs did between two times, by GPU, as it was stored.
    pub fn segments(
        &self,
        from_ms: u64,
        to_ms: u64,
    ) -> Result<BTreeMap<GpuId, Vec<Segment>>, StoreError> {
        self.read(|db| {
            let mut all: BTreeMap<GpuId, Vec<Segment>> = BTreeMap::new();
            for (number, gpu) in gpus(db)? {
                let segments = db
                    .prepare_cached(
                        "SELECT from_ms, to_ms, kind, reasons, reason, lease FROM segment
                         WHERE gpu = ?1 AND from_ms < ?3 AND to_ms > ?2 AND from_ms >= coalesce(
                           (SELECT max(from_ms) FROM segment WHERE gpu = ?1 AND from_ms <= ?2), 0)
                         ORDER BY from_ms",
                    )?
                    .query_map(
                        params![number, from_ms.cast_signed(), to_ms.cast_signed()],
                        read_segment,
                    )?
                    .collect::<rusqlite::Result<Vec<_>>>()?;
                all.insert(gpu, segments);
            }
            Ok(all)
        })
    }

    /// When the first thing was recorded.
    pub fn begins_ms(&self) -> Result<Option<u64>, StoreError> {
        self.read(begins_ms)
    }

    /// Whether anything of that GPU was ever recorded.
    pub fn knows(&self, gpu: &GpuId) -> Result<bool, StoreError> {
        self.read(|db| Ok(gpus(db)?.iter().any(|(_, known)| known == gpu)))
    }

    /// The course of one GPU's sensors in at most `points` buckets and one.
    pub fn telemetry(
        &self,
        gpu: &GpuId,
        from_ms: u64,
        to_ms: u64,
        points: u64,
    ) -> Result<TelemetryHistory, StoreError> {
        let bucket_ms = bucket_ms(to_ms.saturating_sub(from_ms), points);
        let first = from_ms / bucket_ms;
        let count = to_ms.div_ceil(bucket_ms).saturating_sub(first).max(1);
        let at = |index: u64| (first + index) * bucket_ms;
        let size = usize::try_from(count).unwrap_or(0);
        let mut courses = Courses::new(size);
        self.read(|db| {
            let Some((number, _)) = gpus(db)?.into_iter().find(|(_, known)| known == gpu) else {
                return Ok(());
            };
            let (query, row_ms) = if bucket_ms >= QUARTER_MS {
                (QUARTERS, QUARTER_MS)
            } else {
                (MINUTES, MINUTE_MS)
            };
            let begin = (at(0) / row_ms).cast_signed();
            let end = (at(count) / row_ms).cast_signed();
            let mut statement = db.prepare_cached(query)?;
            let mut rows = statement.query(params![number, begin, end])?;
            while let Some(row) = rows.next()? {
                let key = u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0);
                let bucket = (key * row_ms / bucket_ms).saturating_sub(first);
                courses.add(usize::try_from(bucket).unwrap_or(usize::MAX), row)?;
            }
            Ok(())
        })?;
        let at_ms = (0..count).map(at).collect();
        Ok(courses.close(gpu.clone(), bucket_ms, at_ms))
    }

    /// Quarters of an hour since a time, by GPU.
    pub fn quarters(&self, from_ms: u64) -> Result<BTreeMap<GpuId, Vec<Quarter>>, StoreError> {
        self.read(|db| {
            let mut all = BTreeMap::new();
            for (number, gpu) in gpus(db)? {
                let quarters = db
                    .prepare_cached(
                        "SELECT quarter, ms, temperature, power, rented, offered, asked, pays FROM quarter
                         WHERE gpu = ?1 AND quarter >= ?2 ORDER BY quarter",
                    )?
                    .query_map(
                        params![number, (from_ms / QUARTER_MS).cast_signed()],
                        read_quarter,
                    )?
                    .collect::<rusqlite::Result<Vec<_>>>()?;
                all.insert(gpu, quarters);
            }
            Ok(all)
        })
    }

    /// Lines of the trace from a time on, with what says everything before it. One that does not read is left out: it
    /// is of another version.
    pub fn lines(&self, from_ms: u64) -> Result<Vec<Line>, StoreError> {
        self.read(|db| {
            let rows = db
                .prepare_cached(
                    "SELECT at_ms, whole, json FROM trace_line WHERE at_ms >= coalesce(
                       (SELECT max(at_ms) FROM trace_line WHERE whole = 1 AND at_ms <= ?1), ?1)
                     ORDER BY at_ms, id",
                )?
                .query_map([from_ms.cast_signed()], |row| {
                    Ok((
                        number(row, 0)?,
                        row.get::<_, bool>(1)?,
                        row.get::<_, String>(2)?,
                    ))
                })?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            let lines = rows.into_iter().filter_map(|(at_ms, whole, json)| {
                let change = serde_json::from_str(&json).ok()?;
                Some(Line {
                    at_ms,
                    whole,
                    change,
                })
            });
            Ok(lines.collect())
        })
    }

    /// What electricity took between two times; absent where nothing was recorded.
    pub fn electricity(&self, from_ms: u64, to_ms: u64) -> Result<Option<Electricity>, StoreError> {
        self.read(|db| electricity(db, from_ms, to_ms))
    }

    /// Gross and fee that were metered between two times, by the ledger.
    pub fn earned(&self, from_ms: u64, to_ms: u64) -> Result<(MicroUsd, MicroUsd), StoreError> {
        self.read(|db| Book::new(db).between(from_ms, to_ms))
    }
}

/// Up to a week is read minute by minute; more would take longer than a page waits.
const FINE_MS: u64 = 7 * 24 * 60 * MINUTE_MS;

/// As long as it takes for so many of them, in whole minutes; in whole quarters of an hour from one on, and for more
/// than a week.
fn bucket_ms(span_ms: u64, points: u64) -> u64 {
    let minutes = span_ms.div_ceil(points.max(1)).div_ceil(MINUTE_MS).max(1);
    if minutes < QUARTER_MINUTES && span_ms <= FINE_MS {
        minutes * MINUTE_MS
    } else {
        minutes.div_ceil(QUARTER_MINUTES) * QUARTER_MS
    }
}

fn gpus(db: &Connection) -> rusqlite::Result<Vec<(i64, GpuId)>> {
    let rows = db
        .prepare_cached("SELECT id, gpu FROM recorded_gpu ORDER BY id")?
        .query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let known = rows
        .into_iter()
        .filter_map(|(number, id)| GpuId::new(id).ok().map(|id| (number, id)));
    Ok(known.collect())
}

pub(super) fn begins_ms(db: &Connection) -> rusqlite::Result<Option<u64>> {
    let mut begins: Option<u64> = None;
    for (gpu, _) in gpus(db)? {
        let first: Option<i64> = db
            .prepare_cached("SELECT min(from_ms) FROM segment WHERE gpu = ?1")?
            .query_row([gpu], |row| row.get(0))?;
        let first = first.and_then(|first| u64::try_from(first).ok());
        begins = match (begins, first) {
            (Some(begins), Some(first)) => Some(begins.min(first)),
            (begins, first) => begins.or(first),
        };
    }
    Ok(begins)
}

/// mJ in a Wh.
const MJ_A_WH: u64 = 3_600_000;

pub(super) fn electricity(
    db: &Connection,
    from_ms: u64,
    to_ms: u64,
) -> rusqlite::Result<Option<Electricity>> {
    db.prepare_cached(
        "SELECT count(*), coalesce(sum(cost), 0), coalesce(sum(energy), 0), coalesce(sum(rented), 0),
           coalesce(sum(unmeasured), 0), coalesce(sum(unpriced), 0)
         FROM recorded_gpu JOIN quarter ON quarter.gpu = recorded_gpu.id
         WHERE quarter >= ?1 AND quarter < ?2",
    )?
    .query_row(
        params![
            (from_ms / QUARTER_MS).cast_signed(),
            to_ms.div_ceil(QUARTER_MS).cast_signed()
        ],
        |row| {
            let rows = number(row, 0)?;
            let took = Electricity {
                cost: MicroUsd(number(row, 1)?.div_ceil(1_000)),
                energy_wh: number(row, 2)? / MJ_A_WH,
                rented_ms: number(row, 3)?,
                unmeasured_ms: number(row, 4)?,
                unpriced_ms: number(row, 5)?,
            };
            Ok((rows > 0).then_some(took))
        },
    )
}

fn number(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(at).map(|n| u64::try_from(n).unwrap_or(0))
}

fn read_segment(row: &rusqlite::Row<'_>) -> rusqlite::Result<Segment> {
    Ok(Segment {
        from_ms: number(row, 0)?,
        to_ms: number(row, 1)?,
        kind: json(row, 2)?,
        reasons: json(row, 3)?,
        reason: match row.get_ref(4)? {
            rusqlite::types::ValueRef::Null => None,
            _ => Some(json(row, 4)?),
        },
        lease: row
            .get::<_, Option<String>>(5)?
            .and_then(|lease| LeaseId::new(lease).ok()),
    })
}

fn json<T: serde::de::DeserializeOwned>(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<T> {
    let text: String = row.get(at)?;
    serde_json::from_str(&text).map_err(|error| {
        let kind = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(at, kind, Box::new(error))
    })
}

fn read_quarter(row: &rusqlite::Row<'_>) -> rusqlite::Result<Quarter> {
    let scaled = |at: usize, scale: f64| {
        row.get::<_, Option<f64>>(at)
            .map(|mean| mean.map(|mean| mean / scale))
    };
    Ok(Quarter {
        from_ms: number(row, 0)? * QUARTER_MS,
        ms: number(row, 1)?,
        temperature_c: scaled(2, 10.0)?,
        power_w: scaled(3, 1_000.0)?,
        rented_ms: number(row, 4)?,
        offered_ms: number(row, 5)?,
        asked_ms: number(row, 6)?,
        pays: row
            .get::<_, Option<i64>>(7)?
            .and_then(|pays| u64::try_from(pays).ok())
            .map(|pays| HourlyPrice(MicroUsd(pays))),
    })
}

/// Key, watched, rented, earned, and mean, lowest and highest of each reading.
const MINUTES: &str =
    "SELECT minute, ms, rented, earned, temperature, temperature, temperature, power, power, power,
    load, load, load, memory, memory, memory
  FROM minute WHERE gpu = ?1 AND minute >= ?2 AND minute < ?3 ORDER BY minute";
const QUARTERS: &str =
    "SELECT quarter, ms, rented, earned, temperature, temperature_min, temperature_max,
    power, power_min, power_max, load, load_min, load_max, memory, memory_min, memory_max
  FROM quarter WHERE gpu = ?1 AND quarter >= ?2 AND quarter < ?3 ORDER BY quarter";
/// What each reading is divided by for people: tenths of a °C, mW, thousandths for per cent, MiB.
const SCALES: [f64; 4] = [10.0, 1_000.0, 10.0, 1.0];

/// Buckets being filled.
struct Courses {
    buckets: Vec<Bucket>,
}

#[derive(Clone, Copy, Default)]
struct Bucket {
    ms: u64,
    rented_ms: u64,
    earned: u64,
    readings: [Spread; 4],
}

#[derive(Clone, Copy, Default)]
struct Spread {
    sum: f64,
    ms: f64,
    min: f64,
    max: f64,
}

impl Courses {
    fn new(size: usize) -> Self {
        Self {
            buckets: vec![Bucket::default(); size],
        }
    }

    fn add(&mut self, at: usize, row: &rusqlite::Row<'_>) -> rusqlite::Result<()> {
        let Some(bucket) = self.buckets.get_mut(at) else {
            return Ok(());
        };
        let ms = number(row, 1)?;
        bucket.ms += ms;
        bucket.rented_ms += number(row, 2)?;
        bucket.earned += number(row, 3)?;
        for (spread, column) in bucket.readings.iter_mut().zip((4..).step_by(3)) {
            let [mean, min, max] = [column, column + 1, column + 2].map(|at| row.get(at));
            if let (Some(mean), Some(min), Some(max)) = (mean?, min?, max?) {
                spread.add(mean, min, max, ms as f64);
            }
        }
        Ok(())
    }

    fn close(self, gpu: GpuId, bucket_ms: u64, at_ms: Vec<u64>) -> TelemetryHistory {
        let seen = |bucket: &Bucket| bucket.ms > 0;
        let course = |which: usize| {
            let mut course = Course::default();
            for bucket in &self.buckets {
                let spread = bucket.readings[which];
                let told = |value: f64| {
                    (spread.ms > 0.0).then(|| (value / SCALES[which] * 10.0).round() / 10.0)
                };
                course.min.push(told(spread.min));
                course.mean.push(told(spread.sum / spread.ms.max(1.0)));
                course.max.push(told(spread.max));
            }
            course
        };
        TelemetryHistory {
            gpu,
            bucket_ms,
            at_ms,
            temperature_c: course(0),
            power_w: course(1),
            load_percent: course(2),
            memory_mib: course(3),
            earned: self
                .buckets
                .iter()
                .map(|bucket| seen(bucket).then_some(bucket.earned))
                .collect(),
            rented_permille: self
                .buckets
                .iter()
                .map(|bucket| {
                    let permille = (bucket.rented_ms * 1_000).checked_div(bucket.ms)?;
                    u16::try_from(permille.min(1_000)).ok()
                })
                .collect(),
        }
    }
}

impl Spread {
    fn add(&mut self, mean: f64, min: f64, max: f64, ms: f64) {
        if self.ms == 0.0 {
            (self.min, self.max) = (min, max);
        }
        self.sum += mean * ms;
        self.ms += ms;
        self.min = self.min.min(min);
        self.max = self.max.max(max);
    }
}
