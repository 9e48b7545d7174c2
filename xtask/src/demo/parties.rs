//! The two sides of the demo: a marketplace with a renter, and a rig with an owner. Each is spoken to by its own
//! command line, as people would.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::cargo_build::Kind;
use crate::console::Console;
use crate::ground::Ground;
use crate::process::wait_until;
use crate::run::said;

/// How long a program may take until it answers.
const UP_WITHIN: Duration = Duration::from_secs(30);
/// The one graphics driver that is there on every machine: Mesa's software rasterizer.
const SOFTWARE_DRIVERS: [&str; 2] = [
    "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json",
    "/usr/share/vulkan/icd.d/lvp_icd.aarch64.json",
];

pub struct Parties {
    sublet: PathBuf,
    market: PathBuf,
    agent_data: PathBuf,
    market_data: PathBuf,
    url: String,
    job_file: PathBuf,
    pictures: PathBuf,
}

impl Parties {
    pub fn start(console: &Console, ground: &mut Ground) -> anyhow::Result<Parties> {
        let folders = ground.folders();
        let sublet = folders.built(Kind::Dev, "sublet")?;
        let market = folders.built(Kind::Dev, "sublet-market")?;
        let pictures = folders.root().join(".out");
        let run = ground.run_folder().to_owned();
        let (agent_data, market_data) = (run.join("agent"), run.join("market"));

        let task = console.task("Starting a marketplace");
        let mut serve = Command::new(&market);
        serve
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--audience",
                "demo",
                "--data",
            ])
            .arg(&market_data)
            // A household's patience is 15 s; who watches wants to see the money move.
            .args(["--heartbeat-ms", "2000"]);
        ground.start("market", serve)?;
        let url = wait_until("the marketplace", UP_WITHIN, || {
            Ok(fs::read_to_string(market_data.join("address")).ok())
        })?;
        let url = url.trim().to_owned();
        let url = if url.starts_with("http") {
            url
        } else {
            format!("http://{url}")
        };
        task.done();

        let parties = Parties {
            sublet,
            market,
            agent_data,
            market_data,
            url,
            job_file: run.join("job.yaml"),
            pictures,
        };
        let topped_up = parties.market(
            ["topup", "demo", "5.00", "--data"],
            Some(&parties.market_data),
        )?;
        console.say(topped_up.lines().next().unwrap_or_default());

        console.say("The owner's rule: rent always (`--preset farm`), from $0.20 an hour.");
        let task = console.task("Starting an agent");
        let credentials = run.join("credentials");
        write_keys(&credentials)?;
        let mut agent = Command::new(&parties.sublet);
        agent
            .args([
                "run",
                "--allow-software-gpu",
                "--preset",
                "farm",
                "--floor",
                "0.20",
                "--market",
                &parties.url,
                "--data",
            ])
            .arg(&parties.agent_data)
            .env("CREDENTIALS_DIRECTORY", &credentials);
        if let Some(driver) = SOFTWARE_DRIVERS
            .iter()
            .find(|path| Path::new(path).exists())
            && !Path::new("/dev/dri").exists()
            && !Path::new("/dev/nvidiactl").exists()
        {
            agent.env("VK_DRIVER_FILES", driver);
        }
        ground.start("agent", agent)?;
        let mut last = String::new();
        wait_until("the agent", UP_WITHIN, || {
            let status = parties.sublet_json(["status"]);
            last = match &status {
                Ok(status) => status["market"].to_string(),
                Err(error) => format!("{error:#}"),
            };
            Ok(status.ok().filter(|s| s["market"]["connected"] == true))
        })
        .with_context(|| format!("the agent did not come up; it said last: {last}"))?;
        task.done();
        Ok(parties)
    }

    pub fn show_gpus(&self, console: &Console) -> anyhow::Result<()> {
        console.heading("The GPUs of this machine");
        self.show(["gpus"])?;
        let gpus = self.sublet_json(["gpus"])?;
        let list = gpus["gpus"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        if list.is_empty() {
            bail!(
                "no GPU was found, not even a software adapter; `sublet doctor --data {}` says more",
                self.agent_data.display()
            );
        }
        if list.iter().all(|gpu| gpu["info"]["software"] == true) {
            console.say("There is no graphics card here: the CPU stands in, which the demo allows and an owner would have to.");
        }
        Ok(())
    }

    pub fn benchmark(&self, console: &Console) -> anyhow::Result<()> {
        console.heading("The benchmark");
        self.show(["bench"])
    }

    /// Submits the sample job and returns its id.
    pub fn submit(&self, console: &Console, image: &str) -> anyhow::Result<String> {
        console.heading("The job");
        let text = format!(
            "services:\n  path-tracer:\n    image: {image}\n    deploy:\n      resources:\n        limits:\n          cpus: \"2\"\n          memory: 1g\n    x-sublet:\n      gpu:\n        allow_software: true\n      max_price_per_hour: 0.50\n      deadline: 10m\n      outputs:\n        - /out/picture.png\n"
        );
        fs::write(&self.job_file, &text).context("the job's file cannot be written")?;
        for line in text.lines() {
            console.say(&format!("  {line}"));
        }
        let submitted = self.market_json(["submit"], Some(&self.job_file))?;
        submitted["job"]
            .as_str()
            .map(str::to_owned)
            .with_context(|| format!("the marketplace did not name the job: {submitted}"))
    }

    pub fn fetch(&self, console: &Console, job: &str) -> anyhow::Result<PathBuf> {
        let into = self.pictures.clone();
        fs::create_dir_all(&into).with_context(|| format!("{} cannot be made", into.display()))?;
        let picture = into.join("picture.png");
        if picture.exists() {
            fs::remove_file(&picture)
                .with_context(|| format!("{} cannot be replaced", picture.display()))?;
        }
        let said = self.market(["fetch", job, "--out"], Some(&into))?;
        console.say(said.trim_end());
        if !picture.exists() {
            bail!(
                "the picture was fetched, but {} is not there",
                picture.display()
            );
        }
        Ok(picture)
    }

    pub fn show_earnings(&self, console: &Console) -> anyhow::Result<()> {
        console.heading("sublet status");
        self.show(["status"])?;
        console.heading("sublet wallet");
        self.show(["wallet"])
    }

    pub fn say_how_to_reach(&self, console: &Console) {
        console.say(&format!(
            "The agent: sublet --data {} status",
            self.agent_data.display()
        ));
        console.say(&format!(
            "The marketplace: {} (renter commands: --url {} --token-file {})",
            self.url,
            self.url,
            self.token_file().display()
        ));
        console.say(&format!(
            "The programs lie in {}.",
            self.sublet.parent().unwrap_or(&self.sublet).display()
        ));
    }

    fn token_file(&self) -> PathBuf {
        self.market_data.join("renters").join("demo.token")
    }

    fn owner<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(&self.sublet);
        command.args(words).arg("--data").arg(&self.agent_data);
        command
    }

    fn renter<'a>(&self, words: impl IntoIterator<Item = &'a str>, last: Option<&Path>) -> Command {
        let mut command = Command::new(&self.market);
        command
            .args(words)
            .args(last.map(OsStr::new))
            .env("SUBLET_MARKET_URL", &self.url)
            .env("SUBLET_MARKET_TOKEN_FILE", self.token_file());
        command
    }

    /// Runs an owner's command for people to read.
    fn show<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> anyhow::Result<()> {
        let mut command = self.owner(words);
        let status = command.stdin(Stdio::null()).status()?;
        if !status.success() {
            bail!("{command:?} ended with {status}");
        }
        Ok(())
    }

    /// An owner's command as JSON.
    pub fn sublet_json<'a>(
        &self,
        words: impl IntoIterator<Item = &'a str>,
    ) -> anyhow::Result<Value> {
        let mut command = self.owner(words);
        command.arg("--json");
        json(&mut command)
    }

    fn market<'a>(
        &self,
        words: impl IntoIterator<Item = &'a str>,
        last: Option<&Path>,
    ) -> anyhow::Result<String> {
        said(&mut self.renter(words, last))
    }

    /// A renter's command as JSON.
    pub fn market_json<'a>(
        &self,
        words: impl IntoIterator<Item = &'a str>,
        last: Option<&Path>,
    ) -> anyhow::Result<Value> {
        let mut command = self.renter(words, last);
        command.arg("--json");
        json(&mut command)
    }
}

fn json(command: &mut Command) -> anyhow::Result<Value> {
    let text = said(command)?;
    serde_json::from_str(&text)
        .with_context(|| format!("{command:?} did not answer with JSON: {text}"))
}

/// Keys as a service manager would hand them over, so that nothing is left in anybody's keyring.
pub fn write_keys(folder: &Path) -> anyhow::Result<()> {
    use std::io::{Read, Write};
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    for name in ["sublet-identity", "sublet-payout"] {
        let mut secret = [0; 32];
        fs::File::open("/dev/urandom")?.read_exact(&mut secret)?;
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(folder.join(name))?
            .write_all(hex::encode(secret).as_bytes())?;
    }
    Ok(())
}
