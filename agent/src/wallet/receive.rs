//! A voucher comes in. Everything is checked before anything is written, so a refused one leaves no trace.

use std::collections::BTreeMap;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, params};
use sublet_protocol::ids::LeaseId;
use sublet_protocol::money::MicroUsd;
use sublet_protocol::voucher::{Channel, SignedVoucher, VoucherLine, VoucherStatement};

use super::earning::{Earning, money};
use super::journal::{Account, Kind, Transfer, post, signed, stored};
use super::{Applied, LARGEST, WalletError};

pub(super) fn receive(
    connection: &Connection,
    statement: &VoucherStatement,
    channel: &Channel,
    at_ms: u64,
) -> rusqlite::Result<Result<Applied, WalletError>> {
    let known = channel_held(connection, &channel.id)?;
    if known.as_ref().is_some_and(|known| known != channel) {
        return Ok(Err(WalletError::ChannelChanged(channel.id.clone())));
    }
    let highest = highest(connection, &channel.id)?;
    let held = highest
        .as_ref()
        .map_or(MicroUsd::ZERO, |voucher| voucher.amount);
    let mut earnings = BTreeMap::new();
    for line in &statement.lines {
        if let Some(earning) = Earning::load(connection, &line.lease)? {
            earnings.insert(line.lease.clone(), earning);
        }
    }
    let proven = proven_by(connection, &channel.id)?;
    let steps = match check(statement, channel, held, proven, &earnings) {
        Ok(steps) => steps,
        Err(refusal) => return Ok(Err(refusal)),
    };

    let new_voucher = highest.is_none_or(|highest| highest.amount < statement.voucher.amount);
    if known.is_none() {
        keep_channel(connection, channel)?;
    }
    if new_voucher {
        keep_voucher(connection, &statement.voucher, at_ms)?;
    }
    let mut changed = new_voucher;
    for step in steps {
        changed |= take(connection, step, &statement.voucher, at_ms)?;
    }
    if new_voucher {
        forget_lower(connection, &statement.voucher)?;
    }
    Ok(Ok(if changed {
        Applied::Changed
    } else {
        Applied::Unchanged
    }))
}

/// A line that holds, beside what is known of its lease.
struct Step<'a> {
    line: &'a VoucherLine,
    earning: &'a Earning,
}

/// Whether signature, every line and the sum hold. Pure.
fn check<'a>(
    statement: &'a VoucherStatement,
    channel: &Channel,
    held: MicroUsd,
    proven: MicroUsd,
    earnings: &'a BTreeMap<LeaseId, Earning>,
) -> Result<Vec<Step<'a>>, WalletError> {
    channel.verify(&statement.voucher, held)?;
    if statement.voucher.amount.0 > LARGEST {
        return Err(WalletError::TooLarge("the voucher"));
    }
    let mut steps: Vec<Step<'_>> = Vec::new();
    let mut sum = proven;
    for line in &statement.lines {
        if steps.iter().any(|step| step.line.lease == line.lease) {
            return Err(WalletError::ListedTwice(line.lease.clone()));
        }
        let Some(earning) = earnings.get(&line.lease) else {
            // A lease that was granted and has not run yet: listed, with nothing in it.
            if line.paid_ms == 0 && line.net == MicroUsd::ZERO {
                continue;
            }
            return Err(WalletError::UnknownLease(line.lease.clone()));
        };
        check_line(line, earning, &channel.id)?;
        let grown = line.net.saturating_sub(earning.proven);
        sum = sum.saturating_add(grown);
        steps.push(Step { line, earning });
    }
    if sum != statement.voucher.amount {
        return Err(WalletError::WrongSum {
            voucher: statement.voucher.amount,
            lines: sum,
        });
    }
    Ok(steps)
}

