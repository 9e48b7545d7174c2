//! `sublet run`: the flags of the daemon, and its log.

use crate::settings::{Preset, floor};
use anyhow::Context;
use clap::{Args, ValueEnum};
use std::io::IsTerminal;
use std::path::PathBuf;
use sublet_protocol::money::{HourlyPrice, MicroUsd};
use tracing_subscriber::EnvFilter;

/// What the owner said on the command line. Absent values are the settings' to give.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The data folder, absolute.
    pub data: PathBuf,
    /// The marketplace.
    pub market: Option<url::Url>,
    /// A whole rule of renting, over the settings.
    pub preset: Option<Preset>,
    /// The least for an hour of one GPU.
    pub floor: Option<HourlyPrice>,
    /// Software adapters may be rented.
    pub allow_software_gpu: bool,
    /// A substitute for NVIDIA's management library.
    pub nvml_library: Option<PathBuf>,
    /// The score of cards that only a substitute library shows.
    pub simulated_score: Option<u32>,
    /// How long nobody may have touched anything before mode `away` rents, over the settings, in ms.
    pub away_ms: Option<u64>,
    /// A stand-in for the system's `/sys`, for power supplies.
    pub sys_folder: Option<PathBuf>,
    /// Where crashes are rehearsed: see the crate `sublet-steps`.
    pub rehearsal: Option<PathBuf>,
}

/// Flags of `sublet run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// The marketplace to rent out on, over the settings
    #[arg(long, value_name = "URL", env = "SUBLET_MARKET")]
    market: Option<url::Url>,
    /// The rule of renting, over the settings: gamer, studio, farm or laptop
    #[arg(long, value_name = "PRESET")]
    preset: Option<Preset>,
    /// The least you take for an hour of a GPU, in US dollars, such as 0.35
    #[arg(long, value_name = "USD_PER_HOUR", value_parser = floor)]
    floor: Option<MicroUsd>,
    /// Rent out software adapters too, where the CPU computes; renters are told
    #[arg(long)]
    allow_software_gpu: bool,
    /// Load this library instead of NVIDIA's; it runs with the agent's rights
    #[arg(long, value_name = "PATH", env = "SUBLET_NVML_LIBRARY", hide = true)]
    nvml_library: Option<PathBuf>,
    /// The score of cards that only such a library shows: nothing can be measured on them; for tests
    #[arg(long, value_name = "SCORE", requires = "nvml_library", hide = true)]
    simulated_score: Option<u32>,
    /// Mode `away` begins after so many milliseconds, whatever the settings say; for tests, which cannot wait minutes
    #[arg(long, value_name = "MS", hide = true)]
    away_ms: Option<u64>,
    /// Read power supplies here instead of in /sys; for tests, on machines without a battery
    #[arg(long, value_name = "PATH", hide = true)]
    sys_folder: Option<PathBuf>,
    /// Write each step here, and stand still at the one that is ordered here; for tests of what a crash leaves
    #[arg(long, value_name = "DIR", hide = true)]
    rehearsal: Option<PathBuf>,
    /// How the log on standard error is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// What to log: error, warn, info, debug or trace, or a filter such as info,sublet_agent::market=debug
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people
    Text,
    /// One JSON document a line
    Json,
}

impl RunArgs {
    /// The daemon's options.
    pub fn options(&self, data: PathBuf) -> RunOptions {
        RunOptions {
            data,
            market: self.market.clone(),
            preset: self.preset,
            floor: self.floor.map(HourlyPrice),
            allow_software_gpu: self.allow_software_gpu,
            nvml_library: self.nvml_library.clone(),
            simulated_score: self.simulated_score,
            away_ms: self.away_ms,
            sys_folder: self.sys_folder.clone(),
            rehearsal: self.rehearsal.clone(),
        }
    }

    /// Opens the log on standard error.
    ///
    /// # Errors
    /// A filter that cannot be read.
    pub fn open_log(&self) -> Result<(), anyhow::Error> {
        let filter = EnvFilter::try_new(&self.log)
            .with_context(|| format!("--log {} is not a filter", self.log))?;
        let colour = std::io::stderr().is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(colour);
        let opened = match self.log_format {
            LogFormat::Text => log.try_init(),
            LogFormat::Json => log.json().flatten_event(true).try_init(),
        };
        opened.map_err(|error| anyhow::anyhow!("the log could not be opened: {error}"))
    }
}
