//! Who may know which blob, and how long it is. To name a CID is not to have a right to its bytes.

use crate::fault::Fault;
use crate::store::to_u64;
use sqlx::SqliteConnection;
use sublet_protocol::blob::BlobId;
use sublet_protocol::ids::{RenterId, RigId};

/// The length of a blob for a rig: one that it uploaded, or that an open lease of its needs.
///
/// # Errors
/// The database does not answer.
pub async fn by_rig(
    conn: &mut SqliteConnection,
    rig: &RigId,
    cid: &BlobId,
) -> Result<Option<u64>, Fault> {
    let bytes: Option<i64> = sqlx::query_scalar(
        "SELECT bytes FROM blobs WHERE cid = ? AND rig = ?
         UNION ALL
         SELECT i.bytes FROM lease_inputs i JOIN leases l ON l.id = i.lease
         WHERE i.cid = ? AND l.rig = ? AND l.closed = 0 LIMIT 1",
    )
    .bind(cid.to_string())
    .bind(rig.as_str())
    .bind(cid.to_string())
    .bind(rig.as_str())
    .fetch_optional(conn)
    .await?;
    bytes.map(to_u64).transpose()
}

/// The length of a blob for a renter: one that it uploaded, or that a job of its made or goes on from.
///
/// # Errors
/// The database does not answer.
pub async fn by_renter(
    conn: &mut SqliteConnection,
    renter: &RenterId,
    cid: &BlobId,
) -> Result<Option<u64>, Fault> {
    let bytes: Option<i64> = sqlx::query_scalar(
        "SELECT bytes FROM renter_blobs WHERE cid = ? AND renter = ?
         UNION ALL
         SELECT b.bytes FROM blobs b WHERE b.cid = ? AND EXISTS (
            SELECT 1 FROM lease_outputs o JOIN leases l ON l.id = o.lease
            WHERE o.cid = b.cid AND l.renter = ?)
         UNION ALL
         SELECT b.bytes FROM blobs b WHERE b.cid = ? AND EXISTS (
            SELECT 1 FROM leases l WHERE l.renter = ? AND l.checkpoint IS NOT NULL
            AND json_extract(l.checkpoint, '$.cid') = b.cid) LIMIT 1",
    )
    .bind(cid.to_string())
    .bind(renter.as_str())
    .bind(cid.to_string())
    .bind(renter.as_str())
    .bind(cid.to_string())
    .bind(renter.as_str())
    .fetch_optional(conn)
    .await?;
    bytes.map(to_u64).transpose()
}
