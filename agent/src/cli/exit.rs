//! How a command ends: a code for programs, and words on standard error for people.

use crate::control::client::ClientError;
use std::path::PathBuf;
use std::process::ExitCode;

/// The exit codes, as every `--help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All fine.
    Fine = 0,
    /// Something failed; standard error says what.
    Failed = 1,
    /// The command line was not understood.
    Usage = 2,
    /// No agent answers for this data folder.
    NotRunning = 3,
    /// Only the owner can go on: the agent is another user's, or `status` shows that something waits for the owner.
    NeedsOwner = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The part of `--help` that explains the exit codes.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  fine
  1  something failed (doctor: a check stands in the way of renting)
  2  the command line was not understood
  3  the agent is not running for this data folder
  4  only the owner can go on (another user's agent, or status says that something waits for you)";

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The agent could not be asked.
    #[error("{}", for_people(.error, .data.as_deref()))]
    Agent {
        /// Why.
        error: ClientError,
        /// The data folder, where the owner named one: the way out must name it too.
        data: Option<PathBuf>,
    },
    /// A value on the command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// Anything else.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl CliError {
    /// The code that goes with it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Agent { error, .. } => match error {
                ClientError::NotRunning(_) => Exit::NotRunning,
                ClientError::NotAllowed(_) => Exit::NeedsOwner,
                ClientError::TimedOut(_) | ClientError::Problem(_) | ClientError::Talk(_) => {
                    Exit::Failed
                }
            },
            Self::Usage(_) => Exit::Usage,
            Self::Other(_) => Exit::Failed,
        }
    }
}

fn for_people(error: &ClientError, data: Option<&std::path::Path>) -> String {
    match (error, data) {
        (ClientError::NotRunning(_), Some(data)) => {
            format!(
                "{error}\nStart it with: sublet run --data {}",
                data.display()
            )
        }
        (ClientError::NotRunning(_), None) => format!("{error}\nStart it with: sublet run"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_that_is_not_running_says_how_to_start_it() {
        let error = |data: Option<&str>| CliError::Agent {
            error: ClientError::NotRunning("/d/run/agent.sock".into()),
            data: data.map(PathBuf::from),
        };
        assert_eq!(error(None).exit(), Exit::NotRunning);
        assert!(
            error(None)
                .to_string()
                .ends_with("Start it with: sublet run")
        );
        assert!(
            error(Some("/d"))
                .to_string()
                .ends_with("sublet run --data /d")
        );
    }
}
