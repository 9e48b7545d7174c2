//! The wallet as CSV (RFC 4180), for a spreadsheet or a tax form.

use jiff::Timestamp;
use sublet_protocol::local::{Earning, Wallet};
use sublet_protocol::money::MicroUsd;

const HEAD: &str =
    "lease,name,at,used_seconds,usd_per_hour,gross_usd,fee_usd,net_usd,proven_usd,voucher_usd";

/// One line per earning, newest first, amounts in US dollars with six decimals, times in UTC.
pub fn csv(wallet: &Wallet) -> String {
    let mut text = String::from(HEAD);
    text.push_str("\r\n");
    for earning in &wallet.earnings {
        text.push_str(&line(earning));
        text.push_str("\r\n");
    }
    text
}

fn line(earning: &Earning) -> String {
    let at = i64::try_from(earning.at_ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .map(|at| at.to_string())
        .unwrap_or_default();
    [
        cell(earning.lease.as_str()),
        cell(&earning.name),
        at,
        format!("{}.{:03}", earning.used_ms / 1000, earning.used_ms % 1000),
        usd(earning.price.0),
        usd(earning.gross),
        usd(earning.fee),
        usd(earning.net),
        usd(earning.proven),
        earning.voucher.map(usd).unwrap_or_default(),
    ]
    .join(",")
}

fn usd(amount: MicroUsd) -> String {
    format!("{}.{:06}", amount.0 / 1_000_000, amount.0 % 1_000_000)
}

/// A renter chose the name: a leading `=`, `+`, `-` or `@` would be a formula to a spreadsheet.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_are_never_formulas() {
        assert_eq!(cell("plain"), "plain");
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(cell("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(usd(MicroUsd(1_004_217)), "1.004217");
    }
}
