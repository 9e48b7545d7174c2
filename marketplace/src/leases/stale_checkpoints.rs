//! What rigs uploaded and nobody needs is cleared away: checkpoints that a newer one replaced or whose job is over, and
//! bytes whose rig was stopped before it could say what they are. So every upload of a rig is looked at after a while.

use crate::app::Shared;
use crate::db::Tx;
use crate::fault::Fault;
use crate::store::to_db;
use futures_util::FutureExt;
use std::path::PathBuf;
use sublet_protocol::blob::BlobId;
use sublet_protocol::ids::{JobId, RigId};

/// How long one is kept after that, in ms: a rig may be about to name the same bytes again.
const KEEP_MS: u64 = 10 * 60_000;
/// How many are looked at in one transaction.
const AT_ONCE: i64 = 50;

/// Whether a rig has a lease of which it may yet say what its uploads are.
const BUSY: &str = "SELECT EXISTS (SELECT 1 FROM leases WHERE rig = ? AND closed = 0)";

/// Whether a rig's bytes are still what somebody may ask for: as an output, by an open lease, or as what a job that is
/// not over goes on from.
const NEEDED: &str = "SELECT
    EXISTS (SELECT 1 FROM lease_outputs o JOIN leases l ON l.id = o.lease WHERE o.cid = ?1 AND l.rig = ?2)
    OR EXISTS (SELECT 1 FROM lease_inputs i JOIN leases l ON l.id = i.lease WHERE i.cid = ?1 AND l.closed = 0)
    OR EXISTS (SELECT 1 FROM leases l JOIN jobs j ON j.id = l.job
        WHERE l.rig = ?2 AND json_extract(l.checkpoint, '$.cid') = ?1 AND j.state IN ('queued', 'leased')
        AND l.rowid = (SELECT max(m.rowid) FROM leases m WHERE m.job = l.job AND m.checkpoint IS NOT NULL))";

