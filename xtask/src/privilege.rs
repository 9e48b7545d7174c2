//! Who may change this machine.

use std::ffi::OsStr;
use std::process::Command;

use anyhow::{Context, bail};

use crate::packages::program;

/// How to run what only root may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    Root,
    /// Through sudo, which may ask for a password when somebody is there to give it.
    Sudo {
        may_ask: bool,
    },
}

impl Privilege {
    /// The privilege at hand, or an error that says how to get one. `purpose` completes "root is needed to ...".
    pub fn get(may_ask: bool, purpose: &str) -> anyhow::Result<Privilege> {
        if rustix::process::geteuid().is_root() {
            return Ok(Privilege::Root);
        }
        if program("sudo").is_none() {
            bail!("root is needed to {purpose}, and sudo is not installed. Run this as root.");
        }
        if may_ask {
            // Now, in the terminal's foreground: what is started later runs in the background and could not be answered.
            let status = Command::new("sudo")
                .arg("--validate")
                .status()
                .context("sudo does not run")?;
            if !status.success() {
                bail!(
                    "root is needed to {purpose}, and sudo did not let you. Ask whoever looks after this machine."
                );
            }
        }
        Ok(Privilege::Sudo { may_ask })
    }

    /// A command that runs `program` as root.
    pub fn command(self, program: impl AsRef<OsStr>) -> Command {
        match self {
            Privilege::Root => Command::new(program),
            Privilege::Sudo { may_ask } => {
                let mut sudo = Command::new("sudo");
                if !may_ask {
                    sudo.arg("--non-interactive");
                }
                sudo.arg("--").arg(program);
                sudo
            }
        }
    }
}
