//! The command line: reads what was asked, asks the agent, shows the answer.

mod bench;
mod command;
mod dashboard;
mod data;
mod doctor;
mod exit;
mod gpus;
mod history;
mod jobs;
mod look;
mod page;
mod pause;
mod run;
mod settings;
mod simulate;
mod status;
mod wallet;
mod words;

#[cfg(test)]
mod tests;

pub use command::Cli;
pub use exit::Exit;
pub use run::RunOptions;

use crate::control::client::{Client, ClientError};
use crate::control::{Endpoint, openapi};
use clap::{CommandFactory, Parser};
use command::{Command, JobsArgs, WalletArgs};
use exit::CliError;
use look::Look;
use serde::Serialize;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use sublet_protocol::local::PauseRequest;
use sublet_protocol::reason::RigState;

/// The whole program: reads the command line, does it, and says how it went.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match perform(&cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let error_text = format!("sublet: {error}\n");
            // Where standard error is closed there is nobody to tell; the exit code still does.
            let _ = anstream::stderr().write_all(error_text.as_bytes());
            error.exit().into()
        }
    }
}

fn perform(cli: &Cli) -> Result<Exit, CliError> {
    match &cli.command {
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "sublet", &mut text);
            return print(&String::from_utf8_lossy(&text));
        }
        Command::Steps => return print(&(crate::rehearsal::all().join("\n") + "\n")),
        Command::SettingsReference => return print(&crate::settings::reference()),
        Command::Openapi => return print(&openapi::document().map_err(anyhow::Error::from)?),
        _ => {}
    }
    let data = data::folder(cli.data.as_deref())?;
    if let Command::Where = &cli.command {
        let endpoint = Endpoint::of(&data);
        let place = serde_json::json!({ "data": data, "endpoint": endpoint.path() });
        return print(&place.to_string());
    }
    if let Command::Run(run) = &cli.command {
        run.open_log()
            .map_err(|error| CliError::Usage(format!("{error:#}")))?;
        crate::daemon::run(run.options(data))?;
        return Ok(Exit::Fine);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)?;
    let desk = Desk {
        client: Client::new(Endpoint::of(&data)),
        data,
        named: cli.data.clone(),
        look: Look::here(),
    };
    runtime.block_on(desk.answer(&cli.command))
}

/// One command's view of the world: the agent, and the terminal.
struct Desk {
    client: Client,
    data: PathBuf,
    named: Option<PathBuf>,
    look: Look,
}

impl Desk {
    async fn answer(&self, command: &Command) -> Result<Exit, CliError> {
        match command {
            Command::Status(format) => {
                let status = self.told(self.client.status().await)?;
                self.show(format.json, &status, status::render)?;
                Ok(match status.state {
                    RigState::NeedsYou => Exit::NeedsOwner,
                    _ => Exit::Fine,
                })
            }
            Command::Gpus(format) => self.show(
                format.json,
                &self.told(self.client.gpus().await)?,
                gpus::render,
            ),
            Command::Jobs(args) => self.jobs(args).await,
            Command::Wallet(args) => self.wallet(args).await,
            Command::History(args) => {
                let history = self.told(self.client.history(args.days).await)?;
                self.show(args.format.json, &history, |history, look| {
                    history::render(history, args.all, look)
                })
            }
            Command::Bench(args) => {
                let view = match args.last {
                    true => self.client.bench().await,
                    false => bench::follow(&self.client, &self.look).await,
                };
                let view = self.told(view)?;
                self.show(args.format.json, &view, bench::render)?;
                Ok(if args.last {
                    Exit::Fine
                } else {
                    bench::exit(&view)
                })
            }
            Command::Pause(args) => {
                let request = pause::read(&args.time, &self.look);
                let request = request.map_err(|error| CliError::Usage(error.to_string()))?;
                let request = PauseRequest {
                    gpu: args.gpu.clone(),
                    ..request
                };
                let pause = self.told(self.client.pause(&request).await)?;
                self.show(args.format.json, &pause, pause::render)
            }
            Command::Resume(args) => {
                self.told(match &args.gpu {
                    Some(gpu) => self.client.resume_gpu(gpu).await,
                    None => self.client.resume().await,
                })?;
                // What `pause` of the status is now.
                self.show(args.format.json, &(), |(), look| {
                    pause::render_resumed(look)
                })
            }
            Command::Doctor(format) => {
                let doctor = doctor::ask(&self.client, &self.data).await?;
                self.show(format.json, &doctor, doctor::render)?;
                Ok(doctor::exit(&doctor))
            }
            Command::Settings(args) => self.settings(args).await,
            Command::Simulate(args) => {
                if let Some(example) = args.example {
                    return print(&example.trace(args.seed).to_string());
                }
                let trace = match args.recorded {
                    Some(days) => Some(self.told(self.client.trace(days).await)?),
                    None => None,
                };
                let report = simulate::replay(args, trace, &self.data)?;
                self.show(args.format.json, &report, |report, look| {
                    simulate::render(report, args.days, look)
                })
            }
            Command::Dashboard(args) => {
                dashboard::show(Endpoint::of(&self.data), args, &self.look).await
            }
            Command::Run(_)
            | Command::Completions { .. }
            | Command::Openapi
            | Command::SettingsReference
            | Command::Steps
            | Command::Where => Ok(Exit::Fine),
        }
    }

    async fn jobs(&self, args: &JobsArgs) -> Result<Exit, CliError> {
        let Some(lease) = &args.log else {
            let jobs = self.told(self.client.jobs().await)?;
            return self.show(args.format.json, &jobs, jobs::render);
        };
        let log = self.told(self.client.job_log(lease, args.lines).await)?;
        self.show(args.format.json, &log, |log, look| {
            log.lines().map(|line| look.say(line) + "\n").collect()
        })
    }

    async fn wallet(&self, args: &WalletArgs) -> Result<Exit, CliError> {
        if args.csv {
            return print(&self.told(self.client.wallet_csv().await)?);
        }
        let wallet = self.told(self.client.wallet().await)?;
        self.show(args.format.json, &wallet, wallet::render)
    }

    fn told<T>(&self, answer: Result<T, ClientError>) -> Result<T, CliError> {
        answer.map_err(|error| CliError::Agent {
            error,
            data: self.named.clone(),
        })
    }

    fn show<T: Serialize>(
        &self,
        json: bool,
        value: &T,
        render: impl FnOnce(&T, &Look) -> String,
    ) -> Result<Exit, CliError> {
        if json {
            let text = serde_json::to_string_pretty(value).map_err(anyhow::Error::from)?;
            print(&(text + "\n"))
        } else {
            print(&render(value, &self.look))
        }
    }
}

/// Writes to standard output, without styles where it is no terminal or `NO_COLOR` is set. A reader that has seen
/// enough (`sublet jobs | head`) is no failure.
fn print(text: &str) -> Result<Exit, CliError> {
    let mut out = anstream::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(anyhow::Error::from(error)
            .context("could not write the answer")
            .into()),
        _ => Ok(Exit::Fine),
    }
}
