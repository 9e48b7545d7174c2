//! Renters' jobs: taken in, looked at, cancelled.

use crate::blobs::known;
use crate::db::Tx;
use crate::fault::Fault;
use crate::leases::{Lease, close, command};
use crate::ledger::book::{self, Account};
use crate::rehearsal;
use crate::store::{from_json, from_word, to_db, to_id, to_json, to_u64, to_word};
use sqlx::SqliteConnection;
use sublet_protocol::heartbeat::{Action, StopWhy};
use sublet_protocol::ids::{JobId, RenterId};
use sublet_protocol::job::JobSpec;
use sublet_protocol::lease::{EndCode, LeaseState};
use sublet_protocol::money::MicroUsd;
use sublet_protocol::problem::ProblemCode;
use sublet_protocol::renter::JobState;

/// A job as it is stored.
#[derive(Debug, Clone)]
pub struct Job {
    /// Which.
    pub id: JobId,
    /// Whose.
    pub renter: RenterId,
    /// What.
    pub spec: JobSpec,
    /// Where it stands.
    pub state: JobState,
    /// When it came, ms since 1970.
    pub submitted_ms: u64,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    renter: String,
    spec: String,
    state: String,
    submitted_ms: i64,
}

impl TryFrom<Row> for Job {
    type Error = Fault;
    fn try_from(row: Row) -> Result<Self, Fault> {
        Ok(Self {
            id: to_id(row.id)?,
            renter: to_id(row.renter)?,
            spec: from_json(&row.spec)?,
            state: from_word(&row.state)?,
            submitted_ms: to_u64(row.submitted_ms)?,
        })
    }
}

/// A job's spec.
///
/// # Errors
/// The database does not answer, or it does not read back.
pub async fn spec(conn: &mut SqliteConnection, job: &JobId) -> Result<JobSpec, Fault> {
    let text: String = sqlx::query_scalar("SELECT spec FROM jobs WHERE id = ?")
        .bind(job.as_str())
        .fetch_one(conn)
        .await?;
    from_json(&text)
}

/// Moves a job to a state.
///
/// # Errors
/// The database does not take it.
pub async fn set_state(tx: &mut Tx, job: &JobId, state: JobState) -> Result<(), Fault> {
    sqlx::query("UPDATE jobs SET state = ? WHERE id = ?")
        .bind(to_word(&state)?)
        .bind(job.as_str())
        .execute(&mut tx.conn)
        .await?;
    tx.wrote(rehearsal::job(&state));
    Ok(())
}

/// Takes a job in.
///
/// # Errors
/// `no_funds` where the account is empty and the job is not free; `bad_job` where an input is not here; or the database does not take it.
pub async fn submit(
    tx: &mut Tx,
    renter: &RenterId,
    spec: &JobSpec,
    now_ms: u64,
) -> Result<JobId, Fault> {
    let free = book::holds(&mut tx.conn, Account::Free(renter)).await?;
    if free == MicroUsd::ZERO && spec.max_price.0 > MicroUsd::ZERO {
        return Err(Fault::refused(
            ProblemCode::NoFunds,
            format!(
                "The account of {renter} has nothing free to spend. Have the operator run `sublet-market topup {renter} AMOUNT`, then submit again."
            ),
        ));
    }
    for (path, cid) in &spec.inputs {
        if known::by_renter(&mut tx.conn, renter, cid).await?.is_none() {
            return Err(Fault::refused(
                ProblemCode::BadJob,
                format!(
                    "The input {path} is {cid}, and there is no such blob of yours here. Upload it first; `sublet-market submit` does so for a file that the job names by its path, beginning with ./"
                ),
            ));
        }
    }
    let id: JobId = to_id(format!("job-{}", crate::secret::random_hex::<8>()?))?;
    sqlx::query(
        "INSERT INTO jobs (id, renter, spec, state, submitted_ms, tries_left) VALUES (?, ?, ?, 'queued', ?, ?)",
    )
    .bind(id.as_str())
    .bind(renter.as_str())
    .bind(to_json(spec)?)
    .bind(to_db(now_ms)?)
    .bind(spec.retries)
    .execute(&mut tx.conn)
    .await?;
    tx.wrote(rehearsal::job(&JobState::Queued));
    tracing::info!(job = %id, %renter, name = spec.name, "job submitted");
    Ok(id)
}

