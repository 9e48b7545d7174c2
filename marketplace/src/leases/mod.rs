//! A lease: one job on one rig for a while. Its row, what may follow what, and every change that it goes through.

pub mod close;
mod content;
pub mod grant;
pub mod report;
pub mod stale;
pub mod stale_checkpoints;
pub mod transition;

use crate::db::Tx;
use crate::fault::Fault;
use crate::ledger::{Charge, Terms};
use crate::rehearsal;
use crate::store::{from_json, from_word, to_db, to_id, to_json, to_u64, to_word};
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;
use sublet_protocol::heartbeat::Action;
use sublet_protocol::ids::{GpuId, JobId, LeaseId, RenterId, RigId};
use sublet_protocol::lease::{Checkpoint, Ending, LeaseState};
use sublet_protocol::money::{BasisPoints, HourlyPrice, MicroUsd};
use sublet_protocol::voucher::VoucherLine;

/// A GPU on a lease, with the name it had when the lease was granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeasedGpu {
    /// Which.
    pub id: GpuId,
    /// For people; says so where it is a software adapter.
    pub name: String,
}

/// A lease as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Lease {
    /// Which.
    pub id: LeaseId,
    /// The job it serves.
    pub job: JobId,
    /// Who pays.
    pub renter: RenterId,
    /// Who is paid.
    pub rig: RigId,
    /// On what.
    pub gpus: Vec<LeasedGpu>,
    /// What was agreed.
    pub terms: Terms,
    /// Where it stands.
    pub state: LeaseState,
    /// When it was granted, ms since 1970.
    pub granted_ms: u64,
    /// When the rig said its last word, or was given up.
    pub ended_ms: Option<u64>,
    /// Running time so far, as the rig signed it.
    pub used_ms: u64,
    /// All money ever set aside for it, spent or not.
    pub reserved: MicroUsd,
    /// What is charged for it so far.
    pub charge: Charge,
    /// The job's own progress in thousandths.
    pub progress: Option<u16>,
    /// How it ended.
    pub ending: Option<Ending>,
    /// The newest checkpoint of it that is here.
    pub checkpoint: Option<Checkpoint>,
    /// Settled: nothing of it changes any more, and nothing is set aside for it.
    pub closed: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    job: String,
    renter: String,
    rig: String,
    gpus: String,
    price: i64,
    fee_bp: i64,
    deadline_ms: i64,
    state: String,
    granted_ms: i64,
    ended_ms: Option<i64>,
    used_ms: i64,
    reserved: i64,
    paid_ms: i64,
    gross: i64,
    fee: i64,
    progress: Option<i64>,
    ending: Option<String>,
    checkpoint: Option<String>,
    closed: bool,
}

impl TryFrom<Row> for Lease {
    type Error = Fault;

    fn try_from(row: Row) -> Result<Self, Fault> {
        let damaged = |what: &str| Fault::Damaged(format!("the {what} of lease {}", row.id));
        let fee = u16::try_from(row.fee_bp)
            .ok()
            .and_then(|points| BasisPoints::new(points).ok())
            .ok_or_else(|| damaged("fee"))?;
        Ok(Self {
            terms: Terms {
                price: HourlyPrice(MicroUsd(to_u64(row.price)?)),
                fee,
                deadline_ms: to_u64(row.deadline_ms)?,
            },
            progress: row
                .progress
                .map(|p| u16::try_from(p).map_err(|_| damaged("progress")))
                .transpose()?,
            id: to_id(row.id)?,
            job: to_id(row.job)?,
            renter: to_id(row.renter)?,
            rig: to_id(row.rig)?,
            gpus: from_json(&row.gpus)?,
            state: from_word(&row.state)?,
            granted_ms: to_u64(row.granted_ms)?,
            ended_ms: row.ended_ms.map(to_u64).transpose()?,
            used_ms: to_u64(row.used_ms)?,
            reserved: MicroUsd(to_u64(row.reserved)?),
            charge: Charge {
                paid_ms: to_u64(row.paid_ms)?,
                gross: MicroUsd(to_u64(row.gross)?),
                fee: MicroUsd(to_u64(row.fee)?),
            },
            ending: row.ending.as_deref().map(from_json).transpose()?,
            checkpoint: row.checkpoint.as_deref().map(from_json).transpose()?,
            closed: row.closed,
        })
    }
}

impl Lease {
    /// Running time that is covered, in ms.
    pub fn funded_ms(&self) -> u64 {
        self.terms.funded_ms(self.reserved)
    }

    /// What it adds to its rig's voucher.
    pub fn line(&self) -> VoucherLine {
        VoucherLine {
            lease: self.id.clone(),
            paid_ms: self.charge.paid_ms,
            gross: self.charge.gross,
            fee: self.charge.fee,
            net: self.charge.net(),
            last: self.closed,
        }
    }

