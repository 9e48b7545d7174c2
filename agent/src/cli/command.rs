//! What can be written on the command line.

use super::exit::EXIT_CODES;
use super::run::RunArgs;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;
use sublet_core::simulate::Example;
use sublet_protocol::ids::{GpuId, LeaseId};

/// Rents out your GPU while you do not use it.
#[derive(Debug, Parser)]
#[command(name = "sublet", version, disable_help_subcommand = true, arg_required_else_help = true, after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub struct Cli {
    /// Where the agent keeps everything [default: the system's place for application data]
    #[arg(long, global = true, value_name = "DIR", env = "SUBLET_DATA")]
    pub data: Option<PathBuf>,
    /// What to do
    #[command(subcommand)]
    pub(super) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  sublet run --market https://market.example --floor 0.35
  sublet status
  sublet pause 2h";

/// The commands.
#[derive(Debug, Subcommand)]
#[expect(
    clippy::large_enum_variant,
    reason = "one is made in the life of a process"
)]
pub(super) enum Command {
    /// Start the agent, and stay until it is told to end
    #[command(after_help = with_codes("\
Examples:
  sublet run --market https://market.example
  sublet run --floor 0.35 --log debug
  sublet run --data /srv/sublet --log-format json"))]
    Run(RunArgs),
    /// Is the GPU yours or rented, why, and what did it earn
    #[command(after_help = with_codes("\
Examples:
  sublet status
  sublet status --json | jq -r .sentence"))]
    Status(Format),
    /// The GPUs that were found, with their scores and prices
    #[command(after_help = with_codes("\
Examples:
  sublet gpus
  sublet gpus --json | jq '.gpus[].info.id'"))]
    Gpus(Format),
    /// Measure every GPU
    #[command(after_help = with_codes("\
Examples:
  sublet bench
  sublet bench --last
  sublet bench --json 2>/dev/null"))]
    Bench(BenchArgs),
    /// The jobs that ran here, and what each may reach
    #[command(after_help = with_codes("\
Examples:
  sublet jobs
  sublet jobs --log LEASE --lines 20
  sublet jobs --json | jq '.leases[0].state'"))]
    Jobs(JobsArgs),
    /// What was earned, and what proves it
    #[command(after_help = with_codes("\
Examples:
  sublet wallet
  sublet wallet --csv > earnings.csv
  sublet wallet --json | jq .net"))]
    Wallet(WalletArgs),
    /// What the GPUs did over the last days and why, and what that earned
    #[command(after_help = with_codes("\
Examples:
  sublet history
  sublet history --days 30
  sublet history --days 1 --all
  sublet history --json | jq '.days[].net'"))]
    History(HistoryArgs),
    /// Rent nothing for a while
    #[command(after_help = with_codes("\
Examples:
  sublet pause
  sublet pause 1h30m
  sublet pause until 18:00
  sublet pause until tomorrow
  sublet pause 2h --gpu GPU-7f1c"))]
    Pause(PauseArgs),
    /// End the pause
    #[command(after_help = with_codes("\
Examples:
  sublet resume
  sublet resume --gpu GPU-7f1c
  sublet resume --json"))]
    Resume(ResumeArgs),
    /// What you chose: when it rents, at what price, how warm it may get
    #[command(after_help = with_codes("\
Examples:
  sublet settings
  sublet settings set rent.away_minutes 10
  sublet settings set rent.hours 'mon-fri 22:00 to 08:00' 'sat-sun 10:00 to 20:00'
  sublet settings unset price.floor
  sublet settings preset farm
  sublet settings check settings.toml"))]
    Settings(SettingsArgs),
    /// Look at everything that renting needs; works without the agent too
    #[command(after_help = with_codes("\
Examples:
  sublet doctor
  sublet doctor --json | jq '.checks[] | select(.verdict != \"good\")'"))]
    Doctor(Format),
    /// What would these settings have made of these weeks
    #[command(after_help = with_codes("\
Examples:
  sublet simulate --example gamer > weeks.jsonl
  sublet simulate --trace weeks.jsonl --days
  sublet simulate --trace weeks.jsonl --settings quieter.toml
  sublet simulate --recorded 14 --settings quieter.toml
  sublet simulate --trace weeks.jsonl --json | jq .total.net"))]
    Simulate(SimulateArgs),
    /// Show the pages in a browser, for as long as this command runs
    #[command(after_help = with_codes("\
Examples:
  sublet dashboard
  sublet dashboard --port 0
  ssh -L 7340:127.0.0.1:7340 RIG sublet dashboard"))]
    Dashboard(DashboardArgs),
    /// Write a completion script for a shell
    #[command(after_help = with_codes("\
Examples:
  sublet completions bash > ~/.local/share/bash-completion/completions/sublet
  sublet completions fish > ~/.config/fish/completions/sublet.fish"))]
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Write the reference of the settings
    #[command(hide = true)]
    SettingsReference,
    /// Write where the data folder is and where the agent answers, as JSON (the desktop shell asks)
    #[command(hide = true)]
    Where,
    /// Write the local API's description
    #[command(hide = true)]
    Openapi,
    /// Write the names of the agent's steps, at which a test of crashes can stop it
    #[command(hide = true)]
    Steps,
}

