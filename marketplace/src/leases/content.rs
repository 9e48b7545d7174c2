//! What a lease's rig may fetch, and what it leaves for the next one: inputs and checkpoints.

use super::{Lease, stale_checkpoints};
use crate::blobs::known;
use crate::db::Tx;
use crate::fault::Fault;
use crate::store::{from_json, to_db};
use sublet_protocol::blob::BlobId;
use sublet_protocol::job::JobSpec;
use sublet_protocol::lease::Checkpoint;

/// Writes down what a lease that was just granted needs, and says what its job goes on from.
pub(super) async fn hand_over(
    tx: &mut Tx,
    lease: &Lease,
    spec: &JobSpec,
) -> Result<Option<Checkpoint>, Fault> {
    for cid in spec.inputs.values() {
        // It was here when the job came.
        if let Some(bytes) = known::by_renter(&mut tx.conn, &lease.renter, cid).await? {
            allow(tx, lease, cid, bytes).await?;
        }
    }
    if spec.checkpoint.is_none() {
        return Ok(None);
    }
    let text: Option<String> = sqlx::query_scalar(
        "SELECT checkpoint FROM leases WHERE job = ? AND checkpoint IS NOT NULL
         ORDER BY rowid DESC LIMIT 1",
    )
    .bind(lease.job.as_str())
    .fetch_optional(&mut tx.conn)
    .await?;
    let checkpoint: Option<Checkpoint> = text.as_deref().map(from_json).transpose()?;
    if let Some(checkpoint) = &checkpoint {
        allow(tx, lease, &checkpoint.cid, checkpoint.bytes).await?;
    }
    Ok(checkpoint)
}

async fn allow(tx: &mut Tx, lease: &Lease, cid: &BlobId, bytes: u64) -> Result<(), Fault> {
    sqlx::query("INSERT OR IGNORE INTO lease_inputs (lease, cid, bytes) VALUES (?, ?, ?)")
        .bind(lease.id.as_str())
        .bind(cid.to_string())
        .bind(to_db(bytes)?)
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

/// Takes a checkpoint that a rig reports, if the rig has uploaded it, and it is not older than the one that is known.
pub(super) async fn keep(
    tx: &mut Tx,
    lease: &mut Lease,
    reported: Option<&Checkpoint>,
    now_ms: u64,
) -> Result<(), Fault> {
    let Some(new) = reported.filter(|new| lease.checkpoint.as_ref() != Some(*new)) else {
        return Ok(());
    };
    let older = |kept: &Checkpoint| kept.used_ms > new.used_ms;
    if lease.checkpoint.as_ref().is_some_and(older) {
        return Ok(());
    }
    let bytes: Option<i64> =
        sqlx::query_scalar("SELECT bytes FROM blobs WHERE cid = ? AND rig = ?")
            .bind(new.cid.to_string())
            .bind(lease.rig.as_str())
            .fetch_optional(&mut tx.conn)
            .await?;
    if bytes == Some(to_db(new.bytes)?) {
        stale_checkpoints::note(tx, &lease.job, now_ms).await?;
        lease.checkpoint = Some(new.clone());
    } else {
        tracing::warn!(lease = %lease.id, cid = %new.cid, "a checkpoint is named that its rig did not upload");
    }
    Ok(())
}
