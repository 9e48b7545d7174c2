//! Double entry: every entry's postings add up to zero, and no account but the outside world's goes below it.

use crate::db::Tx;
use crate::fault::Fault;
use crate::store::{to_db, to_u64};
use sqlx::SqliteConnection;
use sublet_protocol::ids::{LeaseId, RenterId, RigId};
use sublet_protocol::money::MicroUsd;

/// Whose money.
#[derive(Debug, Clone, Copy)]
pub enum Account<'a> {
    /// Where top-ups come from. The only one below zero.
    Outside,
    /// A renter's, free to spend.
    Free(&'a RenterId),
    /// A renter's, set aside for running leases.
    Reserved(&'a RenterId),
    /// Owed to a rig since it began: what its voucher promises.
    Rig(&'a RigId),
    /// The house's fees.
    Fees,
}

impl Account<'_> {
    /// Its name in the database.
    pub fn name(self) -> String {
        match self {
            Self::Outside => "outside".into(),
            Self::Free(renter) => format!("renter/{renter}/free"),
            Self::Reserved(renter) => format!("renter/{renter}/reserved"),
            Self::Rig(rig) => format!("rig/{rig}"),
            Self::Fees => "fees".into(),
        }
    }
}

/// Why money moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The operator took money in.
    Topup,
    /// Set aside for a lease.
    Reserve,
    /// Paid for used time.
    Charge,
    /// Set aside, and not needed after all.
    Release,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Topup => "topup",
            Self::Reserve => "reserve",
            Self::Charge => "charge",
            Self::Release => "release",
        }
    }
}

/// One amount, out of some accounts and into others. Both sides must be equal.
pub struct Entry<'a> {
    /// Why.
    pub kind: Kind,
    /// For which lease.
    pub lease: Option<&'a LeaseId>,
    /// When, ms since 1970.
    pub at_ms: u64,
    /// Whence.
    pub from: (Account<'a>, MicroUsd),
    /// Whither.
    pub to: &'a [(Account<'a>, MicroUsd)],
}

/// Writes an entry. One that moves nothing is not written.
///
/// # Errors
/// The sides differ, or an account would go below zero: neither can happen while callers reckon with
/// [`super::Terms`] in the same transaction, so both are reported as damage.
pub async fn post(tx: &mut Tx, entry: Entry<'_>) -> Result<(), Fault> {
    let (from, total) = entry.from;
    let into: MicroUsd = entry.to.iter().map(|(_, amount)| *amount).sum();
    if into != total {
        return Err(Fault::Damaged(format!(
            "an entry takes {total} and gives {into}"
        )));
    }
    if total == MicroUsd::ZERO {
        return Ok(());
    }
    let id = sqlx::query("INSERT INTO entries (at_ms, kind, lease) VALUES (?, ?, ?)")
        .bind(to_db(entry.at_ms)?)
        .bind(entry.kind.name())
        .bind(entry.lease.map(LeaseId::as_str))
        .execute(&mut tx.conn)
        .await?
        .last_insert_rowid();
    move_by(tx, id, from, -to_db(total.0)?).await?;
    for (account, amount) in entry.to {
        if *amount != MicroUsd::ZERO {
            move_by(tx, id, *account, to_db(amount.0)?).await?;
        }
    }
    tx.wrote(crate::rehearsal::money(&entry.kind));
    Ok(())
}

async fn move_by(tx: &mut Tx, entry: i64, account: Account<'_>, by: i64) -> Result<(), Fault> {
    let name = account.name();
    // Not an upsert: its insert half would trip over the check that no account is below zero.
    sqlx::query("INSERT OR IGNORE INTO accounts (name, amount) VALUES (?, 0)")
        .bind(&name)
        .execute(&mut tx.conn)
        .await?;
    sqlx::query("UPDATE accounts SET amount = amount + ? WHERE name = ?")
        .bind(by)
        .bind(&name)
        .execute(&mut tx.conn)
        .await?;
    sqlx::query("INSERT INTO postings (entry, account, amount) VALUES (?, ?, ?)")
        .bind(entry)
        .bind(&name)
        .bind(by)
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

/// What an account holds; nothing where it never saw money.
///
/// # Errors
/// The database does not answer.
pub async fn holds(conn: &mut SqliteConnection, account: Account<'_>) -> Result<MicroUsd, Fault> {
    let amount: Option<i64> = sqlx::query_scalar("SELECT amount FROM accounts WHERE name = ?")
        .bind(account.name())
        .fetch_optional(conn)
        .await?;
    Ok(MicroUsd(to_u64(amount.unwrap_or(0))?))
}
