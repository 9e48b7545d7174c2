//! The command line: the operator's `serve` and `topup`, and the renter's commands.

mod account;
mod cancel;
mod client;
mod describe;
mod fetch;
mod import;
mod inputs;
mod logs;
mod ps;
mod say;
mod serve;
mod submit;
mod topup;

use clap::{Args, CommandFactory, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use sublet_protocol::problem::Problem;

/// Where a marketplace listens, and is looked for, unless it is said otherwise.
const HERE: &str = "127.0.0.1:7480";

const EXIT_CODES: &str = "Exit codes:
  0  done
  1  failed, or refused by the marketplace (the message says why)
  2  the command line was not understood
  3  the marketplace could not be reached
  4  the job ended without success";

/// The reference marketplace of Sublet, and the renter's command line.
#[derive(Parser)]
#[command(name = "sublet-market", version, about, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the marketplace
    #[command(after_help = "Examples:
  sublet-market serve --data /var/lib/sublet-market
  sublet-market serve --data ./market --listen 127.0.0.1:0 --fee 7.5%

Prints one line with its address when it is ready, and writes the address to DATA/address.
Ends on Ctrl-C or SIGTERM after finishing what is under way.")]
    Serve(serve::Serve),
    /// Bring money into a renter's account, as the operator; opens the account if it is new
    #[command(after_help = "Examples:
  sublet-market topup alice 20 --data /var/lib/sublet-market
  sublet-market topup alice 0 --new-token --data ./market

Works beside a running server. The token of a new account lies in DATA/renters/RENTER.token.")]
    Topup(topup::Topup),
    /// Submit a job
    #[command(after_help = "Examples:
  sublet-market submit job.yaml
  sublet-market submit job.yaml --wait && echo done")]
    Submit(submit::Submit),
    /// Check a job file without submitting it
    #[command(after_help = "Examples:
  sublet-market validate job.yaml")]
    Validate(submit::Validate),
    /// Print a deployment made for Akash as a job file
    #[command(after_help = "Examples:
  sublet-market import deploy.yaml --price 0.40 > job.yaml

What has no counterpart is refused, each with its place and the reason. What means something else here is told.")]
    Import(import::Import),
    /// Print the JSON Schema of a job file, for editors
    #[command(after_help = "Examples:
  sublet-market schema > job.schema.json

An editor with a YAML language server reads it where the job file begins with
  # yaml-language-server: $schema=job.schema.json")]
    Schema,
    /// Show jobs, or one of them
    #[command(after_help = "Examples:
  sublet-market ps
  sublet-market ps job-1f2e3d4c5b6a7980 --json")]
    Ps(ps::Ps),
    /// Show what a job prints
    #[command(after_help = "Examples:
  sublet-market logs job-1f2e3d4c5b6a7980 --follow")]
    Logs(logs::Logs),
    /// Download what a job made, checked against its hashes
    #[command(after_help = "Examples:
  sublet-market fetch job-1f2e3d4c5b6a7980 --out ./results

A download that broke off is resumed by the same command.")]
    Fetch(fetch::Fetch),
    /// Cancel a job
    #[command(after_help = "Examples:
  sublet-market cancel job-1f2e3d4c5b6a7980")]
    Cancel(cancel::Cancel),
    /// Show how the account stands
    #[command(after_help = "Examples:
  sublet-market account --json")]
    Account(account::Account),
    /// Print the completions of a shell
    #[command(after_help = "Examples:
  sublet-market completions bash > /etc/bash_completion.d/sublet-market")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the description of the HTTP API
    Openapi,
    /// Print the names of the marketplace's steps, at which a test of crashes can stop it
    #[command(hide = true)]
    Steps,
    /// Check the books of a marketplace: what must hold of money and leases
    #[command(hide = true)]
    Audit {
        /// Its folder
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
}

/// Where the marketplace is, and who asks.
#[derive(Args, Clone)]
struct Access {
    /// The marketplace's address
    #[arg(long, env = "SUBLET_MARKET_URL", default_value_t = format!("http://{HERE}"), value_name = "URL")]
    url: String,
    /// The file with the account's token, from the operator
    #[arg(long, env = "SUBLET_MARKET_TOKEN_FILE", value_name = "FILE")]
    token_file: PathBuf,
}

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
enum CliError {
    /// The marketplace said no.
    #[error("{0}")]
    Refused(Problem),
    /// Something here did not work.
    #[error("{0}")]
    Failed(String),
    /// Nobody answers.
    #[error("{0}")]
    Unreachable(String),
    /// The job is over, and has not succeeded.
    #[error("{0}")]
    JobEnded(String),
}

impl CliError {
    fn exit(&self) -> u8 {
        match self {
            Self::Refused(_) | Self::Failed(_) => 1,
            Self::Unreachable(_) => 3,
            Self::JobEnded(_) => 4,
        }
    }

    /// A failure here, with what was being done.
    fn failed<E: std::fmt::Display>(doing: impl std::fmt::Display) -> impl FnOnce(E) -> Self {
        move |error| Self::Failed(format!("{doing}: {error}"))
    }
}

impl From<crate::fault::Fault> for CliError {
    fn from(fault: crate::fault::Fault) -> Self {
        match fault {
            crate::fault::Fault::Refused(problem) => Self::Refused(*problem),
            other => Self::Failed(other.to_string()),
        }
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(cli.command)),
        Err(error) => Err(CliError::Failed(format!(
            "threads could not be started: {error}"
        ))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::trouble(&error);
            ExitCode::from(error.exit())
        }
    }
}

async fn run(command: Command) -> Result<(), CliError> {
    match command {
        Command::Serve(serve) => serve.run().await,
        Command::Topup(topup) => topup.run().await,
        Command::Submit(submit) => submit.run().await,
        Command::Validate(validate) => validate.run().await,
        Command::Import(import) => import.run(),
        Command::Schema => import::schema(),
        Command::Ps(ps) => ps.run().await,
        Command::Logs(logs) => logs.run().await,
        Command::Fetch(fetch) => fetch.run().await,
        Command::Cancel(cancel) => cancel.run().await,
        Command::Account(account) => account.run().await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "sublet-market", &mut script);
            say::raw(&script)
        }
        Command::Openapi => {
            let text = crate::openapi::text().map_err(CliError::failed("writing the document"))?;
            say::raw(text.as_bytes())
        }
        Command::Steps => say::raw((crate::rehearsal::all().join("\n") + "\n").as_bytes()),
        Command::Audit { data } => audit(&data).await,
    }
}

/// Names whatever breaks a rule of the books, and fails then.
async fn audit(data: &std::path::Path) -> Result<(), CliError> {
    let file = data.join("market.sqlite");
    let books = crate::db::readers(&file)
        .await
        .map_err(CliError::failed(file.display()))?;
    let found = crate::ledger::audit::faults(&books)
        .await
        .map_err(CliError::failed(file.display()))?;
    match found.as_slice() {
        [] => say::line("The books are right."),
        faults => Err(CliError::Failed(faults.join("\n"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound_and_every_command_but_two_shows_an_example() {
        Cli::command().debug_assert();
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string);
            assert!(
                command.is_hide_set()
                    || command.get_name() == "openapi"
                    || help.is_some_and(|h| h.contains("Examples:")),
                "{}",
                command.get_name()
            );
        }
    }
}
