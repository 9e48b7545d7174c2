//! A rig of the test's own: one agent in a data folder.

use crate::program::{Running, Said, run, sublet};
use crate::wait::until;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The rule of a rig that nobody sits at: tests run where somebody may, and must not wait for them to leave.
pub const HEADLESS: &str = "[rent]\nmode = \"always\"\nsettle_seconds = 0\n";

/// How the agent is started beside its defaults.
#[derive(Debug, Clone, Default)]
pub struct With {
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// More words on its command line.
    pub words: Vec<String>,
    /// Its `settings.toml`; [`HEADLESS`] where there is none.
    pub settings: Option<String>,
}

/// An agent's data folder, and the agent while it runs.
pub struct Rig {
    /// The data folder.
    pub data: PathBuf,
    market: String,
    with: With,
    /// The agent's process, while it runs.
    pub process: Option<Running>,
}

impl Rig {
    /// A rig that is not started.
    pub fn new(folder: &Path, market: &str, with: With) -> Self {
        let data = folder.join("rig");
        prepare(&data, with.settings.as_deref().unwrap_or(HEADLESS));
        Self {
            data,
            market: market.to_owned(),
            with,
            process: None,
        }
    }

    /// A rig that runs and rents the software adapter, benchmarked.
    #[track_caller]
    pub fn ready(folder: &Path, market: &str) -> Self {
        let with = With {
            words: vec!["--allow-software-gpu".into()],
            ..With::default()
        };
        let mut rig = Self::new(folder, market, with);
        rig.start();
        rig.until_status("connected", |status| status["market"]["connected"] == true);
        let said = rig.run(&["bench"]);
        assert_eq!(said.code, 0, "{said:?}");
        rig.until_status("ready", |status| status["state"] == "ready");
        rig
    }

    /// The command that runs the agent.
    pub fn command(&self) -> Command {
        let mut command = Command::new(sublet());
        command
            .args(["run", "--market", &self.market, "--data"])
            .arg(&self.data)
            .args(&self.with.words)
            .env(
                "CREDENTIALS_DIRECTORY",
                self.data.with_file_name("credentials"),
            )
            .env_remove("DBUS_SESSION_BUS_ADDRESS");
        for (name, value) in &self.with.env {
            command.env(name, value);
        }
        command
    }

    /// Starts the agent, or starts it again, and waits until it answers.
    #[track_caller]
    pub fn start(&mut self) {
        self.process = None;
        let log = self.data.with_file_name("agent.log");
        self.process = Some(Running::start(self.command(), &log));
        until("the agent", Duration::from_secs(30), || {
            let said = self.run(&["status", "--json"]);
            let ended = self.process.as_mut().and_then(Running::ended);
            assert!(ended.is_none(), "the agent ended: {ended:?}");
            if said.answered() {
                Ok(())
            } else {
                Err(said.err)
            }
        });
    }

    /// Ends the agent as a power cut would.
    pub fn kill_dead(&mut self) {
        self.process.take().unwrap().kill_dead();
    }

    /// An owner's command.
    pub fn run(&self, words: &[&str]) -> Said {
        run(&mut self.owners(words))
    }

    /// An owner's command, not run yet.
    pub fn owners(&self, words: &[&str]) -> Command {
        let mut command = Command::new(sublet());
        command.args(words).arg("--data").arg(&self.data);
        command
    }

    /// What `sublet WORD --json` says.
    #[track_caller]
    pub fn json(&self, word: &str) -> Value {
        self.run(&[word, "--json"]).json()
    }

    /// Waits until the status is as wanted.
    #[track_caller]
    pub fn until_status(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        until(what, Duration::from_secs(60), || {
            let said = self.run(&["status", "--json"]);
            if !said.answered() {
                return Err(said.err);
            }
            let status = said.json();
            if wanted(&status) {
                Ok(status)
            } else {
                Err(status.to_string())
            }
        })
    }

    /// Waits until no lease is open and every micro-USD is proven or written off.
    #[track_caller]
    pub fn until_settled(&self) -> Value {
        self.until_status("no open lease", |status| {
            status["leases"].as_array().unwrap().is_empty()
        });
        until("a settled wallet", Duration::from_secs(30), || {
            let wallet = self.json("wallet");
            if wallet["unproven"] == 0 {
                Ok(wallet)
            } else {
                Err(wallet.to_string())
            }
        })
    }
}

/// Makes an agent's data folder with these settings, and its keys in `credentials` beside it.
pub fn prepare(data: &Path, settings: &str) {
    let folder = data.parent().unwrap();
    std::fs::create_dir_all(folder).unwrap();
    write_keys(&folder.join("credentials"));
    write_settings(data, settings);
}

/// Writes the owner's settings, into a folder as private as the agent makes it.
fn write_settings(data: &Path, text: &str) {
    let mut folder = std::fs::DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(data).unwrap();
    std::fs::write(data.join("settings.toml"), text).unwrap();
}

/// Keys as a service manager hands them over: a test touches nobody's keyring.
fn write_keys(folder: &Path) {
    use std::io::{Read, Write};
    if folder.exists() {
        return;
    }
    std::fs::create_dir_all(folder).unwrap();
    for name in ["sublet-identity", "sublet-payout"] {
        let mut secret = [0_u8; 32];
        std::fs::File::open("/dev/urandom")
            .unwrap()
            .read_exact(&mut secret)
            .unwrap();
        let text: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut file = std::fs::File::create(folder.join(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            file.set_permissions(std::fs::Permissions::from_mode(0o600))
                .unwrap();
        }
    }
}