/// One job, if it is this renter's.
///
/// # Errors
/// `not_found` where there is none, or it is another's: whose it is, is nobody's business.
pub async fn of_renter(
    conn: &mut SqliteConnection,
    renter: &RenterId,
    job: &JobId,
) -> Result<Job, Fault> {
    sqlx::query_as::<_, Row>(
        "SELECT id, renter, spec, state, submitted_ms FROM jobs WHERE id = ? AND renter = ?",
    )
    .bind(job.as_str())
    .bind(renter.as_str())
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| {
        Fault::refused(
            ProblemCode::NotFound,
            format!("There is no job {job} of yours; `sublet-market ps` lists them."),
        )
    })?
    .try_into()
}

/// A renter's jobs, newest first.
///
/// # Errors
/// The database does not answer.
pub async fn list(conn: &mut SqliteConnection, renter: &RenterId) -> Result<Vec<Job>, Fault> {
    let rows = sqlx::query_as::<_, Row>(
        "SELECT id, renter, spec, state, submitted_ms FROM jobs WHERE renter = ?
         ORDER BY submitted_ms DESC, rowid DESC LIMIT 100",
    )
    .bind(renter.as_str())
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Job::try_from).collect()
}

/// Every job that waits for a rig, oldest first, and no more than are matched in one go.
///
/// # Errors
/// The database does not answer.
pub async fn queued(conn: &mut SqliteConnection) -> Result<Vec<Job>, Fault> {
    let rows = sqlx::query_as::<_, Row>(
        "SELECT id, renter, spec, state, submitted_ms FROM jobs WHERE state = 'queued'
         ORDER BY submitted_ms, rowid LIMIT 1000",
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Job::try_from).collect()
}

/// Cancels a job: at once where no rig has taken it, else its rig is told to stop, and the job is cancelled when
/// the rig says that it did (or falls silent).
///
/// # Errors
/// `conflict` where it is over already; `not_found` where it is not this renter's.
pub async fn cancel(tx: &mut Tx, renter: &RenterId, job: &JobId, now_ms: u64) -> Result<(), Fault> {
    let found = of_renter(&mut tx.conn, renter, job).await?;
    if found.state.is_over() {
        return Err(Fault::refused(
            ProblemCode::Conflict,
            format!(
                "Job {job} is {} already; there is nothing left to cancel.",
                to_word(&found.state)?
            ),
        ));
    }
    sqlx::query("UPDATE jobs SET cancelled = 1 WHERE id = ?")
        .bind(job.as_str())
        .execute(&mut tx.conn)
        .await?;
    tx.wrote(rehearsal::CANCELLING);
    let mut open: Vec<Lease> = Lease::of_job(&mut tx.conn, job).await?;
    open.retain(|lease| !lease.closed);
    if open.is_empty() {
        return set_state(tx, job, JobState::Cancelled).await;
    }
    for lease in open {
        let (rig, id) = (lease.rig.clone(), lease.id.clone());
        if lease.state == LeaseState::Offered {
            let why = "The renter cancelled the job before the rig took it.";
            close::by_the_market(
                tx,
                lease,
                LeaseState::Failed,
                EndCode::Cancelled,
                why,
                now_ms,
            )
            .await?;
        }
        // Also where it was only offered: the offer may be on its way to the rig at this moment.
        let why = StopWhy::Cancelled;
        command(tx, &rig, &id.clone(), &Action::Stop { lease: id, why }).await?;
    }
    Ok(())
}
