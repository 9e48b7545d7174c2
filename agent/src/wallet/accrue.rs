//! The meter runs: a lease's figures grow to what its running time makes.

use rusqlite::Connection;
use sublet_protocol::ids::LeaseId;
use sublet_protocol::money::{BasisPoints, HourlyPrice, MicroUsd};

use super::earning::{Earning, Figures};
use super::journal::{Account, Kind, Transfer, post};
use super::{Applied, LARGEST, WalletError, close};

/// What the grant fixed.
pub(super) struct Terms<'a> {
    pub(super) name: &'a str,
    pub(super) price: HourlyPrice,
    pub(super) fee: BasisPoints,
}

pub(super) fn accrue(
    connection: &Connection,
    lease: &LeaseId,
    terms: &Terms<'_>,
    used_ms: u64,
    at_ms: u64,
) -> rusqlite::Result<Result<Applied, WalletError>> {
    let held = Earning::load(connection, lease)?;
    if let Some(held) = &held
        && (held.price, held.fee_points) != (terms.price, terms.fee)
    {
        return Ok(Err(WalletError::TermsChanged(lease.clone())));
    }
    if held.as_ref().is_some_and(|held| used_ms <= held.used_ms) {
        return Ok(Ok(Applied::Unchanged));
    }
    let figures = Figures::of(terms.price, terms.fee, used_ms);
    for (what, figure) in [
        ("the price", terms.price.0.0),
        ("the running time", used_ms),
        ("the amount", figures.gross.0),
        ("the time of day", at_ms),
    ] {
        if figure > LARGEST {
            return Ok(Err(WalletError::TooLarge(what)));
        }
    }

    let mut earning = held.unwrap_or_else(|| unpaid(lease, terms));
    let before = earning.figures;
    earning.used_ms = used_ms;
    earning.at_ms = earning.at_ms.max(at_ms);
    earning.figures = figures;
    earning.save(connection)?;
    let grown = |after: MicroUsd, before: MicroUsd| after.saturating_sub(before);
    post(
        connection,
        lease,
        Kind::Accrue,
        at_ms,
        &[
            Transfer {
                from: Account::Income,
                to: Account::Receivable,
                amount: grown(figures.net, before.net),
            },
            Transfer {
                from: Account::Income,
                to: Account::Fee,
                amount: grown(figures.fee, before.fee),
            },
        ],
    )?;
    if earning.closed {
        close::write_off(connection, &mut earning, at_ms)?;
    }
    Ok(Ok(Applied::Changed))
}

fn unpaid(lease: &LeaseId, terms: &Terms<'_>) -> Earning {
    Earning {
        lease: lease.clone(),
        name: terms.name.to_owned(),
        price: terms.price,
        fee_points: terms.fee,
        at_ms: 0,
        used_ms: 0,
        paid_ms: 0,
        figures: Figures::of(terms.price, terms.fee, 0),
        proven: MicroUsd::ZERO,
        written_off: MicroUsd::ZERO,
        channel: None,
        voucher: None,
        settled: false,
        closed: false,
    }
}
