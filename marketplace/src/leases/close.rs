//! The end of a lease: its last charge stands, what is left of the reserved money goes back, and its job goes on
//! to its own end or back into the queue. All in the transaction of the caller.

use super::{Lease, stale_checkpoints};
use crate::db::Tx;
use crate::fault::Fault;
use crate::jobs;
use crate::ledger::book::{self, Account, Entry, Kind};
use crate::store::to_u64;
use sublet_protocol::lease::{EndCode, Ending, LeaseState};
use sublet_protocol::renter::JobState;

/// What becomes of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobGoes {
    /// To its end.
    Over(JobState),
    /// Back into the queue, and one try fewer is left.
    AgainAfterATry,
    /// Back into the queue: nothing ran, or the owner needed the GPU, which every renter agreed to.
    Again,
}

/// Decides what becomes of a job whose lease ended so.
pub fn decide(state: LeaseState, code: EndCode, cancelled: bool, tries_left: u64) -> JobGoes {
    match (state, code) {
        (LeaseState::Finished, EndCode::Completed) => JobGoes::Over(JobState::Completed),
        _ if cancelled => JobGoes::Over(JobState::Cancelled),
        (LeaseState::Refused, code) if code.may_retry() => JobGoes::Again,
        (_, EndCode::Reclaimed) => JobGoes::Again,
        (_, code) if code.may_retry() && tries_left > 0 => JobGoes::AgainAfterATry,
        (_, EndCode::Cancelled) => JobGoes::Over(JobState::Cancelled),
        _ => JobGoes::Over(JobState::Failed),
    }
}

/// The rig said how it ended. A success waits until every output is here; anything else settles at once.
///
/// # Errors
/// The database does not take it.
pub async fn after_the_last_word(tx: &mut Tx, mut lease: Lease, now_ms: u64) -> Result<(), Fault> {
    let succeeded = lease.state == LeaseState::Finished
        && lease
            .ending
            .as_ref()
            .is_some_and(|e| e.code == EndCode::Completed);
    if succeeded && !all_outputs_here(tx, &lease).await? {
        return lease.save(tx).await;
    }
    if succeeded {
        // Verified and, in the same breath, settled: the last voucher goes out with the next reply.
        tracing::info!(lease = %lease.id, "every output is here under its CID");
    }
    let code = lease
        .ending
        .as_ref()
        .map_or(EndCode::SandboxFailed, |e| e.code);
    let told = lease.state;
    if lease.state == LeaseState::Finished {
        lease.state = LeaseState::Settled;
    }
    settle(tx, lease, told, code, now_ms).await
}

/// The marketplace itself ends a lease: `state` is `lost`, `refused` or `failed`.
///
/// # Errors
/// The database does not take it.
pub async fn by_the_market(
    tx: &mut Tx,
    mut lease: Lease,
    state: LeaseState,
    code: EndCode,
    message: &str,
    now_ms: u64,
) -> Result<(), Fault> {
    lease.state = state;
    lease.ended_ms = Some(now_ms);
    lease.ending = Some(Ending {
        code,
        exit_code: None,
        message: message.to_owned(),
        outputs: Vec::new(),
    });
    settle(tx, lease, state, code, now_ms).await
}

