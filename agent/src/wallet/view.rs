//! What the owner sees of the wallet.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension};
use sublet_protocol::ids::LeaseId;
use sublet_protocol::local::{self, Since, Wallet};
use sublet_protocol::money::MicroUsd;
use sublet_protocol::voucher::SignedVoucher;

use super::earning::{COLUMNS, Earning, money, number};

/// The wallet, for reading.
#[derive(Debug)]
pub struct Book<'a> {
    pub(super) connection: &'a Connection,
}

impl<'a> Book<'a> {
    /// Over an open database.
    pub fn new(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// Totals and every earning, newest first. "Today" is `now_ms`'s day in `zone`.
    pub fn view(&self, now_ms: u64, zone: &TimeZone) -> rusqlite::Result<Wallet> {
        let rows = self.earnings()?;
        let total = |part: fn(&Earning) -> MicroUsd| rows.iter().map(part).sum();
        Ok(Wallet {
            gross: total(|row| row.figures.gross),
            fee: total(|row| row.figures.fee),
            net: total(|row| row.figures.net),
            proven: total(|row| row.proven),
            unproven: total(Earning::unproven),
            written_off: total(|row| row.written_off),
            today: self.earned_today(now_ms, zone)?,
            voucher: self.newest_voucher()?,
            periods: self.periods(now_ms, zone)?,
            earnings: rows.into_iter().map(shown).collect(),
            payout_address: None,
        })
    }

    /// What a lease earned so far, after the fee.
    pub fn lease_net(&self, lease: &LeaseId) -> rusqlite::Result<MicroUsd> {
        let net = self
            .connection
            .prepare_cached("SELECT net FROM earning WHERE lease = ?1")?
            .query_row([lease.as_str()], |row| money(row, 0))
            .optional()?;
        Ok(net.unwrap_or_default())
    }

    /// How much of a lease's running time vouchers prove, in ms.
    pub fn proven_ms(&self, lease: &LeaseId) -> rusqlite::Result<u64> {
        let paid = self
            .connection
            .prepare_cached("SELECT paid_ms FROM earning WHERE lease = ?1")?
            .query_row([lease.as_str()], |row| number(row, 0))
            .optional()?;
        Ok(paid.unwrap_or_default())
    }

    /// Net metered since the day of `now_ms` began in `zone`.
    pub fn earned_today(&self, now_ms: u64, zone: &TimeZone) -> rusqlite::Result<MicroUsd> {
        Ok(self.period(Since::Today, now_ms, zone)?.net)
    }

    pub(super) fn earnings(&self) -> rusqlite::Result<Vec<Earning>> {
        self.connection
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM earning ORDER BY at_ms DESC, lease"
            ))?
            .query_map([], Earning::read)?
            .collect()
    }

    /// Every voucher kept, by channel and amount.
    pub(super) fn vouchers(&self) -> rusqlite::Result<BTreeMap<(String, MicroUsd), SignedVoucher>> {
        self.connection
            .prepare_cached("SELECT channel, amount, signature FROM voucher")?
            .query_map([], |row| {
                let voucher = SignedVoucher {
                    channel: row.get(0)?,
                    amount: money(row, 1)?,
                    signature: row.get(2)?,
                };
                Ok(((voucher.channel.clone(), voucher.amount), voucher))
            })?
            .collect()
    }

    /// The highest voucher of the channel that paid last.
    fn newest_voucher(&self) -> rusqlite::Result<Option<SignedVoucher>> {
        self.connection
            .prepare_cached(
                "SELECT channel, amount, signature FROM voucher ORDER BY at_ms DESC, amount DESC LIMIT 1",
            )?
            .query_row([], |row| {
                Ok(SignedVoucher {
                    channel: row.get(0)?,
                    amount: money(row, 1)?,
                    signature: row.get(2)?,
                })
            })
            .optional()
    }
}

fn shown(row: Earning) -> local::Earning {
    local::Earning {
        at_ms: row.at_ms,
        used_ms: row.used_ms,
        price: row.price,
        gross: row.figures.gross,
        fee: row.figures.fee,
        net: row.figures.net,
        proven: row.proven,
        voucher: row.voucher,
        lease: row.lease,
        name: row.name,
    }
}
