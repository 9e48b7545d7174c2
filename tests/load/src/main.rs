//! `sublet-load bare` serves a bare handler; `sublet-load drive` heartbeats as many rigs, each over a connection of
//! its own, one heartbeat after the other, and prints what came back as one line of JSON.
#![expect(
    clippy::print_stdout,
    reason = "a program of two commands whose output is one line"
)]

mod bare;
mod drive;
mod rig;
mod wire;

use clap::{Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Parser)]
#[command(name = "sublet-load", about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a handler that does nothing but parse a heartbeat; prints its address
    Bare,
    /// Heartbeat as fast as the answers come
    Drive(DriveArgs),
}

#[derive(clap::Args)]
struct DriveArgs {
    /// Where to connect
    #[arg(long)]
    address: SocketAddr,
    /// How many rigs, each with a connection of its own
    #[arg(long, default_value_t = 64)]
    rigs: usize,
    /// How long to measure, after 2 seconds that do not count
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// The server is the bare handler: open no sessions
    #[arg(long)]
    bare: bool,
    /// Let every rig run a lease and sign its meter in each heartbeat; the file holds a renter's token
    #[arg(long, value_name = "TOKEN_FILE")]
    leases: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        // As many threads as the marketplace has: the number of cores.
        Command::Bare => tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?
            .block_on(bare::serve(|address| println!("{address}"))),
        // One thread: the load takes one core, and leaves the rest to the server.
        Command::Drive(args) => {
            let plan = drive::Plan {
                address: args.address,
                rigs: args.rigs,
                warm_up: Duration::from_secs(2),
                measured: Duration::from_secs_f64(args.seconds),
                bare: args.bare,
                renter_token: args
                    .leases
                    .map(std::fs::read_to_string)
                    .transpose()?
                    .map(|token| token.trim().to_owned()),
            };
            let outcome = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?
                .block_on(drive::drive(&plan))?;
            println!("{}", serde_json::to_string(&outcome)?);
            Ok(())
        }
    }
}
