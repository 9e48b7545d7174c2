//! The wallet: a double-entry ledger of what each lease earned, and the vouchers that prove it.
//!
//! It reckons for itself, from the terms of the grant and the rig's own meter, and believes a marketplace's
//! statement only where both agree to the micro-USD. Every operation is cumulative and idempotent: repeated,
//! it changes nothing. It knows only the database; `store` runs it inside its transactions.
//!
//! | account | holds |
//! |---|---|
//! | `income` | price times time, as a credit (negative) |
//! | `fee` | the marketplace's share of it |
//! | `receivable` | net, metered here, no voucher yet |
//! | `vouchered` | net, proven by a voucher |
//! | `written_off` | net, metered here, but the lease was closed without paying it |

mod accrue;
mod audit;
mod close;
mod earning;
mod export;
mod journal;
mod period;
mod receive;
#[cfg(test)]
pub(crate) mod tests;
mod view;

pub use audit::Audit;
pub use view::Book;

use rusqlite::Connection;
use sublet_protocol::ids::LeaseId;
use sublet_protocol::money::{BasisPoints, HourlyPrice, MicroUsd};
use sublet_protocol::voucher::{Channel, VoucherError, VoucherStatement};

/// The largest figure of one lease or voucher, in micro-USD or ms: 2^53, nine billion dollars, so that a sum over
/// a thousand such leases still fits a 64-bit integer.
pub const LARGEST: u64 = 1 << 53;

/// One thing that happens in the wallet. `at_ms` is the wall clock, ms since 1970.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// Brings a lease's metered figures up to `used_ms`; a lower one changes nothing.
    Accrue {
        /// Which lease.
        lease: LeaseId,
        /// The job's name, for people.
        name: String,
        /// What an hour pays, from the grant.
        price: HourlyPrice,
        /// The marketplace's share of it, from the grant.
        fee: BasisPoints,
        /// Running time since the lease began, in ms.
        used_ms: u64,
        /// When.
        at_ms: u64,
    },
    /// Takes a voucher, and moves what it proves from receivable to vouchered.
    Receive {
        /// What the marketplace sent.
        statement: VoucherStatement,
        /// The channel that was pinned for that marketplace.
        channel: Channel,
        /// When.
        at_ms: u64,
    },
    /// The marketplace is done with a lease: what is unproven of it is written off. A voucher that comes late
    /// brings it back.
    Close {
        /// Which lease.
        lease: LeaseId,
        /// When.
        at_ms: u64,
    },
}

/// What an accepted entry did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The wallet changed.
    Changed,
    /// It already was so.
    Unchanged,
}

/// Why an entry was refused. The wallet is as it was before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalletError {
    /// The voucher is not this channel's, not signed, or lower than the one held.
    #[error(transparent)]
    Voucher(#[from] VoucherError),
    /// The same channel id with another payer or domain.
    #[error(
        "the marketplace changed what channel {0} is bound to; the voucher was refused, and those held stay good"
    )]
    ChannelChanged(String),
    /// Two leases' worth of terms under one id.
    #[error("lease {0} was accrued at another price or fee before; terms are fixed by the grant")]
    TermsChanged(LeaseId),
    /// A line for a lease that this rig never ran.
    #[error("the statement pays lease {0}, which this rig never ran")]
    UnknownLease(LeaseId),
    /// The lease is paid by another channel.
    #[error("the statement pays lease {0}, which another channel pays")]
    OtherChannel(LeaseId),
    /// The same lease twice.
    #[error("the statement lists lease {0} twice")]
    ListedTwice(LeaseId),
    /// More time than was metered here.
    #[error(
        "the statement pays {paid_ms} ms of lease {lease}, and only {used_ms} ms were metered here"
    )]
    MoreThanMetered {
        /// Which lease.
        lease: LeaseId,
        /// What the statement says.
        paid_ms: u64,
        /// What our meter says.
        used_ms: u64,
    },
    /// Less time than an earlier statement paid.
    #[error("the statement pays {found_ms} ms of lease {lease}, and {held_ms} ms were paid before")]
    Shrunk {
        /// Which lease.
        lease: LeaseId,
        /// What was paid before.
        held_ms: u64,
        /// What the statement says.
        found_ms: u64,
    },
    /// Figures that do not follow from the grant.
    #[error(
        "the statement's {what} for lease {lease} is {found}; by the lease's terms it is {expected}"
    )]
    WrongFigure {
        /// Which lease.
        lease: LeaseId,
        /// gross, fee or net.
        what: &'static str,
        /// Reckoned here.
        expected: MicroUsd,
        /// The statement's.
        found: MicroUsd,
    },
    /// The voucher is not what its lines add up to.
    #[error("the voucher promises {voucher}; all leases together make {lines}")]
    WrongSum {
        /// The voucher's amount.
        voucher: MicroUsd,
        /// The sum over all leases of the channel.
        lines: MicroUsd,
    },
    /// Beyond [`LARGEST`].
    #[error("{0} is more than a wallet can hold; the entry was refused")]
    TooLarge(&'static str),
}

/// Takes one entry in, within the caller's transaction. The inner result is the entry's own; the outer is the
/// database's, and spoils the transaction.
pub fn apply(
    connection: &Connection,
    entry: &Entry,
) -> rusqlite::Result<Result<Applied, WalletError>> {
    match entry {
        Entry::Accrue {
            lease,
            name,
            price,
            fee,
            used_ms,
            at_ms,
        } => {
            let terms = accrue::Terms {
                name,
                price: *price,
                fee: *fee,
            };
            accrue::accrue(connection, lease, &terms, *used_ms, *at_ms)
        }
        Entry::Receive {
            statement,
            channel,
            at_ms,
        } => receive::receive(connection, statement, channel, *at_ms),
        Entry::Close { lease, at_ms } => close::close(connection, lease, *at_ms).map(Ok),
    }
}
