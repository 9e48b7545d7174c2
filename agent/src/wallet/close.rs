//! The marketplace is done with a lease: what nobody will prove any more is written off.

use rusqlite::Connection;
use sublet_protocol::ids::LeaseId;
use sublet_protocol::money::MicroUsd;

use super::Applied;
use super::earning::Earning;
use super::journal::{Account, Kind, Transfer, post};

/// A lease that never ran has nothing to close.
pub(super) fn close(
    connection: &Connection,
    lease: &LeaseId,
    at_ms: u64,
) -> rusqlite::Result<Applied> {
    match Earning::load(connection, lease)? {
        Some(mut earning) if !earning.closed => {
            earning.closed = true;
            write_off(connection, &mut earning, at_ms)?;
            Ok(Applied::Changed)
        }
        _ => Ok(Applied::Unchanged),
    }
}

/// Moves what is unproven to written off, and saves the row.
pub(super) fn write_off(
    connection: &Connection,
    earning: &mut Earning,
    at_ms: u64,
) -> rusqlite::Result<()> {
    let amount: MicroUsd = earning.unproven();
    earning.written_off = earning.written_off.saturating_add(amount);
    earning.save(connection)?;
    post(
        connection,
        &earning.lease,
        Kind::Close,
        at_ms,
        &[Transfer {
            from: Account::Receivable,
            to: Account::WrittenOff,
            amount,
        }],
    )
}
