//! Storing what was recorded, and letting go of what is old.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use sublet_core::history::{Batch, Line, Minute, QUARTER_MINUTES};
use sublet_protocol::ids::GpuId;
use sublet_protocol::local::history::Segment;
use sublet_protocol::money::{HourlyPrice, MicroUsd};

use super::{Store, StoreError, to_json};

/// Minutes that are kept of each GPU: 90 days of running. By number, not by age: a clock that once was years ahead
/// shall cost nobody their history.
pub const MINUTES_KEPT: u32 = 90 * 24 * 60;
/// Quarters of an hour: 400 days of running.
const QUARTERS_KEPT: u32 = 400 * 24 * 4;
/// Pieces of the timeline of each GPU: about a hundred a day for 90 days.
const SEGMENTS_KEPT: u32 = 10_000;
/// Lines of the trace.
const LINES_KEPT: u32 = 50_000;
/// A minute in ms, as the database keeps it.
const MINUTE_MS: u64 = 60_000;

impl Store {
    /// Stores what was recorded. The same again changes nothing.
    ///
    /// It does not wait for the disk: a crash of the agent loses nothing of it, a power cut loses what came after the
    /// last change of the ledger, which waits.
    ///
    /// # Errors
    /// Then nothing of it was stored.
    pub fn record(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let rows: Vec<SegmentRow> = batch
            .segments
            .iter()
            .map(SegmentRow::of)
            .collect::<Result<_, _>>()?;
        let lines: Vec<(&Line, String)> = batch
            .lines
            .iter()
            .map(|line| Ok((line, to_json(&line.change)?)))
            .collect::<Result<_, StoreError>>()?;
        self.in_no_hurry(|db| {
            for row in &rows {
                row.write(db)?;
            }
            for (gpu, minute) in &batch.minutes {
                write_minute(db, number_of(db, gpu)?, minute)?;
            }
            for (line, json) in &lines {
                db.prepare_cached(
                    "INSERT INTO trace_line (at_ms, whole, json) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![line.at_ms.cast_signed(), line.whole, json])?;
            }
            Ok(())
        })
    }

    /// Lets go of what is old. Worth it once a day.
    ///
    /// # Errors
    /// Then everything is as it was.
    pub fn forget_old(&mut self) -> Result<(), StoreError> {
        self.in_no_hurry(|db| {
            let gpus: Vec<i64> = db
                .prepare_cached("SELECT id FROM recorded_gpu")?
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            for (table, key, kept) in [
                ("segment", "from_ms", SEGMENTS_KEPT),
                ("minute", "minute", MINUTES_KEPT),
                ("quarter", "quarter", QUARTERS_KEPT),
            ] {
                let mut forget = db.prepare_cached(&format!(
                    "DELETE FROM {table} WHERE gpu = ?1 AND {key} <=
                       (SELECT {key} FROM {table} WHERE gpu = ?1 ORDER BY {key} DESC LIMIT 1 OFFSET ?2)"
                ))?;
                for gpu in &gpus {
                    forget.execute(params![gpu, kept])?;
                }
            }
            db.execute(
                "DELETE FROM trace_line WHERE id <= (SELECT max(id) FROM trace_line) - ?1",
                [LINES_KEPT],
            )?;
            Ok(())
        })
    }

    /// A transaction that does not wait until the disk has it.
    fn in_no_hurry(
        &mut self,
        write: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let path = self.path.clone();
        let sorted = |source| StoreError::sqlite(&path, source);
        self.connection
            .pragma_update(None, "synchronous", "NORMAL")
            .map_err(sorted)?;
        let written = Transaction::new(&mut self.connection, TransactionBehavior::Immediate)
            .and_then(|transaction| {
                write(&transaction)?;
                transaction.commit()
            });
        // Money waits for the disk again, whatever came of this.
        let back = self.connection.pragma_update(None, "synchronous", "FULL");
        written.and(back).map_err(sorted)
    }
}

/// The short number of a GPU.
fn number_of(db: &Connection, gpu: &GpuId) -> rusqlite::Result<i64> {
    let known = db
        .prepare_cached("SELECT id FROM recorded_gpu WHERE gpu = ?1")?
        .query_row([gpu.as_str()], |row| row.get(0))
        .optional()?;
    match known {
        Some(number) => Ok(number),
        None => db
            .prepare_cached("INSERT INTO recorded_gpu (gpu) VALUES (?1) RETURNING id")?
            .query_row([gpu.as_str()], |row| row.get(0)),
    }
}

/// A segment with its texts written down.
struct SegmentRow<'a> {
    gpu: &'a GpuId,
    segment: &'a Segment,
    kind: String,
    reasons: String,
    reason: Option<String>,
}

impl<'a> SegmentRow<'a> {
    fn of((gpu, segment): &'a (GpuId, Segment)) -> Result<Self, StoreError> {
        Ok(Self {
            gpu,
            segment,
            kind: to_json(&segment.kind)?,
            reasons: to_json(&segment.reasons)?,
            reason: segment.reason.as_ref().map(to_json).transpose()?,
        })
    }

