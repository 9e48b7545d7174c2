//! Do wallet and marketplace agree to the micro-USD?

use anyhow::{Context, bail};
use serde_json::Value;

use super::parties::Parties;
use crate::console::Console;

/// Compares what the rig's wallet reckoned with what the marketplace charged and promised.
pub fn agree(console: &Console, parties: &Parties, job: &str) -> anyhow::Result<()> {
    let wallet = parties.sublet_json(["wallet"])?;
    let list = parties.market_json(["ps"], None)?;
    let account = parties.market_json(["account"], None)?;
    let jobs = list
        .as_array()
        .or_else(|| list["jobs"].as_array())
        .context("`ps --json` gave no list")?;
    let view = jobs
        .iter()
        .find(|view| view["job"] == job)
        .context("the job is not listed any more")?;
    let compared = [
        (
            "gross in the wallet, charged by the marketplace",
            &wallet["gross"],
            &view["charged"],
        ),
        (
            "charged for the job, spent by the renter",
            &view["charged"],
            &account["spent"],
        ),
        (
            "net in the wallet, proven by vouchers",
            &wallet["net"],
            &wallet["proven"],
        ),
        (
            "net in the wallet, the voucher's amount",
            &wallet["net"],
            &wallet["voucher"]["amount"],
        ),
        (
            "set aside for the renter's leases, nothing",
            &account["reserved"],
            &Value::from(0),
        ),
        (
            "written off, nothing",
            &wallet["written_off"],
            &Value::from(0),
        ),
    ];
    for (what, left, right) in compared {
        let (left, right) = (figure(what, left)?, figure(what, right)?);
        if left != right {
            bail!("the books do not agree on {what}: {left} and {right} micro-USD");
        }
    }
    let (gross, fee, net) = (
        figure("gross", &wallet["gross"])?,
        figure("fee", &wallet["fee"])?,
        figure("net", &wallet["net"])?,
    );
    if gross == 0 || fee + net != gross {
        bail!("{gross} micro-USD gross are not {fee} fee and {net} net");
    }
    console.say(&format!(
        "Wallet and marketplace agree to the micro-USD: {gross} gross, {fee} fee, {net} net, all of it proven."
    ));
    Ok(())
}

fn figure(what: &str, value: &Value) -> anyhow::Result<u64> {
    value
        .as_u64()
        .with_context(|| format!("{what}: `{value}` is no amount"))
}