    /// One lease of one rig.
    ///
    /// # Errors
    /// The database does not answer, or the row does not read back.
    pub async fn of_rig(
        conn: &mut SqliteConnection,
        rig: &RigId,
        lease: &LeaseId,
    ) -> Result<Option<Self>, Fault> {
        sqlx::query_as::<_, Row>("SELECT * FROM leases WHERE id = ? AND rig = ?")
            .bind(lease.as_str())
            .bind(rig.as_str())
            .fetch_optional(conn)
            .await?
            .map(Self::try_from)
            .transpose()
    }

    /// Every lease of a job, oldest first.
    ///
    /// # Errors
    /// As above.
    pub async fn of_job(conn: &mut SqliteConnection, job: &JobId) -> Result<Vec<Self>, Fault> {
        let rows = sqlx::query_as::<_, Row>("SELECT * FROM leases WHERE job = ? ORDER BY rowid")
            .bind(job.as_str())
            .fetch_all(conn)
            .await?;
        rows.into_iter().map(Self::try_from).collect()
    }

    /// The open leases of a rig, oldest first.
    ///
    /// # Errors
    /// As above.
    pub async fn open_of_rig(conn: &mut SqliteConnection, rig: &RigId) -> Result<Vec<Self>, Fault> {
        let rows = sqlx::query_as::<_, Row>(
            "SELECT * FROM leases WHERE rig = ? AND closed = 0 ORDER BY rowid",
        )
        .bind(rig.as_str())
        .fetch_all(conn)
        .await?;
        rows.into_iter().map(Self::try_from).collect()
    }

    /// Writes a new lease.
    ///
    /// # Errors
    /// The database does not take it.
    pub async fn insert(&self, tx: &mut Tx) -> Result<(), Fault> {
        sqlx::query(
            "INSERT INTO leases (id, job, renter, rig, gpus, price, fee_bp, deadline_ms, state, granted_ms, reserved)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(self.id.as_str())
        .bind(self.job.as_str())
        .bind(self.renter.as_str())
        .bind(self.rig.as_str())
        .bind(to_json(&self.gpus)?)
        .bind(to_db(self.terms.price.0.0)?)
        .bind(i64::from(self.terms.fee.get()))
        .bind(to_db(self.terms.deadline_ms)?)
        .bind(to_word(&self.state)?)
        .bind(to_db(self.granted_ms)?)
        .bind(to_db(self.reserved.0)?)
        .execute(&mut tx.conn)
        .await?;
        tx.touch(&self.rig);
        tx.wrote(rehearsal::lease(&self.state));
        Ok(())
    }

    /// Writes what can change of it.
    ///
    /// # Errors
    /// The database does not take it.
    pub async fn save(&self, tx: &mut Tx) -> Result<(), Fault> {
        sqlx::query(
            "UPDATE leases SET state = ?, ended_ms = ?, used_ms = ?, reserved = ?, paid_ms = ?, gross = ?, fee = ?,
             progress = ?, ending = ?, checkpoint = ?, closed = ? WHERE id = ?",
        )
        .bind(to_word(&self.state)?)
        .bind(self.ended_ms.map(to_db).transpose()?)
        .bind(to_db(self.used_ms)?)
        .bind(to_db(self.reserved.0)?)
        .bind(to_db(self.charge.paid_ms)?)
        .bind(to_db(self.charge.gross.0)?)
        .bind(to_db(self.charge.fee.0)?)
        .bind(self.progress)
        .bind(self.ending.as_ref().map(to_json).transpose()?)
        .bind(self.checkpoint.as_ref().map(to_json).transpose()?)
        .bind(self.closed)
        .bind(self.id.as_str())
        .execute(&mut tx.conn)
        .await?;
        tx.touch(&self.rig);
        tx.wrote(rehearsal::lease(&self.state));
        Ok(())
    }
}

/// Puts a command into a rig's queue, under the next id.
///
/// # Errors
/// The database does not take it.
pub async fn command(
    tx: &mut Tx,
    rig: &RigId,
    lease: &LeaseId,
    action: &Action,
) -> Result<(), Fault> {
    let id: i64 = sqlx::query_scalar(
        "UPDATE rigs SET last_command = last_command + 1 WHERE id = ? RETURNING last_command",
    )
    .bind(rig.as_str())
    .fetch_one(&mut tx.conn)
    .await?;
    sqlx::query("INSERT INTO commands (rig, id, lease, body) VALUES (?, ?, ?, ?)")
        .bind(rig.as_str())
        .bind(id)
        .bind(lease.as_str())
        .bind(to_json(action)?)
        .execute(&mut tx.conn)
        .await?;
    tx.touch(rig);
    tx.wrote(rehearsal::command(action));
    Ok(())
}

#[cfg(test)]
mod history_tests;
