//! The database's shape. Append-only: a released step is never edited, a change is a new step.

use rusqlite::{Connection, Transaction, TransactionBehavior};

/// Each step runs in a transaction of its own together with the count of steps done (`user_version`).
const STEPS: &[&str] = &[
    include_str!("0001_first.sql"),
    include_str!("0002_history.sql"),
];

/// The newest shape known here.
pub(super) fn newest() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

/// The shape of this database: how many steps it has seen.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Takes the steps that are missing.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let done = usize::try_from(version(connection)?).unwrap_or(0);
    for (index, step) in STEPS.iter().enumerate().skip(done) {
        let transaction = Transaction::new(&mut *connection, TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", i64::try_from(index + 1).unwrap_or(0))?;
        transaction.commit()?;
    }
    Ok(())
}
