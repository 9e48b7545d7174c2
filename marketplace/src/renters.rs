//! Renters: accounts that the operator opens and tops up.

use crate::db::Tx;
use crate::fault::Fault;
use crate::ledger::book::{self, Account, Entry, Kind};
use crate::secret::Token;
use crate::store::{to_db, to_id, to_u64};
use sqlx::SqliteConnection;
use sublet_protocol::ids::RenterId;
use sublet_protocol::money::MicroUsd;
use sublet_protocol::problem::ProblemCode;
use sublet_protocol::renter::AccountView;

/// The most that one top-up brings: a thousand million dollars, far from the end of any integer here.
const MOST: MicroUsd = MicroUsd(1_000_000_000_000_000);

/// Whose token it is.
///
/// # Errors
/// `unauthorized` where it is nobody's.
pub async fn by_token(conn: &mut SqliteConnection, token: &Token) -> Result<RenterId, Fault> {
    let id: Option<String> = sqlx::query_scalar("SELECT id FROM renters WHERE token_hash = ?")
        .bind(token.hash())
        .fetch_optional(conn)
        .await?;
    to_id(id.ok_or_else(Fault::no_token)?)
}

/// Whether a renter has an account.
///
/// # Errors
/// The database does not answer.
pub async fn exists(conn: &mut SqliteConnection, renter: &RenterId) -> Result<bool, Fault> {
    let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM renters WHERE id = ?")
        .bind(renter.as_str())
        .fetch_optional(conn)
        .await?;
    Ok(found.is_some())
}

/// Opens an account, or gives an existing one a new token; the old one is void then.
///
/// # Errors
/// The database does not take it.
pub async fn set_token(
    tx: &mut Tx,
    renter: &RenterId,
    token: &Token,
    now_ms: u64,
) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO renters (id, token_hash, created_ms) VALUES (?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET token_hash = excluded.token_hash",
    )
    .bind(renter.as_str())
    .bind(token.hash())
    .bind(to_db(now_ms)?)
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// Brings money in.
///
/// # Errors
/// `bad_request` where it is too much at once; or the database does not take it.
pub async fn top_up(
    tx: &mut Tx,
    renter: &RenterId,
    amount: MicroUsd,
    now_ms: u64,
) -> Result<(), Fault> {
    if amount > MOST {
        return Err(Fault::refused(
            ProblemCode::BadRequest,
            format!("{amount} is more than one top-up can bring ({MOST})."),
        ));
    }
    let entry = Entry {
        kind: Kind::Topup,
        lease: None,
        at_ms: now_ms,
        from: (Account::Outside, amount),
        to: &[(Account::Free(renter), amount)],
    };
    book::post(tx, entry).await
}

/// How an account stands.
///
/// # Errors
/// The database does not answer.
pub async fn view(conn: &mut SqliteConnection, renter: &RenterId) -> Result<AccountView, Fault> {
    let spent: i64 =
        sqlx::query_scalar("SELECT coalesce(sum(gross), 0) FROM leases WHERE renter = ?")
            .bind(renter.as_str())
            .fetch_one(&mut *conn)
            .await?;
    Ok(AccountView {
        renter: renter.clone(),
        balance: book::holds(&mut *conn, Account::Free(renter)).await?,
        reserved: book::holds(&mut *conn, Account::Reserved(renter)).await?,
        spent: MicroUsd(to_u64(spent)?),
    })
}
