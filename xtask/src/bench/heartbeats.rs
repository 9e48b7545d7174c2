//! How many heartbeats a second one marketplace takes on SQLite, beside a bare axum handler that parses the same JSON.
//! The load comes from one thread on the same machine, in both cases.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};

use super::Bench;
use super::figure::{Bar, Figure, median, number};
use super::proc_stat::Spent;
use crate::cargo_build::Kind;
use crate::process::{Life, Process, wait_until};
use crate::run::tail;

const ROUNDS: usize = 3;
const RIGS: &str = "64";
const SECONDS: &str = "5";
const START_WITHIN: Duration = Duration::from_secs(20);
/// Far longer than the load takes.
const LOAD_WITHIN: Duration = Duration::from_secs(120);

pub fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    bench.folders.build(
        bench.console,
        Kind::Release,
        &["sublet-market", "sublet-load"],
    )?;
    let place = Place {
        folder: bench.folders.kept().join("bench-heartbeats"),
        market: bench.folders.built(Kind::Release, "sublet-market")?,
        load: bench.folders.built(Kind::Release, "sublet-load")?,
    };
    let outcome = place.rounds(bench);
    // What a failed run left tells what went wrong.
    if outcome.is_ok() {
        place.clear()?;
    }
    outcome
}

struct Place {
    folder: PathBuf,
    market: PathBuf,
    load: PathBuf,
}

/// What came of one load.
struct Load {
    per_second: f64,
    /// Answered heartbeats for each second of the server's processor time.
    per_cpu_second: f64,
    p99_us: f64,
}

impl Place {
    /// Turn by turn, so that a machine that grows slower or faster does so for all of them.
    fn rounds(&self, bench: &Bench) -> anyhow::Result<Vec<Figure>> {
        let (mut bare, mut idle, mut renting) = (Vec::new(), Vec::new(), Vec::new());
        for round in 1..=ROUNDS {
            let task = bench
                .console
                .task(&format!("Heartbeating, round {round} of {ROUNDS}"));
            bare.push(self.bare()?);
            idle.push(self.marketplace(false)?);
            renting.push(self.marketplace(true)?);
            task.done();
        }
        let middle = |loads: &[Load], of: fn(&Load) -> f64| {
            median(&mut loads.iter().map(of).collect::<Vec<_>>()).context("nothing was measured")
        };
        let slowest = |loads: &[Load]| middle(loads, |load| load.p99_us / 1_000.0);
        let figure = |title: &str, unit, of: fn(&Load) -> f64, loads: &[Load], bar, note: &str| {
            anyhow::Ok(Figure {
                title: title.to_owned(),
                unit,
                ours: middle(loads, of)?,
                peer: "a bare axum handler that parses the same JSON",
                peers: middle(&bare, of)?,
                bar,
                note: note.to_owned(),
            })
        };
        let wall: fn(&Load) -> f64 = |load| load.per_second;
        let cpu: fn(&Load) -> f64 = |load| load.per_cpu_second;
        let setting = format!(
            "{RIGS} rigs, each over a connection of its own, send the next one as soon as the last is answered, from one \
             thread on the same machine. Medians of {ROUNDS} rounds of {SECONDS} s; 99 of 100 are answered within {} ms \
             ({} ms by the bare handler). Nothing of such a heartbeat needs to be on the disk, and the marketplace answers \
             it from memory.",
            number(slowest(&idle)?),
            number(slowest(&bare)?),
        );
        let renting_setting = format!(
            "The same, and each carries a new signed meter reading: the signature is checked, the charge is booked and on \
             the disk, and a new voucher is signed before the answer leaves. The load thread signs the readings. 99 of 100 \
             are answered within {} ms.",
            number(slowest(&renting)?),
        );
        Ok(vec![
            figure(
                "Heartbeats of idle rigs",
                "a second",
                wall,
                &idle,
                Bar::AtLeast(0.4),
                &setting,
            )?,
            figure(
                "Heartbeats of idle rigs, by processor time",
                "a CPU second",
                cpu,
                &idle,
                Bar::AtLeast(0.4),
                "The same rounds, reckoned by the processor time that the server used: so the load, which shares the \
                 machine, cannot hide a slow server.",
            )?,
            figure(
                "Heartbeats of rigs with a running lease",
                "a second",
                wall,
                &renting,
                Bar::None,
                &renting_setting,
            )?,
        ])
    }

