//! A real marketplace and a real agent, both optimised and with their defaults but for the rule of renting, for what is measured on them.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::cargo_build::Kind;
use crate::demo::write_keys;
use crate::ground::Ground;
use crate::http::{Answer, exchange};
use crate::process::wait_until;
use crate::run::said;

const UP_WITHIN: Duration = Duration::from_secs(30);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

pub struct Rented {
    sublet: PathBuf,
    pub(super) sublet_market: PathBuf,
    pub(super) agent_data: PathBuf,
    /// `127.0.0.1:PORT`
    pub(super) market: String,
    pub(super) token_file: PathBuf,
    pub(super) bearer: String,
    /// The agent's process id.
    pub agent: u32,
}

impl Rented {
    /// Starts both and waits until the agent has a session. `words` and `variables` are the agent's.
    pub fn start(
        ground: &mut Ground,
        words: &[&str],
        variables: &[(&str, PathBuf)],
    ) -> anyhow::Result<Rented> {
        Self::start_under(ground, SETTINGS, words, variables)
    }

    /// As [`Rented::start`], under other settings.
    pub fn start_under(
        ground: &mut Ground,
        settings: &str,
        words: &[&str],
        variables: &[(&str, PathBuf)],
    ) -> anyhow::Result<Rented> {
        let sublet = ground.folders().built(Kind::Release, "sublet")?;
        let market = ground.folders().built(Kind::Release, "sublet-market")?;
        let run = ground.run_folder().to_owned();
        let (agent_data, market_data) = (run.join("agent"), run.join("market"));

        let mut serve = Command::new(&market);
        serve
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(&market_data);
        ground.start("bench-market", serve)?;
        let address = wait_until("the marketplace", UP_WITHIN, || {
            Ok(fs::read_to_string(market_data.join("address")).ok())
        })?;
        let mut topup = Command::new(&market);
        topup
            .args(["topup", "bench", "100.00", "--data"])
            .arg(&market_data);
        said(&mut topup)?;
        let token_file = market_data.join("renters/bench.token");
        let token = fs::read_to_string(&token_file).context("the renter's token is not there")?;

        let credentials = run.join("credentials");
        write_keys(&credentials)?;
        write_settings(&agent_data, settings)?;
        let mut agent = Command::new(&sublet);
        agent
            .args(["run", "--market", address.trim()])
            .args(words)
            .arg("--data")
            .arg(&agent_data)
            .env("CREDENTIALS_DIRECTORY", &credentials)
            .envs(variables.iter().map(|(name, value)| (name, value)));
        let agent = ground.start("bench-agent", agent)?.id();
        let rented = Rented {
            sublet,
            sublet_market: market,
            agent_data,
            token_file,
            market: address.trim().trim_start_matches("http://").to_owned(),
            bearer: format!("Bearer {}", token.trim()),
            agent,
        };
        rented.until("a session", |status| status["market"]["connected"] == true)?;
        Ok(rented)
    }

    /// Waits until the agent's status is as wanted.
    pub fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let mut last = String::new();
        wait_until(what, 2 * UP_WITHIN, || {
            let answer = self.owner(&["status", "--json"]);
            let status = answer.and_then(|text| Ok(serde_json::from_str::<Value>(&text)?));
            last = match &status {
                Ok(status) => status.to_string(),
                Err(error) => format!("{error:#}"),
            };
            Ok(status.ok().filter(|status| wanted(status)))
        })
        .with_context(|| format!("the agent said last: {last}"))
    }

    /// Waits until the rig has nothing to do and can be rented.
    pub fn until_ready(&self) -> anyhow::Result<()> {
        self.until("the rig to be ready", |status| {
            status["state"] == "ready" && status["leases"].as_array().is_some_and(Vec::is_empty)
        })
        .map(drop)
    }

    /// An owner's command.
    pub fn owner(&self, words: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(&self.sublet);
        said(command.args(words).arg("--data").arg(&self.agent_data))
    }

    /// Submits a job and returns its id.
    pub fn submit(&self, spec: &str) -> anyhow::Result<String> {
        let headers = [("Content-Type", "application/yaml")];
        let answer = self.ask("POST", "/v1/jobs", &headers, spec.as_bytes())?;
        if answer.status != 201 {
            bail!("the job was not taken: {}", answer.excerpt());
        }
        let submitted: Value = serde_json::from_slice(&answer.body)?;
        let job = submitted["job"].as_str();
        job.map(str::to_owned).context("the job was not named")
    }

    /// How a job stands.
    pub fn job(&self, job: &str) -> anyhow::Result<Value> {
        let answer = self.ask("GET", &format!("/v1/jobs/{job}"), &[], b"")?;
        if answer.status != 200 {
            bail!("the job {job} is not shown: {}", answer.excerpt());
        }
        Ok(serde_json::from_slice(&answer.body)?)
    }

    fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> anyhow::Result<Answer> {
        let stream = TcpStream::connect(&self.market).context("the marketplace does not answer")?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        stream.set_write_timeout(Some(ANSWER_WITHIN))?;
        let mut all = vec![("Authorization", self.bearer.as_str())];
        all.extend(headers);
        exchange(stream, method, path, &all, body)
    }
}

/// The rule of a rig that nobody sits at, and that waits for nothing: what is measured is not the owner's absence.
const SETTINGS: &str = "[rent]\nmode = \"always\"\nsettle_seconds = 0\n";

fn write_settings(agent_data: &Path, text: &str) -> anyhow::Result<()> {
    let mut folder = fs::DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder
        .create(agent_data)
        .and_then(|()| fs::write(agent_data.join("settings.toml"), text))
        .context("the agent's settings cannot be written")
}
