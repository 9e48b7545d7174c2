//! The wallet reckoned anew: postings against figures, figures against terms, earnings against vouchers.

use std::collections::BTreeMap;

use sublet_protocol::money::MicroUsd;
use sublet_protocol::voucher::Channel;

use super::earning::{Earning, number};
use super::journal::{Account, signed};
use super::receive::channel_from;
use super::view::Book;

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// How many leases were looked at.
    pub leases: usize,
    /// How many journal entries.
    pub entries: u64,
    /// How many vouchers, each with its signature checked.
    pub vouchers: usize,
    /// What does not agree, in words; empty when all is well.
    pub problems: Vec<String>,
}

impl Audit {
    /// Everything agrees.
    pub fn holds(&self) -> bool {
        self.problems.is_empty()
    }
}

type Balances = BTreeMap<String, BTreeMap<String, i64>>;

impl Book<'_> {
    /// Reads every posting, earning and voucher. Milliseconds for a wallet of thousands of leases.
    pub fn audit(&self) -> rusqlite::Result<Audit> {
        let mut problems = self.unbalanced()?;
        let balances = self.balances()?;
        let earnings = self.earnings()?;
        for earning in &earnings {
            check_lease(earning, balances.get(earning.lease.as_str()), &mut problems);
        }
        let vouchers = self.check_vouchers(&earnings, &mut problems)?;
        let entries = self
            .connection
            .query_row("SELECT count(*) FROM entry", [], |row| number(row, 0))?;
        Ok(Audit {
            leases: earnings.len(),
            entries,
            vouchers,
            problems,
        })
    }

    fn unbalanced(&self) -> rusqlite::Result<Vec<String>> {
        self.connection
            .prepare(
                "SELECT entry.id, entry.lease, total(amount) FROM entry
                 LEFT JOIN posting ON posting.entry = entry.id
                 GROUP BY entry.id HAVING coalesce(sum(amount), 1) <> 0",
            )?
            .query_map([], |row| {
                let (entry, lease, sum): (i64, String, f64) =
                    (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(format!(
                    "journal entry {entry} of lease {lease} adds up to {sum} micro-USD, not to zero"
                ))
            })?
            .collect()
    }

    fn balances(&self) -> rusqlite::Result<Balances> {
        let mut balances = Balances::new();
        let mut statement = self.connection.prepare(
            "SELECT entry.lease, account, sum(amount) FROM entry
             JOIN posting ON posting.entry = entry.id GROUP BY entry.lease, account",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            balances
                .entry(row.get(0)?)
                .or_default()
                .insert(row.get(1)?, row.get(2)?);
        }
        Ok(balances)
    }

    fn check_vouchers(
        &self,
        earnings: &[Earning],
        problems: &mut Vec<String>,
    ) -> rusqlite::Result<usize> {
        let channels: Vec<Channel> = self
            .connection
            .prepare("SELECT json FROM channel")?
            .query_map([], |row| channel_from(&row.get::<_, String>(0)?))?
            .collect::<rusqlite::Result<_>>()?;
        let vouchers = self.vouchers()?;
        for channel in &channels {
            let mut highest = MicroUsd::ZERO;
            for voucher in vouchers.values().filter(|one| one.channel == channel.id) {
                highest = highest.max(voucher.amount);
                if let Err(error) = channel.verify(voucher, MicroUsd::ZERO) {
                    problems.push(format!("the voucher over {}: {error}", voucher.amount));
                }
            }
            let proven: MicroUsd = earnings
                .iter()
                .filter(|earning| earning.channel.as_ref() == Some(&channel.id))
                .map(|earning| earning.proven)
                .sum();
            if proven != highest {
                problems.push(format!(
                    "channel {}: its highest voucher promises {highest}, its leases' proven earnings make {proven}",
                    channel.id
                ));
            }
        }
        for earning in earnings {
            let proof = earning.channel.clone().zip(earning.voucher);
            let shown = proof.as_ref().and_then(|key| vouchers.get(key));
            if earning.proven > MicroUsd::ZERO && shown.is_none() {
                problems.push(format!(
                    "lease {}: {} are booked as proven, and the voucher is not there",
                    earning.lease, earning.proven
                ));
            }
        }
        Ok(vouchers.len())
    }
}

fn check_lease(
    earning: &Earning,
    balances: Option<&BTreeMap<String, i64>>,
    problems: &mut Vec<String>,
) {
    let lease = &earning.lease;
    let balance = |account: Account| {
        balances
            .and_then(|balances| balances.get(account.name()))
            .copied()
            .unwrap_or(0)
    };
    for (account, expected) in [
        (Account::Income, -signed(earning.figures.gross)),
        (Account::Fee, signed(earning.figures.fee)),
        (Account::Receivable, signed(earning.unproven())),
        (Account::Vouchered, signed(earning.proven)),
        (Account::WrittenOff, signed(earning.written_off)),
    ] {
        let found = balance(account);
        if found != expected {
            problems.push(format!(
                "lease {lease}: the journal's {} is {found} micro-USD, the lease's own figure {expected}",
                account.name()
            ));
        }
    }
    if earning.figures != earning.figures_at(earning.used_ms) {
        problems.push(format!(
            "lease {lease}: its figures do not follow from {} ms at its price",
            earning.used_ms
        ));
    }
    if earning.proven != earning.figures_at(earning.paid_ms).net {
        problems.push(format!(
            "lease {lease}: {} are booked as proven, {} ms are paid, and these do not agree",
            earning.proven, earning.paid_ms
        ));
    }
    if earning.closed && earning.unproven() > MicroUsd::ZERO {
        problems.push(format!(
            "lease {lease}: closed, and {} are neither proven nor written off",
            earning.unproven()
        ));
    }
}
