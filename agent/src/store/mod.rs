//! What the agent keeps: one SQLite file in the data folder, opened here and nowhere else.
//!
//! A commit is durable when the call returns (write-ahead log, `synchronous=FULL`), and all of it or nothing of it
//! is there after a crash.

pub mod durable;
mod error;
mod folder;
mod history;
#[cfg(test)]
mod history_tests;
mod migrations;
mod past;
mod records;
#[cfg(test)]
mod tests;

pub use error::StoreError;
pub use folder::make as make_folder;
pub use past::{Past, PastPlace};
pub use records::{BenchKey, to_json};

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use sublet_protocol::ids::LeaseId;

use crate::{rehearsal, wallet};

/// The database's name in the data folder.
const FILE_NAME: &str = "sublet.sqlite";
/// How long to wait for another program (a backup, a curious owner) that reads the database.
const BUSY: Duration = Duration::from_secs(5);
/// SQLite's page cache: small, since the agent shall rest in a few megabytes.
const CACHE_KIB: i64 = 512;

/// One step of the agent's life, written in one transaction.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// The core's memory, where it changed.
    pub memory_json: Option<String>,
    /// Leases that are over, or changed after they were.
    pub archived: Vec<(LeaseId, String)>,
    /// What happens in the wallet, in this order.
    pub ledger: Vec<wallet::Entry>,
}

/// The open database, and the lock on its folder. One per data folder, for as long as the agent runs.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    /// Held, never read: dropped after the connection.
    _lock: File,
}

impl Store {
    /// Opens the data folder, making it where it is missing.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while another agent has it; [`StoreError::Newer`], [`StoreError::Damaged`],
    /// [`StoreError::ReadOnly`], [`StoreError::Full`] as they say. Nothing is ever overwritten.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        folder::make(data)?;
        let lock = folder::lock(data)?;
        let path = data.join(FILE_NAME);
        if !exists(&path)? {
            create(data, &path)?;
        }
        let connection = open_existing(&path)?;
        Ok(Self {
            connection,
            path,
            _lock: lock,
        })
    }

    /// Writes all of `change`, or nothing. The answer has one outcome for each ledger entry: a refused one changed
    /// nothing in the wallet and kept nothing else from being written.
    ///
    /// # Errors
    /// Then nothing at all was written, and the same change can be tried again.
    pub fn commit(
        &mut self,
        change: &Change,
    ) -> Result<Vec<Result<wallet::Applied, wallet::WalletError>>, StoreError> {
        let path = self.path.clone();
        self.write(change)
            .map_err(|source| StoreError::sqlite(&path, source))
    }

    fn write(
        &mut self,
        change: &Change,
    ) -> rusqlite::Result<Vec<Result<wallet::Applied, wallet::WalletError>>> {
        let transaction = rusqlite::Transaction::new(
            &mut self.connection,
            rusqlite::TransactionBehavior::Immediate,
        )?;
        if let Some(json) = &change.memory_json {
            records::save_memory(&transaction, json)?;
        }
        for (lease, json) in &change.archived {
            records::archive(&transaction, lease, json)?;
        }
        let outcomes = change
            .ledger
            .iter()
            .map(|entry| {
                let outcome = wallet::apply(&transaction, entry);
                rehearsal::writing(rehearsal::entry(entry));
                outcome
            })
            .collect::<rusqlite::Result<Vec<_>>>()?;
        rehearsal::writing("all");
        transaction.commit()?;
        Ok(outcomes)
    }

    /// Reads from the database with errors sorted.
    fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        query(&self.connection).map_err(|source| StoreError::sqlite(&self.path, source))
    }
}

fn exists(path: &Path) -> Result<bool, StoreError> {
    path.try_exists()
        .map_err(|source| StoreError::io(path, source))
}

/// Makes an empty database beside its place and moves it there when it is whole. So a database that is there but
/// empty or half made can only be a damaged one, and is never mistaken for a new one.
fn create(data: &Path, path: &Path) -> Result<(), StoreError> {
    let leftover = data.join(format!("{FILE_NAME}-wal"));
    if exists(&leftover)? {
        return Err(StoreError::Damaged {
            path: path.to_owned(),
            detail: "it is gone, and its write-ahead log is still here".into(),
        });
    }
    let new = data.join(format!("{FILE_NAME}.new"));
    let mut files = vec![new.clone()];
    files
        .extend(["-wal", "-shm", "-journal"].map(|end| data.join(format!("{FILE_NAME}.new{end}"))));
    for file in files {
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::io(&file, error));
            }
            _ => {}
        }
    }
    folder::open_private(&new).map_err(|source| StoreError::io(&new, source))?;
    let mut connection = connect(&new)?;
    migrations::migrate(&mut connection).map_err(|source| StoreError::sqlite(&new, source))?;
    connection
        .close()
        .map_err(|(_, source)| StoreError::sqlite(&new, source))?;
    durable::put_in_place(&new, path).map_err(|source| StoreError::io(path, source))
}

fn open_existing(path: &Path) -> Result<Connection, StoreError> {
    let length = std::fs::metadata(path)
        .map_err(|source| StoreError::io(path, source))?
        .len();
    if length == 0 {
        return Err(StoreError::Damaged {
            path: path.to_owned(),
            detail: "it is empty".into(),
        });
    }
    let mut connection = connect(path)?;
    let sorted = |source| StoreError::sqlite(path, source);
    let found = migrations::version(&connection).map_err(sorted)?;
    if found > migrations::newest() {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            known: migrations::newest(),
        });
    }
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(sorted)?;
    if verdict != "ok" {
        return Err(StoreError::Damaged {
            path: path.to_owned(),
            detail: verdict,
        });
    }
    use_settings(&connection).map_err(sorted)?;
    migrations::migrate(&mut connection).map_err(sorted)?;
    Ok(connection)
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sorted = |source| StoreError::sqlite(path, source);
    let connection = Connection::open_with_flags(path, flags).map_err(sorted)?;
    if connection.is_readonly("main").map_err(sorted)? {
        return Err(StoreError::ReadOnly(path.to_owned()));
    }
    connection.busy_timeout(BUSY).map_err(sorted)?;
    connection
        .pragma_update(None, "cache_size", -CACHE_KIB)
        .map_err(sorted)?;
    Ok(connection)
}

/// After the checks: the first of these writes to the file.
fn use_settings(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)
}