    /// What was recorded before for the same time gives way: the clock was set back since.
    fn write(&self, db: &Connection) -> rusqlite::Result<()> {
        let gpu = number_of(db, self.gpu)?;
        let from_ms = self.segment.from_ms.cast_signed();
        let to_ms = self.segment.to_ms.cast_signed();
        db.prepare_cached("DELETE FROM segment WHERE gpu = ?1 AND from_ms > ?2 AND from_ms < ?3")?
            .execute(params![gpu, from_ms, to_ms])?;
        db.prepare_cached(
            "UPDATE segment SET to_ms = ?2 WHERE gpu = ?1 AND to_ms > ?2
               AND from_ms = (SELECT max(from_ms) FROM segment WHERE gpu = ?1 AND from_ms < ?2)",
        )?
        .execute(params![gpu, from_ms])?;
        db.prepare_cached(
            "INSERT OR REPLACE INTO segment (gpu, from_ms, to_ms, kind, reasons, reason, lease)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            gpu,
            from_ms,
            to_ms,
            self.kind,
            self.reasons,
            self.reason,
            self.segment.lease.as_ref().map(|lease| lease.as_str()),
        ])?;
        Ok(())
    }
}

/// A minute that is there already was watched in part, before a restart; or the clock was set back, and it gives way.
fn write_minute(db: &Connection, gpu: i64, minute: &Minute) -> rusqlite::Result<()> {
    let held = db
        .prepare_cached(
            "SELECT minute, ms, temperature, power, load, memory, rented, offered, asked, pays, energy, unmeasured,
               unpriced, cost, earned
             FROM minute WHERE gpu = ?1 AND minute = ?2",
        )?
        .query_row(params![gpu, minute.minute.cast_signed()], read_minute)
        .optional()?;
    let whole = match held {
        Some(held) if held.ms + minute.ms <= MINUTE_MS => held.and(minute),
        _ => minute.clone(),
    };
    let natural = |value: Option<u64>| value.map(u64::cast_signed);
    db.prepare_cached(
        "INSERT OR REPLACE INTO minute (gpu, minute, ms, temperature, power, load, memory, rented, offered, asked,
           pays, energy, unmeasured, unpriced, cost, earned)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?
    .execute(params![
        gpu,
        whole.minute.cast_signed(),
        whole.ms.min(MINUTE_MS).cast_signed(),
        whole.temperature_dc,
        natural(whole.power_mw),
        natural(whole.load_permille),
        natural(whole.memory_mib),
        whole.rented_ms.cast_signed(),
        whole.offered_ms.cast_signed(),
        whole.asked_ms.cast_signed(),
        natural(whole.pays.map(|pays| pays.0.0)),
        whole.energy_mj.cast_signed(),
        whole.unmeasured_ms.cast_signed(),
        whole.unpriced_ms.cast_signed(),
        whole.cost_nano_usd.cast_signed(),
        whole.earned.0.cast_signed(),
    ])?;
    reckon_quarter(db, gpu, whole.minute / QUARTER_MINUTES)
}

fn read_minute(row: &rusqlite::Row<'_>) -> rusqlite::Result<Minute> {
    let number = |at: usize| row.get::<_, i64>(at).map(|n| u64::try_from(n).unwrap_or(0));
    let maybe = |at: usize| {
        row.get::<_, Option<i64>>(at)
            .map(|n| n.and_then(|n| u64::try_from(n).ok()))
    };
    Ok(Minute {
        minute: number(0)?,
        ms: number(1)?,
        temperature_dc: row.get(2)?,
        power_mw: maybe(3)?,
        load_permille: maybe(4)?,
        memory_mib: maybe(5)?,
        rented_ms: number(6)?,
        offered_ms: number(7)?,
        asked_ms: number(8)?,
        pays: maybe(9)?.map(|pays| HourlyPrice(MicroUsd(pays))),
        energy_mj: number(10)?,
        unmeasured_ms: number(11)?,
        unpriced_ms: number(12)?,
        cost_nano_usd: number(13)?,
        earned: MicroUsd(number(14)?),
    })
}

/// A quarter of an hour, anew from its minutes.
fn reckon_quarter(db: &Connection, gpu: i64, quarter: u64) -> rusqlite::Result<()> {
    let first = (quarter * QUARTER_MINUTES).cast_signed();
    let after = first + QUARTER_MINUTES.cast_signed();
    db.prepare_cached(
        "INSERT OR REPLACE INTO quarter
         SELECT gpu, ?2, sum(ms),
           avg(temperature), min(temperature), max(temperature),
           avg(power), min(power), max(power),
           avg(load), min(load), max(load),
           avg(memory), min(memory), max(memory),
           sum(rented), sum(offered), sum(asked), max(pays),
           sum(energy), sum(unmeasured), sum(unpriced), sum(cost), sum(earned)
         FROM minute WHERE gpu = ?1 AND minute >= ?3 AND minute < ?4 GROUP BY gpu",
    )?
    .execute(params![gpu, quarter.cast_signed(), first, after])?;
    Ok(())
}