fn with_codes(examples: &str) -> String {
    format!("{examples}\n\n{EXIT_CODES}")
}

/// How the answer is written.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Format {
    /// Write JSON: the local API's own types, which stay stable
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// Show the last results instead of measuring again
    #[arg(long)]
    pub(super) last: bool,
    #[command(flatten)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct JobsArgs {
    /// Show the end of what this lease's job wrote
    #[arg(long, value_name = "LEASE")]
    pub(super) log: Option<LeaseId>,
    /// How many lines of it
    #[arg(long, value_name = "N", default_value_t = 100, requires = "log", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) lines: u32,
    #[command(flatten)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct WalletArgs {
    /// Write every earning as CSV
    #[arg(long, conflicts_with = "json")]
    pub(super) csv: bool,
    #[command(flatten)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// How many days, today included
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=90))]
    pub(super) days: u32,
    /// List everything that each GPU did, and why
    #[arg(long, conflicts_with = "json")]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct SettingsArgs {
    /// What to do with them; nothing shows them
    #[command(subcommand)]
    pub(super) command: Option<SettingsCommand>,
    /// Write JSON: the local API's own types, which stay stable
    #[arg(long, global = true)]
    pub(super) json: bool,
}

/// What is done with the settings.
#[derive(Debug, Subcommand)]
pub(super) enum SettingsCommand {
    /// Choose a value; comments and order of the file stay
    #[command(after_help = with_codes("\
Examples:
  sublet settings set rent.mode gpu-idle
  sublet settings set price.floor 0.35
  sublet settings set programs.exclusive blender /opt/games
  sublet settings set price.bands '22:00 to 06:00 0.18'
  sublet settings set gpu.GPU-7f1c.heat.hot_c 78"))]
    Set {
        /// Which, such as rent.away_minutes
        key: String,
        /// What it shall be; lists take several
        #[arg(required = true, value_name = "VALUE", allow_negative_numbers = true)]
        values: Vec<String>,
    },
    /// Go back to the default
    #[command(after_help = with_codes("\
Examples:
  sublet settings unset rent.away_minutes
  sublet settings unset gpu.GPU-7f1c.floor"))]
    Unset {
        /// Which, such as rent.away_minutes
        key: String,
    },
    /// Look whether a file would hold; it is not used
    #[command(after_help = with_codes("\
Examples:
  sublet settings check settings.toml"))]
    Check {
        /// Which
        file: PathBuf,
    },
    /// Take a whole rule: gamer, studio, farm or laptop; nothing lists them
    #[command(after_help = with_codes("\
Examples:
  sublet settings preset
  sublet settings preset gamer
  sublet settings preset laptop --dry-run"))]
    Preset {
        /// Which
        name: Option<String>,
        /// Show what would change, and change nothing
        #[arg(long, requires = "name")]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    /// The weeks to replay; docs/operations.md describes the file
    #[arg(long, value_name = "FILE")]
    pub(super) trace: Option<PathBuf>,
    /// Replay what the agent recorded of the last days instead
    #[arg(long, value_name = "DAYS", conflicts_with = "trace", num_args = 0..=1, default_missing_value = "28", value_parser = clap::value_parser!(u32).range(1..=90))]
    pub(super) recorded: Option<u32>,
    /// The settings to try [default: settings.toml in the data folder]
    #[arg(long, value_name = "FILE", conflicts_with = "example")]
    pub(super) settings: Option<PathBuf>,
    /// Draw every day, half an hour a shape
    #[arg(long, conflicts_with = "example")]
    pub(super) days: bool,
    /// Write four made-up weeks of a gamer, studio, farm or laptop instead
    #[arg(long, value_name = "KIND", conflicts_with_all = ["trace", "recorded"], value_parser = super::simulate::example)]
    pub(super) example: Option<Example>,
    /// Which weeks it makes up
    #[arg(long, value_name = "N", default_value_t = 1, requires = "example")]
    pub(super) seed: u64,
    #[command(flatten)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct DashboardArgs {
    /// The port on this machine's loopback address; 0 is any free one
    #[arg(long, value_name = "N", default_value_t = 7340)]
    pub(super) port: u16,
    /// The folder of the built pages [default: ui beside this program, or ../share/sublet/ui]
    #[arg(long, value_name = "DIR")]
    pub(super) pages: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct PauseArgs {
    /// How long: 30m, 1h30m, 3 days, until 18:00, until tomorrow; nothing is until you resume
    #[arg(value_name = "TIME")]
    pub(super) time: Vec<String>,
    /// Only this GPU; `sublet gpus` lists them
    #[arg(long, value_name = "GPU")]
    pub(super) gpu: Option<GpuId>,
    #[command(flatten)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// Only this GPU; without it, every pause ends
    #[arg(long, value_name = "GPU")]
    pub(super) gpu: Option<GpuId>,
    #[command(flatten)]
    pub(super) format: Format,
}
