//! The wallet as a table for a spreadsheet or a tax adviser.

use std::fmt::Write;

use sublet_protocol::money::MicroUsd;

use super::view::Book;

const HEADER: &str = "ended_at,lease,job,used_ms,price_usd_per_hour,gross_usd,fee_usd,net_usd,proven_usd,\
                      unproven_usd,written_off_usd,channel,voucher_usd,voucher_signature\r\n";

impl Book<'_> {
    /// Every earning, newest first, as CSV (RFC 4180): times in UTC, amounts in US dollars with six decimals, and
    /// the voucher that proves each.
    pub fn export_csv(&self) -> rusqlite::Result<String> {
        let vouchers = self.vouchers()?;
        let mut csv = HEADER.to_owned();
        for row in self.earnings()? {
            let proof = row
                .channel
                .clone()
                .zip(row.voucher)
                .and_then(|key| vouchers.get(&key));
            let cells = [
                time(row.at_ms),
                row.lease.to_string(),
                row.name.clone(),
                row.used_ms.to_string(),
                usd(row.price.0),
                usd(row.figures.gross),
                usd(row.figures.fee),
                usd(row.figures.net),
                usd(row.proven),
                usd(row.unproven()),
                usd(row.written_off),
                proof
                    .map(|voucher| voucher.channel.clone())
                    .unwrap_or_default(),
                proof.map(|voucher| usd(voucher.amount)).unwrap_or_default(),
                proof
                    .map(|voucher| voucher.signature.clone())
                    .unwrap_or_default(),
            ];
            for (index, value) in cells.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                // Writing to a String cannot fail.
                let _ = write!(csv, "{comma}{}", cell(value));
            }
            csv.push_str("\r\n");
        }
        Ok(csv)
    }
}

fn usd(amount: MicroUsd) -> String {
    format!("{}.{:06}", amount.0 / 1_000_000, amount.0 % 1_000_000)
}

fn time(at_ms: u64) -> String {
    i64::try_from(at_ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map(|at| at.to_string())
        .unwrap_or_default()
}

/// Quoted where it must be. A job's name is a stranger's text: one that a spreadsheet would take for a formula
/// gets an apostrophe in front.
fn cell(value: &str) -> String {
    let guarded = if value.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{value}")
    } else {
        value.to_owned()
    };
    if guarded.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_disarmed() {
        assert_eq!(cell("render"), "render");
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(usd(MicroUsd(4_217)), "0.004217");
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
    }
}
