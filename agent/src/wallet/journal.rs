//! The journal. Money only ever moves from one account to another, so every entry adds up to zero by
//! construction; nothing else writes postings.

use rusqlite::{Connection, params};
use sublet_protocol::ids::LeaseId;
use sublet_protocol::money::MicroUsd;

/// An entry gathers what one lease did in one way within this long.
pub(super) const QUARTER_MS: u64 = 15 * 60 * 1000;

/// Where money stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Account {
    Income,
    Fee,
    Receivable,
    Vouchered,
    WrittenOff,
}

impl Account {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Income => "income",
            Self::Fee => "fee",
            Self::Receivable => "receivable",
            Self::Vouchered => "vouchered",
            Self::WrittenOff => "written_off",
        }
    }
}

/// What kind of event an entry records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Accrue,
    Receive,
    Close,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Accrue => "accrue",
            Self::Receive => "receive",
            Self::Close => "close",
        }
    }
}

/// An amount on its way from one account to another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Transfer {
    pub(super) from: Account,
    pub(super) to: Account,
    pub(super) amount: MicroUsd,
}

/// Posts transfers of one lease; those of nothing leave no trace.
pub(super) fn post(
    connection: &Connection,
    lease: &LeaseId,
    kind: Kind,
    at_ms: u64,
    transfers: &[Transfer],
) -> rusqlite::Result<()> {
    let moved = || {
        transfers
            .iter()
            .filter(|transfer| transfer.amount > MicroUsd::ZERO)
    };
    if moved().next().is_none() {
        return Ok(());
    }
    let quarter = stored(at_ms / QUARTER_MS);
    let entry: i64 = connection
        .prepare_cached(
            "INSERT INTO entry (lease, kind, quarter) VALUES (?1, ?2, ?3)
             ON CONFLICT (lease, kind, quarter) DO UPDATE SET kind = excluded.kind
             RETURNING id",
        )?
        .query_row(params![lease.as_str(), kind.name(), quarter], |row| {
            row.get(0)
        })?;
    let mut add = connection.prepare_cached(
        "INSERT INTO posting (entry, account, amount) VALUES (?1, ?2, ?3)
         ON CONFLICT (entry, account) DO UPDATE SET amount = amount + excluded.amount",
    )?;
    for transfer in moved() {
        let amount = signed(transfer.amount);
        add.execute(params![entry, transfer.from.name(), -amount])?;
        add.execute(params![entry, transfer.to.name(), amount])?;
    }
    Ok(())
}

/// As the database keeps an amount.
pub(super) fn signed(amount: MicroUsd) -> i64 {
    stored(amount.0)
}

/// As the database keeps a number. Each was checked against [`super::LARGEST`] before it comes here.
pub(super) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