async fn settle(
    tx: &mut Tx,
    mut lease: Lease,
    told: LeaseState,
    code: EndCode,
    now_ms: u64,
) -> Result<(), Fault> {
    let left = lease.reserved.saturating_sub(lease.charge.gross);
    book::post(
        tx,
        Entry {
            kind: Kind::Release,
            lease: Some(&lease.id),
            at_ms: now_ms,
            from: (Account::Reserved(&lease.renter), left),
            to: &[(Account::Free(&lease.renter), left)],
        },
    )
    .await?;
    lease.closed = true;
    lease.save(tx).await?;
    // A grant that was not taken in must not be taken now.
    sqlx::query("DELETE FROM commands WHERE rig = ? AND lease = ?")
        .bind(lease.rig.as_str())
        .bind(lease.id.as_str())
        .execute(&mut tx.conn)
        .await?;
    let (cancelled, tries_left): (bool, i64) =
        sqlx::query_as("SELECT cancelled, tries_left FROM jobs WHERE id = ?")
            .bind(lease.job.as_str())
            .fetch_one(&mut tx.conn)
            .await?;
    let goes = decide(told, code, cancelled, to_u64(tries_left)?);
    tracing::info!(lease = %lease.id, job = %lease.job, state = lease.state.name(), ?code, ?goes,
        used_ms = lease.used_ms, gross = %lease.charge.gross, "lease closed");
    match goes {
        JobGoes::Over(state) => {
            stale_checkpoints::note(tx, &lease.job, now_ms).await?;
            jobs::set_state(tx, &lease.job, state).await
        }
        JobGoes::Again => jobs::set_state(tx, &lease.job, JobState::Queued).await,
        JobGoes::AgainAfterATry => {
            sqlx::query("UPDATE jobs SET tries_left = tries_left - 1 WHERE id = ?")
                .bind(lease.job.as_str())
                .execute(&mut tx.conn)
                .await?;
            jobs::set_state(tx, &lease.job, JobState::Queued).await
        }
    }
}

async fn all_outputs_here(tx: &mut Tx, lease: &Lease) -> Result<bool, Fault> {
    let missing: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM lease_outputs o WHERE o.lease = ?
         AND NOT EXISTS (SELECT 1 FROM blobs b WHERE b.cid = o.cid AND b.bytes = o.bytes AND b.rig = ?)",
    )
    .bind(lease.id.as_str())
    // Uploaded by this very rig: to know another job's CID is not to have made the bytes.
    .bind(lease.rig.as_str())
    .fetch_one(&mut tx.conn)
    .await?;
    Ok(missing == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_goes_where_its_lease_sends_it() {
        use JobGoes::{Again, AgainAfterATry, Over};
        use LeaseState::{Failed, Finished, Lost, Refused};
        for (state, code, cancelled, tries, goes) in [
            (
                Finished,
                EndCode::Completed,
                false,
                0,
                Over(JobState::Completed),
            ),
            // It was done before the cancellation reached it.
            (
                Finished,
                EndCode::Completed,
                true,
                2,
                Over(JobState::Completed),
            ),
            (
                Finished,
                EndCode::JobFailed,
                false,
                2,
                Over(JobState::Failed),
            ),
            (
                Finished,
                EndCode::OutOfFunds,
                false,
                2,
                Over(JobState::Failed),
            ),
            // Its owner took the GPU back: that costs the job nothing but time.
            (Finished, EndCode::Reclaimed, false, 1, Again),
            (Finished, EndCode::Reclaimed, false, 0, Again),
            (Failed, EndCode::SandboxFailed, false, 1, AgainAfterATry),
            (
                Failed,
                EndCode::SandboxFailed,
                false,
                0,
                Over(JobState::Failed),
            ),
            (
                Failed,
                EndCode::Reclaimed,
                true,
                1,
                Over(JobState::Cancelled),
            ),
            (
                Failed,
                EndCode::ImageNotFound,
                false,
                2,
                Over(JobState::Failed),
            ),
            (Refused, EndCode::NotAccepted, false, 0, Again),
            (Refused, EndCode::CategoryRefused, false, 0, Again),
            (
                Refused,
                EndCode::NotAccepted,
                true,
                0,
                Over(JobState::Cancelled),
            ),
            (Lost, EndCode::Fenced, false, 2, AgainAfterATry),
            (Lost, EndCode::Fenced, false, 0, Over(JobState::Failed)),
            (
                Failed,
                EndCode::Cancelled,
                false,
                2,
                Over(JobState::Cancelled),
            ),
        ] {
            assert_eq!(
                decide(state, code, cancelled, tries),
                goes,
                "{state:?} {code:?} {cancelled} {tries}"
            );
        }
    }
}
