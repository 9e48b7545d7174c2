//! The project's chores. `cargo xtask demo` and `cargo xtask test` need nothing but Rust on a fresh machine: they set
//! up the rest themselves.

mod console;
mod machine;

#[cfg(target_os = "linux")]
mod bench;
#[cfg(target_os = "linux")]
mod cargo_build;
#[cfg(target_os = "linux")]
mod demo;
#[cfg(target_os = "linux")]
mod desktop;
#[cfg(target_os = "linux")]
mod docker;
#[cfg(target_os = "linux")]
mod ground;
#[cfg(target_os = "linux")]
mod http;
#[cfg(target_os = "linux")]
mod image;
#[cfg(target_os = "linux")]
mod interrupt;
#[cfg(target_os = "linux")]
mod leftovers;
#[cfg(target_os = "linux")]
mod mounts;
#[cfg(target_os = "linux")]
mod needs;
#[cfg(target_os = "linux")]
mod packages;
#[cfg(target_os = "linux")]
mod privilege;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod registry;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod temporary;
mod test;
#[cfg(target_os = "linux")]
mod windows;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use console::Console;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Chores of the Sublet project",
    after_help = "Examples:\n  cargo xtask demo\n  cargo xtask test\n  cargo xtask test unit"
)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Take one job the whole way on this machine: offer, lease, container, picture, pay
    Demo(DemoArgs),
    /// Run all tests, or one group of them
    Test(TestArgs),
    /// Measure the figures of docs/benchmarks.md
    Bench(BenchArgs),
}

/// How to set the machine up.
#[derive(Args, Clone, Copy)]
pub struct SetUpArgs {
    /// Install missing system packages without asking (CI=true does the same)
    #[arg(long)]
    yes: bool,
}

/// What the demo takes.
#[derive(Args)]
pub struct DemoArgs {
    #[command(flatten)]
    set_up: SetUpArgs,
    /// Leave everything running at the end, and say how to reach it
    #[arg(long)]
    keep: bool,
}

/// What the tests take.
#[derive(Args)]
pub struct TestArgs {
    /// The group to run; all but `recovery` and `windows` when left out
    group: Option<Group>,
    /// Only tests with this in their names
    #[arg(requires = "group")]
    name: Option<String>,
    #[command(flatten)]
    set_up: SetUpArgs,
}

/// What the benchmarks take.
#[derive(Args)]
pub struct BenchArgs {
    /// The figure to measure; all but `newcomer` when left out
    name: Option<String>,
    /// Exit with code 1 when a figure misses its bar
    #[arg(long)]
    check: bool,
    /// Measure a debug build where that is possible (`desktop`), to try the measurement itself; nothing is written
    #[arg(long, requires = "name")]
    dev: bool,
    #[command(flatten)]
    set_up: SetUpArgs,
}

/// A part of the tests that can be run alone. In this order they run together, the last two aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Group {
    /// The formatting of the Rust code
    Fmt,
    /// Clippy, with warnings denied
    Clippy,
    /// Unit and property tests of every crate
    Unit,
    /// Whole-system tests: real daemon, containers and registry
    System,
    /// Jobs that mean harm, in the sandbox: each must get nothing
    Hostile,
    /// Tests of the pages
    Ui,
    /// The desktop shell: the real window, tray and notifications, in sessions without a screen
    Desktop,
    /// Agent, marketplace and Docker killed at every step of a job's life (only when it is named; with
    /// SUBLET_RECOVERY_EVERY=1 at every moment of every story, which takes long)
    Recovery,
    /// Whether the agent compiles for Windows (Debian 12 only, and only when it is named)
    Windows,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let console = Console::new();
    match carry_out(&cli, &console) {
        Ok(code) => code,
        Err(error) => {
            console.error(&error);
            ExitCode::FAILURE
        }
    }
}

#[cfg(target_os = "linux")]
fn carry_out(cli: &Cli, console: &Console) -> anyhow::Result<ExitCode> {
    machine::supported()?;
    interrupt::listen()?;
    match &cli.chore {
        Chore::Demo(args) => demo::demo(console, args),
        Chore::Test(args) => test::test(console, args),
        Chore::Bench(args) => bench::bench(console, args),
    }
}

#[cfg(not(target_os = "linux"))]
fn carry_out(_: &Cli, _: &Console) -> anyhow::Result<ExitCode> {
    machine::supported()?;
    Ok(ExitCode::FAILURE)
}
