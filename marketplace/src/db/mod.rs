//! One SQLite file: opened, checked, brought up to date; one writer that commits in groups, a few readers.

mod migrations;
mod writer;

pub use writer::{Tx, Writer};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection, SqlitePool};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a change waits for another process (`topup`) that is writing.
const BUSY: Duration = Duration::from_secs(10);

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Not there, not readable, not writable.
    #[error(
        "the database {path} cannot be opened: {source}. Check that the folder exists and may be written"
    )]
    Unreachable {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// Written by a later version of this program.
    #[error(
        "the database {path} has version {found}, and this program knows up to {known}: it was written by a newer sublet-market. Use that one; nothing was changed"
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The last one known here.
        known: i64,
    },
    /// Bytes are missing or wrong.
    #[error(
        "the database {path} is damaged ({what}). Put a backup in its place; nothing was changed"
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What the check found.
        what: String,
    },
    /// A step of the schema could not be made.
    #[error("the database {path} could not be brought up to date, and stays as it was: {source}")]
    Migration {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A voucher may leave the house only once the usage it pays is on the disk.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .statement_cache_capacity(200)
}

/// Opens the one connection that writes: checks the file and brings its schema up to date.
///
/// # Errors
/// See [`OpenError`]; the file is as it was.
pub async fn open(path: &Path) -> Result<SqliteConnection, OpenError> {
    let damaged = |what: String| OpenError::Damaged {
        path: path.to_owned(),
        what,
    };
    let unreachable = |source: sqlx::Error| {
        let code = match &source {
            sqlx::Error::Database(error) => error.code().unwrap_or_default().into_owned(),
            _ => String::new(),
        };
        // SQLITE_CORRUPT and SQLITE_NOTADB
        if code == "11" || code == "26" {
            damaged(source.to_string())
        } else {
            OpenError::Unreachable {
                path: path.to_owned(),
                source,
            }
        }
    };
    let mut conn = SqliteConnection::connect_with(&options(path))
        .await
        .map_err(unreachable)?;
    let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(&mut conn)
        .await
        .map_err(unreachable)?;
    if verdict != "ok" {
        return Err(damaged(verdict));
    }
    migrate(&mut conn, path).await?;
    Ok(conn)
}

async fn migrate(conn: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Migration {
        path: path.to_owned(),
        source,
    };
    let known = i64::try_from(migrations::STEPS.len()).unwrap_or(i64::MAX);
    loop {
        // Inside a write transaction, so that two programs starting at once take turns.
        let mut tx = conn.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        let found: i64 = sqlx::query_scalar("PRAGMA user_version")
            .fetch_one(&mut *tx)
            .await
            .map_err(failed)?;
        if found > known {
            return Err(OpenError::Newer {
                path: path.to_owned(),
                found,
                known,
            });
        }
        let step = usize::try_from(found)
            .ok()
            .and_then(|n| migrations::STEPS.get(n));
        let Some(step) = step else {
            return Ok(());
        };
        sqlx::raw_sql(*step)
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        let stamp = format!("PRAGMA user_version = {}", found + 1);
        // PRAGMA takes no bound values; the text is made from a number alone.
        sqlx::raw_sql(sqlx::AssertSqlSafe(stamp))
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
    }
}

/// Connections that only read, beside the writer.
///
/// # Errors
/// The file cannot be opened.
pub async fn readers(path: &Path) -> Result<SqlitePool, OpenError> {
    SqlitePoolOptions::new()
        .max_connections(4)
        .connect_with(
            options(path)
                .create_if_missing(false)
                .pragma("query_only", "on"),
        )
        .await
        .map_err(|source| OpenError::Unreachable {
            path: path.to_owned(),
            source,
        })
}