/// Notes all checkpoints of a job; whether one is still needed is found out when it is its turn.
pub(super) async fn note(tx: &mut Tx, job: &JobId, now_ms: u64) -> Result<(), Fault> {
    sqlx::query(
        "INSERT OR REPLACE INTO stale_checkpoints (cid, rig, since_ms)
         SELECT json_extract(checkpoint, '$.cid'), rig, ? FROM leases
         WHERE job = ? AND checkpoint IS NOT NULL",
    )
    .bind(to_db(now_ms)?)
    .bind(job.as_str())
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// Notes what a rig has uploaded.
///
/// # Errors
/// The database does not take it.
pub async fn note_upload(tx: &mut Tx, cid: &BlobId, rig: &RigId, now_ms: u64) -> Result<(), Fault> {
    sqlx::query("INSERT OR REPLACE INTO stale_checkpoints (cid, rig, since_ms) VALUES (?, ?, ?)")
        .bind(cid.to_string())
        .bind(rig.as_str())
        .bind(to_db(now_ms)?)
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

/// Clears away what has been stale for long enough.
///
/// # Errors
/// The database does not take it, or a file cannot be removed; then it is tried again.
pub async fn clear(app: &Shared, now_ms: u64) -> Result<(), Fault> {
    let due = to_db(now_ms.saturating_sub(KEEP_MS))?;
    let any: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM stale_checkpoints WHERE since_ms <= ? LIMIT 1")
            .bind(due)
            .fetch_optional(&app.readers)
            .await?;
    if any.is_none() {
        return Ok(());
    }
    // Nobody gives a file its name meanwhile, and finds it gone before its row is written.
    let _alone = app.blobs.alone().await;
    let store = app.clone();
    let path = move |cid: &BlobId| store.blobs.path(cid);
    app.db
        .change(move |tx| async move { remove(tx, due, now_ms, &path).await }.boxed())
        .await
}

async fn remove(
    tx: &mut Tx,
    due: i64,
    now_ms: u64,
    path: &(impl Fn(&BlobId) -> PathBuf + Send + Sync),
) -> Result<(), Fault> {
    let stale: Vec<(String, String)> = sqlx::query_as(
        "SELECT cid, rig FROM stale_checkpoints WHERE since_ms <= ? ORDER BY since_ms LIMIT ?",
    )
    .bind(due)
    .bind(AT_ONCE)
    .fetch_all(&mut tx.conn)
    .await?;
    for (cid, rig) in stale {
        let needed: bool = sqlx::query_scalar(NEEDED)
            .bind(&cid)
            .bind(&rig)
            .fetch_one(&mut tx.conn)
            .await?;
        let busy: bool = sqlx::query_scalar(BUSY)
            .bind(&rig)
            .fetch_one(&mut tx.conn)
            .await?;
        if busy && !needed {
            sqlx::query("UPDATE stale_checkpoints SET since_ms = ? WHERE cid = ? AND rig = ?")
                .bind(to_db(now_ms)?)
                .bind(&cid)
                .bind(&rig)
                .execute(&mut tx.conn)
                .await?;
            continue;
        }
        sqlx::query("DELETE FROM stale_checkpoints WHERE cid = ? AND rig = ?")
            .bind(&cid)
            .bind(&rig)
            .execute(&mut tx.conn)
            .await?;
        if needed {
            continue;
        }
        sqlx::query("DELETE FROM blobs WHERE cid = ? AND rig = ?")
            .bind(&cid)
            .bind(&rig)
            .execute(&mut tx.conn)
            .await?;
        let others: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM blobs WHERE cid = ?1)
             OR EXISTS (SELECT 1 FROM renter_blobs WHERE cid = ?1)",
        )
        .bind(&cid)
        .fetch_one(&mut tx.conn)
        .await?;
        let id: Result<BlobId, _> = cid.parse();
        if let (false, Ok(id)) = (others, id) {
            // The file first: should this not be committed, the row is there to find it gone, and it is tried again.
            let file = path(&id);
            match tokio::fs::remove_file(&file).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Fault::file(format!("removing {}", file.display()))(error));
                }
                _ => tracing::debug!(%cid, "a checkpoint that nobody needs is gone"),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db;

    async fn run(tx: &mut Tx, sql: &'static str) {
        sqlx::query(sql).execute(&mut tx.conn).await.unwrap();
    }

    async fn lease(tx: &mut Tx, id: &str, job: &str, closed: bool, checkpoint: &BlobId) {
        let checkpoint = format!(r#"{{"cid":"{checkpoint}","bytes":1,"used_ms":1}}"#);
        sqlx::query(
            "INSERT INTO leases (id, job, renter, rig, gpus, price, fee_bp, deadline_ms, state, granted_ms, reserved, closed, checkpoint)
             VALUES (?, ?, 'r', 'rig', '[]', 0, 0, 0, 'running', 0, 0, ?, ?)",
        )
        .bind(id)
        .bind(job)
        .bind(closed)
        .bind(checkpoint)
        .execute(&mut tx.conn)
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn only_what_nobody_needs_any_more_goes_and_not_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let conn = db::open(&folder.path().join("market.sqlite"))
            .await
            .unwrap();
        let mut tx = Tx::over(conn);
        for sql in [
            "INSERT INTO renters (id, token_hash, created_ms) VALUES ('r', '', 0)",
            "INSERT INTO rigs (id, key, epoch, agent, opened_ms) VALUES ('rig', '', 1, '', 0)",
            "INSERT INTO jobs (id, renter, spec, state, submitted_ms, tries_left) VALUES ('on', 'r', '', 'leased', 0, 0), ('over', 'r', '', 'completed', 0, 0)",
        ] {
            run(&mut tx, sql).await;
        }
        let all = [b"old", b"new", b"end", b"out"].map(|bytes| BlobId::of(bytes));
        let [old, new, end, out] = all;
        lease(&mut tx, "l1", "on", true, &old).await;
        lease(&mut tx, "l2", "on", false, &new).await;
        lease(&mut tx, "l3", "over", true, &end).await;
        lease(&mut tx, "l4", "over", true, &out).await;
        sqlx::query("INSERT INTO lease_outputs (lease, cid, bytes) VALUES ('l4', ?, 1)")
            .bind(out.to_string())
            .execute(&mut tx.conn)
            .await
            .unwrap();
        let place = folder.path().to_owned();
        let path = move |cid: &BlobId| place.join(cid.to_string());
        for cid in &all {
            std::fs::write(path(cid), "x").unwrap();
            sqlx::query("INSERT INTO blobs (cid, rig, bytes) VALUES (?, 'rig', 1)")
                .bind(cid.to_string())
                .execute(&mut tx.conn)
                .await
                .unwrap();
        }
        for job in ["on", "over"] {
            note(&mut tx, &job.parse().unwrap(), 1_000).await.unwrap();
        }
        let there = || all.map(|cid| path(&cid).exists());
        remove(&mut tx, 999, 1_000, &path).await.unwrap();
        assert_eq!(there(), [true; 4]);
        // As long as a lease of its rig is open, it may yet say what they are; then they are looked at again.
        remove(&mut tx, 1_000, 2_000, &path).await.unwrap();
        assert_eq!(there(), [true; 4]);
        run(&mut tx, "UPDATE leases SET closed = 1").await;
        remove(&mut tx, 1_000, 2_000, &path).await.unwrap();
        assert_eq!(there(), [true; 4]);
        remove(&mut tx, 2_000, 3_000, &path).await.unwrap();
        assert_eq!(there(), [false, true, false, true]);
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM blobs")
            .fetch_one(&mut tx.conn)
            .await
            .unwrap();
        assert_eq!(rows, 2);
    }
}