    fn bare(&self) -> anyhow::Result<Load> {
        self.clear()?;
        let mut command = Command::new(&self.load);
        command.arg("bare");
        let log = self.folder.join("bare.log");
        let mut server = Process::start("the bare handler", command, &log, Life::WithUs)?;
        let address = wait_until("the bare handler to listen", START_WITHIN, || {
            server.must_run()?;
            Ok(first_line(&log))
        })?;
        let load = self.drive(&server, &address, &["--bare"])?;
        server.stop()?;
        Ok(load)
    }

    fn marketplace(&self, leases: bool) -> anyhow::Result<Load> {
        self.clear()?;
        let data = self.folder.join("market");
        let mut command = Command::new(&self.market);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(&data);
        let log = self.folder.join("market.log");
        let mut server = Process::start("the marketplace", command, &log, Life::WithUs)?;
        let url = wait_until("the marketplace to listen", START_WITHIN, || {
            server.must_run()?;
            Ok(first_line(&data.join("address")))
        })?;
        let address = url.trim_start_matches("http://");
        let load = if leases {
            let mut topup = Command::new(&self.market);
            topup.args(["topup", "load", "100000", "--data"]).arg(&data);
            self.run("the top-up", topup, "topup.log")?;
            let token = data.join("renters/load.token");
            let token = token.to_str().context("the folder's name is not text")?;
            self.drive(&server, address, &["--leases", token])?
        } else {
            self.drive(&server, address, &[])?
        };
        server.stop()?;
        Ok(load)
    }

    fn drive(&self, server: &Process, address: &str, more: &[&str]) -> anyhow::Result<Load> {
        let mut command = Command::new(&self.load);
        command
            .args(["drive", "--address", address])
            .args(["--rigs", RIGS, "--seconds", SECONDS])
            .args(more);
        let before = Spent::by(server.id())?.own_s;
        let said = self.run("the load", command, "load.log")?;
        let used = Spent::by(server.id())?.own_s - before;
        let outcome: serde_json::Value =
            serde_json::from_str(said.trim()).context("the load's figures cannot be read")?;
        let field = |name: &str| {
            outcome[name]
                .as_f64()
                .with_context(|| format!("the load does not say `{name}`"))
        };
        Ok(Load {
            per_second: field("per_second")?,
            per_cpu_second: field("answered")? / used,
            p99_us: field("p99_us")?,
        })
    }

    /// Runs a program to its end and gives what it said.
    fn run(&self, name: &str, command: Command, log: &str) -> anyhow::Result<String> {
        let log = self.folder.join(log);
        let mut process = Process::start(name, command, &log, Life::WithUs)?;
        let status = wait_until(&format!("{name} to end"), LOAD_WITHIN, || process.exited())?;
        if !status.success() {
            bail!(
                "{name} failed ({status}). The end of {}:\n{}",
                log.display(),
                tail(&log)
            );
        }
        fs::read_to_string(&log).with_context(|| format!("{} cannot be read", log.display()))
    }

    /// An empty folder.
    fn clear(&self) -> anyhow::Result<()> {
        let folder = &self.folder;
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error)
                    .with_context(|| format!("{} cannot be removed", folder.display()));
            }
            _ => {}
        }
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))
    }
}

/// A file's first line, once it is whole.
fn first_line(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().next()?.trim().to_owned();
    (!line.is_empty()).then_some(line)
}
