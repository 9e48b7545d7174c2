//! One lease's cumulative figures, as their row holds them.

use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};
use sublet_protocol::ids::LeaseId;
use sublet_protocol::money::{BasisPoints, HourlyPrice, MicroUsd};

use super::journal::{signed, stored};

/// Price times time, the marketplace's share of it, and the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) gross: MicroUsd,
    pub(super) fee: MicroUsd,
    pub(super) net: MicroUsd,
}

impl Figures {
    /// What `ms` of running time make. Each figure only grows with time, whatever the rounding.
    pub(super) fn of(price: HourlyPrice, fee: BasisPoints, ms: u64) -> Self {
        let gross = price.cost(ms);
        Self {
            gross,
            fee: fee.fee(gross),
            net: fee.net(gross),
        }
    }
}

/// A row of `earning`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Earning {
    pub(super) lease: LeaseId,
    pub(super) name: String,
    pub(super) price: HourlyPrice,
    pub(super) fee_points: BasisPoints,
    pub(super) at_ms: u64,
    pub(super) used_ms: u64,
    pub(super) paid_ms: u64,
    pub(super) figures: Figures,
    pub(super) proven: MicroUsd,
    pub(super) written_off: MicroUsd,
    pub(super) channel: Option<String>,
    pub(super) voucher: Option<MicroUsd>,
    pub(super) settled: bool,
    pub(super) closed: bool,
}

/// The columns that [`Earning::read`] takes, in its order.
pub(super) const COLUMNS: &str = "lease, name, price, fee_points, at_ms, used_ms, paid_ms, gross, fee, net, \
                                  proven, written_off, channel, voucher, settled, closed";

impl Earning {
    /// What a lease's metered figures would be after `ms`.
    pub(super) fn figures_at(&self, ms: u64) -> Figures {
        Figures::of(self.price, self.fee_points, ms)
    }

    /// Metered, neither proven nor written off.
    pub(super) fn unproven(&self) -> MicroUsd {
        self.figures
            .net
            .saturating_sub(self.proven)
            .saturating_sub(self.written_off)
    }

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            lease: lease_id(row, 0)?,
            name: row.get(1)?,
            price: HourlyPrice(money(row, 2)?),
            fee_points: fee_points(row, 3)?,
            at_ms: number(row, 4)?,
            used_ms: number(row, 5)?,
            paid_ms: number(row, 6)?,
            figures: Figures {
                gross: money(row, 7)?,
                fee: money(row, 8)?,
                net: money(row, 9)?,
            },
            proven: money(row, 10)?,
            written_off: money(row, 11)?,
            channel: row.get(12)?,
            voucher: match row.get_ref(13)? {
                ValueRef::Null => None,
                _ => Some(money(row, 13)?),
            },
            settled: row.get(14)?,
            closed: row.get(15)?,
        })
    }

    pub(super) fn load(connection: &Connection, lease: &LeaseId) -> rusqlite::Result<Option<Self>> {
        connection
            .prepare_cached(&format!("SELECT {COLUMNS} FROM earning WHERE lease = ?1"))?
            .query_row([lease.as_str()], Self::read)
            .optional()
    }

    /// Writes the row, new or changed.
    pub(super) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(&format!(
                "INSERT INTO earning ({COLUMNS})
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
                 ON CONFLICT (lease) DO UPDATE SET
                     at_ms = excluded.at_ms, used_ms = excluded.used_ms, paid_ms = excluded.paid_ms,
                     gross = excluded.gross, fee = excluded.fee, net = excluded.net,
                     proven = excluded.proven, written_off = excluded.written_off,
                     channel = excluded.channel, voucher = excluded.voucher,
                     settled = excluded.settled, closed = excluded.closed"
            ))?
            .execute(params![
                self.lease.as_str(),
                self.name,
                signed(self.price.0),
                self.fee_points.get(),
                stored(self.at_ms),
                stored(self.used_ms),
                stored(self.paid_ms),
                signed(self.figures.gross),
                signed(self.figures.fee),
                signed(self.figures.net),
                signed(self.proven),
                signed(self.written_off),
                self.channel,
                self.voucher.map(signed),
                self.settled,
                self.closed,
            ])?;
        Ok(())
    }
}

pub(super) fn money(row: &Row<'_>, column: usize) -> rusqlite::Result<MicroUsd> {
    number(row, column).map(MicroUsd)
}

pub(super) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let stored: i64 = row.get(column)?;
    u64::try_from(stored).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, stored))
}

fn lease_id(row: &Row<'_>, column: usize) -> rusqlite::Result<LeaseId> {
    LeaseId::new(row.get::<_, String>(column)?).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
    })
}

fn fee_points(row: &Row<'_>, column: usize) -> rusqlite::Result<BasisPoints> {
    BasisPoints::new(row.get(column)?).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Integer, error.into())
    })
}
