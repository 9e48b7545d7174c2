//! The small tables: the core's memory, leases that are over, benchmark results, pinned values; and the wallet's
//! views with their errors sorted.

use rusqlite::{Connection, OptionalExtension, params};
use sublet_protocol::ids::{GpuId, LeaseId};
use sublet_protocol::local::{self, Since};
use sublet_protocol::money::MicroUsd;

use super::{Store, StoreError};
use crate::wallet::{Audit, Book};

/// Which benchmark result: a new driver or a new version of the kernels makes the old one void.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BenchKey<'a> {
    /// The GPU.
    pub gpu: &'a GpuId,
    /// The driver's name and version.
    pub driver: &'a str,
    /// The version of the kernels that measured.
    pub kernels: &'a str,
}

pub(super) fn save_memory(connection: &Connection, json: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO memory (id, json) VALUES (1, ?1)
             ON CONFLICT (id) DO UPDATE SET json = excluded.json",
        )?
        .execute([json])?;
    Ok(())
}

pub(super) fn archive(
    connection: &Connection,
    lease: &LeaseId,
    json: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO archived_lease (lease, json) VALUES (?1, ?2)
             ON CONFLICT (lease) DO UPDATE SET json = excluded.json",
        )?
        .execute([lease.as_str(), json])?;
    Ok(())
}

impl Store {
    /// The core's memory as it was last committed; `None` on the first start.
    pub fn load_memory(&self) -> Result<Option<String>, StoreError> {
        self.read(|db| {
            db.query_row("SELECT json FROM memory", [], |row| row.get(0))
                .optional()
        })
    }

    /// Leases that are over, the one that ended last first, at most `limit`.
    pub fn archived(&self, limit: u32) -> Result<Vec<String>, StoreError> {
        self.read(|db| {
            db.prepare_cached("SELECT json FROM archived_lease ORDER BY seq DESC LIMIT ?1")?
                .query_map([limit], |row| row.get(0))?
                .collect()
        })
    }

    /// One lease that is over.
    pub fn archived_lease(&self, lease: &LeaseId) -> Result<Option<String>, StoreError> {
        self.read(|db| {
            db.query_row(
                "SELECT json FROM archived_lease WHERE lease = ?1",
                [lease.as_str()],
                |row| row.get(0),
            )
            .optional()
        })
    }

    /// Keeps a benchmark result, in the place of an older one under the same key.
    pub fn save_bench(&mut self, key: &BenchKey<'_>, json: &str) -> Result<(), StoreError> {
        self.read(|db| {
            db.execute(
                "INSERT INTO bench (gpu, driver, kernels, json) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (gpu, driver, kernels) DO UPDATE SET json = excluded.json",
                params![key.gpu.as_str(), key.driver, key.kernels, json],
            )
        })
        .map(drop)
    }

    /// The benchmark result under exactly this key.
    pub fn bench(&self, key: &BenchKey<'_>) -> Result<Option<String>, StoreError> {
        self.read(|db| {
            db.query_row(
                "SELECT json FROM bench WHERE gpu = ?1 AND driver = ?2 AND kernels = ?3",
                params![key.gpu.as_str(), key.driver, key.kernels],
                |row| row.get(0),
            )
            .optional()
        })
    }

    /// Keeps a value that must not change unnoticed, such as a marketplace's channel under its address. The same
    /// value again is fine.
    ///
    /// # Errors
    /// [`StoreError::PinnedOtherwise`] where another value is held, which stays.
    pub fn pin(&mut self, key: &str, value: &str) -> Result<(), StoreError> {
        let held = self.read(|db| {
            db.execute(
                "INSERT INTO pinned (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO NOTHING",
                [key, value],
            )?;
            db.query_row("SELECT value FROM pinned WHERE key = ?1", [key], |row| {
                row.get::<_, String>(0)
            })
        })?;
        if held == value {
            Ok(())
        } else {
            Err(StoreError::PinnedOtherwise {
                key: key.to_owned(),
            })
        }
    }

    /// Lets go of a pinned value, at its owner's word.
    pub fn unpin(&mut self, key: &str) -> Result<(), StoreError> {
        self.read(|db| db.execute("DELETE FROM pinned WHERE key = ?1", [key]))
            .map(drop)
    }

    /// A pinned value.
    pub fn pinned(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.read(|db| {
            db.query_row("SELECT value FROM pinned WHERE key = ?1", [key], |row| {
                row.get(0)
            })
            .optional()
        })
    }

    /// The wallet as its owner sees it, by the local time zone; without the payout address, which the keys know.
    pub fn wallet(&self, now_ms: u64) -> Result<local::Wallet, StoreError> {
        self.read(|db| {
            let mut wallet = Book::new(db).view(now_ms, &jiff::tz::TimeZone::system())?;
            for period in &mut wallet.periods {
                if period.since == Since::All {
                    let recorded_ms = super::past::begins_ms(db)?.unwrap_or(u64::MAX);
                    period.from_ms = match period.from_ms.min(recorded_ms) {
                        u64::MAX => 0,
                        first_ms => first_ms,
                    };
                }
                period.electricity = self.electricity_since(period.from_ms)?;
                let left = |took: local::history::Electricity| took.left_of(period.net);
                period.left = period.electricity.and_then(left);
            }
            Ok(wallet)
        })
    }

    /// What one lease earned so far, after the fee; zero for one that never ran.
    pub fn lease_net(&self, lease: &LeaseId) -> Result<MicroUsd, StoreError> {
        self.read(|db| Book::new(db).lease_net(lease))
    }

    /// Net earned today by the local time zone.
    pub fn earned_today(&self, now_ms: u64) -> Result<MicroUsd, StoreError> {
        self.read(|db| Book::new(db).earned_today(now_ms, &jiff::tz::TimeZone::system()))
    }

    /// How much of a lease's running time vouchers prove, in ms.
    pub fn proven_ms(&self, lease: &LeaseId) -> Result<u64, StoreError> {
        self.read(|db| Book::new(db).proven_ms(lease))
    }

    /// Every earning with the voucher that proves it, as CSV.
    pub fn export_csv(&self) -> Result<String, StoreError> {
        self.read(|db| Book::new(db).export_csv())
    }

    /// Reckons the whole wallet anew from its postings and vouchers.
    pub fn audit(&self) -> Result<Audit, StoreError> {
        self.read(|db| Book::new(db).audit())
    }
}

/// The written form of a value that the store keeps.
///
/// # Errors
/// [`StoreError::NotJson`].
pub fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    Ok(serde_json::to_string(value)?)
}
