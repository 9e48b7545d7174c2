//! `serve`: the marketplace itself.

use super::{CliError, HERE, say};
use crate::app::{Config, Timing};
use crate::serve::Market;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use sublet_protocol::money::BasisPoints;
use sublet_protocol::voucher::VoucherDomain;

/// Where vouchers are redeemed until a contract is deployed: nowhere.
const NO_CONTRACT: &str = "0x0000000000000000000000000000000000000000";

#[derive(Args)]
pub struct Serve {
    /// The folder that keeps everything
    #[arg(long, env = "SUBLET_MARKET_DATA", value_name = "DIR")]
    data: PathBuf,
    /// Where to listen; port 0 takes any free one
    #[arg(long, default_value = HERE, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// What the house keeps of each price
    #[arg(long, default_value = "5%", value_parser = fee, value_name = "PER CENT")]
    fee: BasisPoints,
    /// The marketplace's name; rigs sign for it, so it must not change
    #[arg(long, default_value = "sublet-market", value_name = "NAME")]
    audience: String,
    /// The chain that vouchers are bound to
    #[arg(long, default_value_t = 31337, value_name = "ID")]
    chain_id: u64,
    /// The contract that vouchers are bound to
    #[arg(long, default_value = NO_CONTRACT, value_name = "0x…")]
    contract: String,
    /// The largest blob that is taken, in bytes
    #[arg(long, default_value_t = 8 << 30, value_name = "BYTES")]
    largest_blob: u64,
    /// How often rigs heartbeat
    #[arg(long, default_value_t = 15_000, value_parser = clap::value_parser!(u64).range(10..), hide_short_help = true)]
    heartbeat_ms: u64,
    /// Silence after which a rig gets no new lease
    #[arg(long, default_value_t = 45_000, value_parser = clap::value_parser!(u64).range(10..), hide_short_help = true)]
    suspect_ms: u64,
    /// Silence after which a rig's leases are given to others; rigs stop by themselves after 80 % of it
    #[arg(long, default_value_t = 90_000, value_parser = clap::value_parser!(u64).range(10..), hide_short_help = true)]
    lost_ms: u64,
    /// How long a rig may take to answer an offer
    #[arg(long, default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(10..), hide_short_help = true)]
    accept_ms: u64,
    /// How long a rig that refused a job is not asked again for it
    #[arg(long, default_value_t = 60_000, hide_short_help = true)]
    refused_ms: u64,
    /// Write each step here, and stand still at the one that is ordered here; for tests of what a crash leaves
    #[arg(long, value_name = "DIR", hide = true)]
    rehearsal: Option<PathBuf>,
    /// Log in JSON, one object a line
    #[arg(long)]
    log_json: bool,
}

/// Reads `5%`, `5`, `7.25%`.
fn fee(text: &str) -> Result<BasisPoints, String> {
    let help = || {
        format!(
            "`{text}` is not a fee: write per cent with at most two decimals, such as 5% or 7.25%"
        )
    };
    let number = text.trim().trim_end_matches('%').trim_end();
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || decimals.len() > 2 || !digits(whole) || !digits(decimals) {
        return Err(help());
    }
    let whole: u16 = whole.parse().map_err(|_| help())?;
    let rest: u16 = format!("{decimals:0<2}").parse().map_err(|_| help())?;
    let points = whole
        .checked_mul(100)
        .and_then(|points| points.checked_add(rest))
        .ok_or_else(help)?;
    BasisPoints::new(points).map_err(|error| error.to_string())
}

impl Serve {
    pub async fn run(self) -> Result<(), CliError> {
        listen_to_the_log(self.log_json);
        if self.suspect_ms > self.lost_ms || self.heartbeat_ms > self.suspect_ms {
            return Err(CliError::Failed(
                "The times must grow: heartbeat, then suspect, then lost.".into(),
            ));
        }
        if let Some(folder) = &self.rehearsal {
            crate::rehearsal::rehearse(folder).map_err(CliError::failed(folder.display()))?;
        }
        let config = Config {
            data: self.data.clone(),
            audience: self.audience,
            fee: self.fee,
            voucher_domain: VoucherDomain {
                name: "Sublet".into(),
                version: "1".into(),
                chain_id: self.chain_id,
                contract: self.contract,
            },
            timing: Timing {
                heartbeat_ms: self.heartbeat_ms,
                suspect_ms: self.suspect_ms,
                lost_ms: self.lost_ms,
                accept_ms: self.accept_ms,
                refused_ms: self.refused_ms,
                ..Timing::default()
            },
            largest_blob: self.largest_blob,
            longest_log: 16 << 20,
        };
        let failed = |error: crate::serve::ServeError| CliError::Failed(error.to_string());
        // Before the address is told: whoever reads it may send the signal at once.
        let stop = stop_signal().map_err(CliError::failed("listening to signals"))?;
        let market = Market::open(config).await.map_err(failed)?;
        let serving = market.serve(self.listen).await.map_err(failed)?;
        let url = format!("http://{}", serving.address);
        let address_file = self.data.join("address");
        crate::keyfile::write_new(&address_file, &url)
            .map_err(CliError::failed(address_file.display()))?;
        say::line(format_args!(
            "sublet-market serves on {url}, fee {}",
            self.fee
        ))?;
        stop.await;
        tracing::info!("closing");
        serving.close().await;
        match std::fs::remove_file(&address_file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(CliError::failed(address_file.display())(error))
            }
            _ => Ok(()),
        }
    }
}

fn listen_to_the_log(json: bool) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("SUBLET_MARKET_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,sublet_market=info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false);
    if json {
        log.json().init();
    } else {
        log.init();
    }
}

#[cfg(unix)]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(windows)]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_shutdown};
    let (mut c, mut b, mut s) = (ctrl_c()?, ctrl_break()?, ctrl_shutdown()?);
    Ok(async move {
        tokio::select! {
            _ = c.recv() => {}
            _ = b.recv() => {}
            _ = s.recv() => {}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fees_read_exactly() {
        for (text, points) in [
            ("5%", 500),
            ("5", 500),
            ("7.25 %", 725),
            ("0%", 0),
            ("100%", 10_000),
        ] {
            assert_eq!(fee(text).unwrap().get(), points, "{text}");
        }
        for bad in ["", "%", "-1%", "5.123%", "101%", "five", "9999999%"] {
            assert!(fee(bad).is_err(), "{bad}");
        }
    }
}
