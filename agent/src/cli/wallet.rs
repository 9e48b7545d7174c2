//! `sublet wallet`: what was earned, and what proves it.

use super::look::{Look, QUIET};
use super::page::{Align, Cell, Page, Table};
use super::words;
use sublet_protocol::local::{Earning, Wallet};
use sublet_protocol::money::MicroUsd;

/// The page.
pub fn render(wallet: &Wallet, look: &Look) -> String {
    let mut page = Page::led_by(look, &sentence(wallet));
    if wallet.earnings.is_empty() && wallet.gross == MicroUsd::ZERO {
        page.quiet("Each second that a job runs earns its price, less the marketplace's fee.");
        page.hint("`sublet status` says whether your GPUs are on offer.");
        return page.finish();
    }
    page.space();
    page.table(&sums(wallet));
    if let Some(address) = &wallet.payout_address {
        page.space();
        page.quiet(&format!("Vouchers are payable to {address}."));
    }
    if !wallet.earnings.is_empty() {
        page.space();
        page.table(&earnings(&wallet.earnings, look));
    }
    page.hint("`sublet wallet --csv` exports every earning.");
    page.finish()
}

fn sentence(wallet: &Wallet) -> String {
    if wallet.net == MicroUsd::ZERO {
        return "Nothing was earned yet.".to_owned();
    }
    format!(
        "You earned {} in all; {} of it is proven by a voucher.",
        wallet.net, wallet.proven
    )
}

fn sums(wallet: &Wallet) -> Table {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Point), ("", Align::Left)]);
    let mut line = |name: &str, amount: MicroUsd, meaning: &str| {
        table.row([
            Cell::from(name),
            Cell::from(amount),
            Cell::styled(meaning, QUIET),
        ]);
    };
    line("Gross", wallet.gross, "price times running time");
    line("Fee", wallet.fee, "kept by the marketplace");
    line("Net", wallet.net, "yours");
    line("Proven", wallet.proven, "promised in a signed voucher");
    line("Unproven", wallet.unproven, "metered here, no voucher yet");
    if wallet.written_off > MicroUsd::ZERO {
        line(
            "Written off",
            wallet.written_off,
            "metered here, closed by the marketplace without payment",
        );
    }
    line("Today", wallet.today, "net, since midnight");
    table
}

fn earnings(earnings: &[Earning], look: &Look) -> Table {
    let mut table = Table::new(&[
        ("job", Align::Left),
        ("lease", Align::Left),
        ("until", Align::Left),
        ("used", Align::Right),
        ("price", Align::Point),
        ("gross", Align::Point),
        ("fee", Align::Point),
        ("net", Align::Point),
        ("proven", Align::Point),
    ]);
    for earning in earnings {
        table.row([
            Cell::from(&earning.name),
            Cell::from(&earning.lease),
            Cell::from(words::moment(earning.at_ms, look)),
            Cell::from(words::duration(earning.used_ms)),
            Cell::from(earning.price),
            Cell::from(earning.gross),
            Cell::from(earning.fee),
            Cell::from(earning.net),
            Cell::from(earning.proven),
        ]);
    }
    table
}