fn check_line(line: &VoucherLine, earning: &Earning, channel: &str) -> Result<(), WalletError> {
    let lease = || line.lease.clone();
    if earning.channel.as_ref().is_some_and(|held| held != channel) {
        return Err(WalletError::OtherChannel(lease()));
    }
    if line.paid_ms > earning.used_ms {
        return Err(WalletError::MoreThanMetered {
            lease: lease(),
            paid_ms: line.paid_ms,
            used_ms: earning.used_ms,
        });
    }
    if line.paid_ms < earning.paid_ms {
        return Err(WalletError::Shrunk {
            lease: lease(),
            held_ms: earning.paid_ms,
            found_ms: line.paid_ms,
        });
    }
    let ours = earning.figures_at(line.paid_ms);
    for (what, expected, found) in [
        ("gross", ours.gross, line.gross),
        ("fee", ours.fee, line.fee),
        ("net", ours.net, line.net),
    ] {
        if expected != found {
            return Err(WalletError::WrongFigure {
                lease: lease(),
                what,
                expected,
                found,
            });
        }
    }
    Ok(())
}

/// Takes a checked line in; whether anything changed.
fn take(
    connection: &Connection,
    step: Step<'_>,
    voucher: &SignedVoucher,
    at_ms: u64,
) -> rusqlite::Result<bool> {
    let Step { line, earning } = step;
    let mut after = earning.clone();
    let grown = line.net.saturating_sub(earning.proven);
    // What was written off too early comes back last.
    let waiting = grown.min(earning.unproven());
    let brought_back = grown.saturating_sub(waiting);
    after.paid_ms = line.paid_ms;
    after.proven = line.net;
    after.written_off = earning.written_off.saturating_sub(brought_back);
    after.settled |= line.last;
    after.channel = Some(voucher.channel.clone());
    if grown > MicroUsd::ZERO {
        after.voucher = Some(voucher.amount);
    }
    if after == *earning {
        return Ok(false);
    }
    after.save(connection)?;
    let transfers = [
        Transfer {
            from: Account::Receivable,
            to: Account::Vouchered,
            amount: waiting,
        },
        Transfer {
            from: Account::WrittenOff,
            to: Account::Vouchered,
            amount: brought_back,
        },
    ];
    post(connection, &line.lease, Kind::Receive, at_ms, &transfers)?;
    Ok(true)
}

fn channel_held(connection: &Connection, id: &str) -> rusqlite::Result<Option<Channel>> {
    connection
        .prepare_cached("SELECT json FROM channel WHERE id = ?1")?
        .query_row([id], |row| row.get::<_, String>(0))
        .optional()?
        .map(|json| channel_from(&json))
        .transpose()
}

/// A channel as the database keeps it.
pub(super) fn channel_from(json: &str) -> rusqlite::Result<Channel> {
    serde_json::from_str(json)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into()))
}

fn keep_channel(connection: &Connection, channel: &Channel) -> rusqlite::Result<()> {
    let json = serde_json::to_string(channel)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    connection
        .prepare_cached("INSERT INTO channel (id, json) VALUES (?1, ?2)")?
        .execute([&channel.id, &json])?;
    Ok(())
}

/// The highest voucher of a channel.
pub(super) fn highest(
    connection: &Connection,
    channel: &str,
) -> rusqlite::Result<Option<SignedVoucher>> {
    connection
        .prepare_cached(
            "SELECT channel, amount, signature FROM voucher WHERE channel = ?1
             ORDER BY amount DESC LIMIT 1",
        )?
        .query_row([channel], |row| {
            Ok(SignedVoucher {
                channel: row.get(0)?,
                amount: money(row, 1)?,
                signature: row.get(2)?,
            })
        })
        .optional()
}

fn proven_by(connection: &Connection, channel: &str) -> rusqlite::Result<MicroUsd> {
    connection
        .prepare_cached("SELECT coalesce(sum(proven), 0) FROM earning WHERE channel = ?1")?
        .query_row([channel], |row| money(row, 0))
}

fn keep_voucher(
    connection: &Connection,
    voucher: &SignedVoucher,
    at_ms: u64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO voucher (channel, amount, signature, at_ms) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            voucher.channel,
            signed(voucher.amount),
            voucher.signature,
            stored(at_ms)
        ])?;
    Ok(())
}

/// Lower vouchers prove nothing that the highest does not, except which one an earning came with.
fn forget_lower(connection: &Connection, highest: &SignedVoucher) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM voucher WHERE channel = ?1 AND amount < ?2 AND NOT EXISTS (
                 SELECT 1 FROM earning
                 WHERE earning.channel = voucher.channel AND earning.voucher = voucher.amount)",
        )?
        .execute(params![highest.channel, signed(highest.amount)])?;
    Ok(())
}
