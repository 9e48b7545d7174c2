//! A marketplace of the test's own, and its one renter.

use crate::program::{Running, Said, run, sublet_market};
use crate::wait::until;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long a cancelled job may take to end.
const SOON: Duration = Duration::from_secs(60);

/// How patient a marketplace is. The ratios are those of the defaults, so that a test takes seconds, not minutes.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Between heartbeats, in ms.
    pub heartbeat_ms: u64,
    /// Until a silent rig is suspect, in ms.
    pub suspect_ms: u64,
    /// Until its leases are given to others, in ms.
    pub lost_ms: u64,
}

/// Short enough for a test that waits for a loss, long enough for a busy machine.
pub const BRISK: Patience = Patience {
    heartbeat_ms: 500,
    suspect_ms: 5_000,
    lost_ms: 10_000,
};

/// A marketplace that runs.
pub struct Market {
    data: PathBuf,
    patience: Patience,
    words: Vec<String>,
    /// Its process, while it runs.
    pub process: Option<Running>,
    /// Its address, the same after a restart.
    pub url: String,
}

impl Market {
    /// Starts one in `data`, with a renter who has `funds` dollars.
    pub fn start(data: &Path, patience: Patience, funds: &str) -> Self {
        Self::start_with(data, patience, funds, Vec::new())
    }

    /// As [`Market::start`], with more words on its command line.
    pub fn start_with(data: &Path, patience: Patience, funds: &str, words: Vec<String>) -> Self {
        std::fs::create_dir_all(data).unwrap();
        let mut market = Self {
            data: data.to_owned(),
            patience,
            words,
            process: None,
            url: String::new(),
        };
        market.go("127.0.0.1:0");
        let said = run(Command::new(sublet_market())
            .args(["topup", "tester", funds, "--data"])
            .arg(data));
        assert_eq!(said.code, 0, "{said:?}");
        market
    }

    fn go(&mut self, listen: &str) {
        let address = self.data.join("address");
        // A stale address must not be mistaken for a fresh one.
        let _ = std::fs::remove_file(&address);
        let mut serve = Command::new(sublet_market());
        serve
            .args(["serve", "--audience", "test", "--listen", listen, "--data"])
            .arg(&self.data);
        serve.args(&self.words);
        for (flag, ms) in [
            ("--heartbeat-ms", self.patience.heartbeat_ms),
            ("--suspect-ms", self.patience.suspect_ms),
            ("--lost-ms", self.patience.lost_ms),
        ] {
            serve.args([flag, &ms.to_string()]);
        }
        self.process = Some(Running::start(serve, &self.data.join("log")));
        let said = until("the marketplace's address", Duration::from_secs(20), || {
            std::fs::read_to_string(&address)
                .map_err(|e| e.to_string())
                .and_then(|text| {
                    if text.trim().is_empty() {
                        Err("empty".into())
                    } else {
                        Ok(text.trim().to_owned())
                    }
                })
        });
        self.url = if said.starts_with("http") {
            said
        } else {
            format!("http://{said}")
        };
    }

    /// Its data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Starts it again where it was.
    pub fn restart(&mut self) {
        self.process = None;
        let listen = self.url.trim_start_matches("http://").to_owned();
        self.go(&listen);
    }

    /// A renter's command.
    pub fn renter(&self, words: &[&str]) -> Said {
        run(&mut self.command(words))
    }

    /// A renter's command, not run yet.
    pub fn command(&self, words: &[&str]) -> Command {
        let token = self.data.join("renters").join("tester.token");
        let mut command = Command::new(sublet_market());
        command
            .args(words)
            .env("SUBLET_MARKET_URL", &self.url)
            .env("SUBLET_MARKET_TOKEN_FILE", token);
        command
    }

    /// Submits a job spec and returns the job's id.
    #[track_caller]
    pub fn submit(&self, spec: &str) -> String {
        let file = self.data.join("job.yaml");
        std::fs::write(&file, spec).unwrap();
        let said = self
            .renter(&["submit", file.to_str().unwrap(), "--json"])
            .json();
        said["job"].as_str().unwrap().to_owned()
    }

    /// How a job stands.
    #[track_caller]
    pub fn job(&self, job: &str) -> Value {
        let list = self.renter(&["ps", "--json"]).json();
        let jobs = list.as_array().or_else(|| list["jobs"].as_array()).unwrap();
        jobs.iter().find(|view| view["job"] == job).unwrap().clone()
    }

    /// Waits until a job is in one of these states.
    #[track_caller]
    pub fn until_job(&self, job: &str, states: &[&str], within: Duration) -> Value {
        until(&format!("job {job} {states:?}"), within, || {
            let view = self.job(job);
            let state = view["state"].as_str().unwrap();
            if states.contains(&state) {
                Ok(view)
            } else {
                Err(view.to_string())
            }
        })
    }

    /// Waits until a job waits for something that is named with this word, and returns the whole of it.
    #[track_caller]
    pub fn until_waiting(&self, job: &str, word: &str) -> String {
        until(&format!("job {job} to wait for {word}"), SOON, || {
            let view = self.job(job);
            match view["waiting_for"].as_str() {
                Some(why) if why.contains(word) => Ok(why.to_owned()),
                _ => Err(view.to_string()),
            }
        })
    }

    /// Cancels a job, and waits until it is.
    #[track_caller]
    pub fn cancel(&self, job: &str) {
        assert_eq!(self.renter(&["cancel", job]).code, 0);
        self.until_job(job, &["cancelled"], SOON);
    }

    /// Waits until a job's newest lease is in one of these states.
    #[track_caller]
    pub fn until_lease(&self, job: &str, states: &[&str], within: Duration) -> Value {
        until(&format!("a lease of {job} {states:?}"), within, || {
            let view = self.job(job);
            let lease = view["leases"]
                .as_array()
                .unwrap()
                .last()
                .cloned()
                .unwrap_or(Value::Null);
            match lease["state"].as_str() {
                Some(state) if states.contains(&state) => Ok(lease),
                _ => Err(view.to_string()),
            }
        })
    }

    /// The renter's account.
    #[track_caller]
    pub fn account(&self) -> Value {
        self.renter(&["account", "--json"]).json()
    }
}
