//! How fast the owner gets the GPU back: a hand moves the mouse, and a job that spins on every core stands still, is
//! gone, and has left no GPU memory behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

use super::Bench;
use super::figure::{Bar, Figure};
use super::rented::Rented;
use super::start::now;
use super::x_input::Display;
use crate::cargo_build::Kind;
use crate::docker::Docker;
use crate::ground::Ground;
use crate::interrupt;
use crate::process::{Life, wait_until};

const RUNS: usize = 200;
const RUNS_WITHIN: Duration = Duration::from_secs(40 * 60);
const RUNNING_WITHIN: Duration = Duration::from_secs(60);
const GONE_WITHIN: Duration = Duration::from_secs(20);
const NOTED_WITHIN: Duration = Duration::from_secs(1);
const DAY_MS: f64 = 86_400_000.0;

/// What is promised, in ms.
const FROZEN_MS: f64 = 100.0;
const GONE_MS: f64 = 300.0;
const FREE_MS: f64 = 1_000.0;

const SETTINGS: &str = "[rent]\nmode = \"away\"\nsettle_seconds = 0\n";
/// How long the hand must have rested: a minute, the least that an owner may choose, would make this a day's work.
const AWAY_MS: &str = "700";
/// A card of the simulator: on it the memory is verified. Nothing of it is in the container: a device can be given to
/// one only where there is one.
const UUID: &str = "SIM-00000000-0000-4000-8000-000000000000";
const FREE_MIB: u64 = 512;
const TAKEN_MIB: u64 = 9_000;
/// The simulated driver clears its memory so long after the job's last process is gone.
const CLEARS_AFTER: Duration = Duration::from_millis(30);

pub fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    bench.folders.build(
        bench.console,
        Kind::Release,
        &["sublet-agent", "sublet-market", "nvml-sim"],
    )?;
    let mut ground = Ground::prepare(bench.console, bench.folders, Life::WithUs)?;
    let image = ground.sample_image(bench.console)?;
    let display = Display::start(&mut ground)?;
    let card = Card::lay(&ground)?;
    let variables = [
        ("DISPLAY", PathBuf::from(&display.name)),
        ("SUBLET_NVML_LIBRARY", card.library.clone()),
    ];
    let words = ["--simulated-score", "1000", "--away-ms", AWAY_MS];
    let rented = Rented::start_under(&mut ground, SETTINGS, &words, &variables)?;
    let log = ground.folders().logs().join("bench-agent.log");
    let times = runs(bench, &ground, &rented, display, &card, &image, &log)?;
    ground.clean(bench.console)?;
    figures(times)
}

/// Milliseconds, one of each for every run.
#[derive(Default)]
struct Times {
    frozen: Vec<f64>,
    gone: Vec<f64>,
    /// From the end of the container until the GPU's memory was seen free.
    free: Vec<f64>,
    /// How many jobs Docker could not freeze.
    unfrozen: usize,
}

/// One job all the time: whenever it is taken back it is queued again, and comes back once the hand rests.
fn runs(
    bench: &Bench,
    ground: &Ground,
    rented: &Rented,
    mut display: Display,
    card: &Card,
    image: &str,
    log: &Path,
) -> anyhow::Result<Times> {
    let docker = ground.docker();
    let job = rented.submit(&spec(image)?)?;
    let mut times = Times::default();
    let begun = Instant::now();
    let task = bench
        .console
        .task(&format!("Taking the GPU back {RUNS} times"));
    // The first run warms every cache; it does not count.
    for run in 0..=RUNS {
        interrupt::check()?;
        if begun.elapsed() > RUNS_WITHIN {
            bail!("only {run} of {RUNS} runs were done within {RUNS_WITHIN:?}");
        }
        let lease = running(rented, &job)?;
        let name = format!("sublet-{lease}");
        let holding = card.hold_until_gone(process_of(docker, &name)?)?;
        // A different moment of the agent's second each time.
        thread::sleep(Duration::from_millis(40 + (run as u64 * 37) % 900));
        let touched = display.touch()?;
        let over = wait_until("the job to be taken back", GONE_WITHIN, || {
            let view = rented.job(&job)?;
            Ok(lease_of(&view, &lease).filter(|lease| lease["ending"].is_object()))
        })?;
        if over["ending"]["code"] != "reclaimed" {
            bail!("the job was not taken back, but ended otherwise: {over}");
        }
        holding.join()?;
        let freed = freed(log, run)?;
        if run > 0 {
            let gone = noted(docker, &name, "die", touched)?;
            // A job that could not be frozen in time was killed instead: it stands still since.
            let frozen = noted(docker, &name, "pause", touched).ok();
            times.unfrozen += usize::from(frozen.is_none());
            times.frozen.push(frozen.unwrap_or(gone) - touched);
            times.gone.push(gone - touched);
            times.free.push((freed - gone).rem_euclid(DAY_MS));
        }
    }
    task.done();
    // A job that runs outlives its agent; this one may not.
    rented.owner(&["pause"])?;
    rented.until("the last lease to end", |status| {
        status["leases"].as_array().is_some_and(Vec::is_empty)
    })?;
    Ok(times)
}

fn figures(mut times: Times) -> anyhow::Result<Vec<Figure>> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let setting = format!(
        "{RUNS} runs. A real hand on a real X server (XTEST under Xvfb) moves the mouse while a job computes on all {cores} \
         cores; the time begins just before the request leaves, so the X server, the sensor, the decision and Docker all \
         count. Frozen and gone are Docker's own notes of the pause and of the end of the last process, on the same clock. \
         Marketplace, agent, Docker and job share one machine."
    );
    let setting = match times.unfrozen {
        0 => setting,
        some => format!(
            "{setting} {some} jobs could not be frozen by Docker, and count as standing still once they were killed."
        ),
    };
    let memory = format!(
        "The same runs on a simulated card: its driver (the NVML simulator) shows {} MiB taken by the job, and frees them \
         {} ms after the job's last process is gone. The time runs from Docker's note of that end until the agent's \
         word that NVML showed the memory free.",
        TAKEN_MIB - FREE_MIB,
        CLEARS_AFTER.as_millis()
    );
    let mut all = Vec::new();
    for (title, times, limit, note) in [
        (
            "From input to a frozen job",
            &mut times.frozen,
            FROZEN_MS,
            setting,
        ),
        (
            "From input to a job that is gone",
            &mut times.gone,
            GONE_MS,
            String::new(),
        ),
        (
            "From the job's end to memory verified free",
            &mut times.free,
            FREE_MS,
            memory,
        ),
    ] {
        let middle = percentile(times, 50).context("nothing was measured")?;
        let high = percentile(times, 99).context("nothing was measured")?;
        let most = percentile(times, 100).context("nothing was measured")?;
        all.push(Figure {
            title: format!("{title}, 99 of 100"),
            unit: "ms",
            ours: high,
            peer: "the promise",
            peers: limit,
            bar: Bar::AtMost(1.0),
            note: format!(
                "{note}{}Half of them within {middle:.0} ms, the slowest after {most:.0} ms.",
                if note.is_empty() { "" } else { " " }
            ),
        });
    }
    Ok(all)
}

/// The value that so many of a hundred do not exceed.
fn percentile(values: &mut [f64], of_hundred: usize) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let place = (values.len() * of_hundred).div_ceil(100).checked_sub(1)?;
    values.get(place).copied()
}

/// The job's newest lease, once its container runs.
fn running(rented: &Rented, job: &str) -> anyhow::Result<String> {
    let mut last = String::new();
    let found = wait_until("the job to run", RUNNING_WITHIN, || {
        let view = rented.job(job)?;
        last = view.to_string();
        let lease = view["leases"].as_array().and_then(|leases| leases.last());
        let lease = lease.filter(|lease| lease["state"] == "running");
        Ok(lease.and_then(|lease| lease["lease"].as_str().map(str::to_owned)))
    });
    found.with_context(|| format!("the marketplace said last: {last}"))
}

fn lease_of(view: &Value, lease: &str) -> Option<Value> {
    let leases = view["leases"].as_array()?;
    leases.iter().find(|it| it["lease"] == lease).cloned()
}

/// The process that the container runs, in the machine's own numbering.
fn process_of(docker: &Docker, name: &str) -> anyhow::Result<u64> {
    let state = docker.get(&format!("/containers/{name}/json"))?;
    let pid = state["State"]["Pid"].as_u64();
    pid.filter(|pid| *pid > 0)
        .with_context(|| format!("{name} does not run"))
}

/// When Docker noted that event of the container, in Unix milliseconds; the container may be gone again.
fn noted(docker: &Docker, name: &str, event: &str, since: f64) -> anyhow::Result<f64> {
    let filters =
        format!("%7B%22container%22%3A%5B%22{name}%22%5D%2C%22event%22%3A%5B%22{event}%22%5D%7D");
    // Docker ends such a stream at the time that is named: now. A note that is not there yet is asked for again.
    let note = wait_until("Docker's note", NOTED_WITHIN, || {
        let path = format!(
            "/events?since={:.3}&until={:.3}&filters={filters}",
            since / 1_000.0 - 1.0,
            now()? / 1_000.0
        );
        Ok(docker.get(&path).ok())
    })
    .with_context(|| format!("Docker noted no {event} of {name}, or more than one"))?;
    let nanos = note["timeNano"].as_u64().context("the note has no time")?;
    Ok(nanos as f64 / 1e6)
}

/// When the agent saw the memory free for the `run`th time, in ms of the day.
fn freed(log: &Path, run: usize) -> anyhow::Result<f64> {
    let line = wait_until("the GPU's memory to be verified free", GONE_WITHIN, || {
        let text = fs::read_to_string(log).context("the agent's log cannot be read")?;
        let mut lines = text
            .lines()
            .filter(|line| line.contains("memory is free of the job"));
        Ok(lines.nth(run).map(str::to_owned))
    })?;
    of_day(&line).with_context(|| format!("the agent's log reads otherwise than expected: {line}"))
}

/// The milliseconds of the day at the head of a line, `2026-01-31T12:00:00.5Z`.
fn of_day(line: &str) -> Option<f64> {
    let (_, clock) = line.split_once('T')?;
    let (clock, _) = clock.split_once('Z')?;
    let mut parts = clock.split(':');
    let mut next = || parts.next()?.parse::<f64>().ok();
    let (hours, minutes, seconds) = (next()?, next()?, next()?);
    Some(((hours * 60.0 + minutes) * 60.0 + seconds) * 1_000.0)
}

fn spec(image: &str) -> anyhow::Result<String> {
    let cores = thread::available_parallelism()?;
    Ok(format!(
        "services:\n  spinner:\n    image: {image}\n    command: [\"--width\", \"1280\", \"--height\", \"720\", \"--samples\", \"60000\"]\n    deploy:\n      resources:\n        limits:\n          cpus: \"{cores}\"\n          memory: 512m\n    x-sublet:\n      max_price_per_hour: 0.50\n      deadline: 2h\n      outputs:\n        - /out/picture.png\n"
    ))
}

/// A simulated card, and who frees its memory.
struct Card {
    library: PathBuf,
}

/// Somebody waits for the job's process to go.
struct Holding {
    thread: thread::JoinHandle<anyhow::Result<()>>,
    given_up: Arc<AtomicBool>,
}

impl Card {
    fn lay(ground: &Ground) -> anyhow::Result<Card> {
        let library = ground.run_folder().join("libnvml_sim.so");
        let built = ground.folders().built(Kind::Release, "libnvml_sim.so")?;
        fs::copy(built, &library).context("the simulated driver cannot be copied")?;
        let card = Card { library };
        card.show(FREE_MIB)?;
        Ok(card)
    }

    fn show(&self, used_mib: u64) -> anyhow::Result<()> {
        show(&self.library, used_mib)
    }

    /// The job takes memory; its driver frees it a moment after the process is gone.
    fn hold_until_gone(&self, process: u64) -> anyhow::Result<Holding> {
        self.show(TAKEN_MIB)?;
        let library = self.library.clone();
        let given_up = Arc::new(AtomicBool::new(false));
        let stop = given_up.clone();
        let thread = thread::spawn(move || {
            let proc = PathBuf::from(format!("/proc/{process}"));
            while proc.exists() && !stop.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(5));
            }
            thread::sleep(CLEARS_AFTER);
            show(&library, FREE_MIB)
        });
        Ok(Holding { thread, given_up })
    }
}

impl Holding {
    fn join(self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !self.thread.is_finished() {
            if begun.elapsed() > GONE_WITHIN {
                self.given_up.store(true, Ordering::Relaxed);
                bail!("the job's process did not go");
            }
            thread::sleep(Duration::from_millis(5));
        }
        match self.thread.join() {
            Ok(outcome) => outcome,
            Err(_) => bail!("whoever frees the simulated memory failed"),
        }
    }
}

/// Writes the simulated world; the simulator reads the old one or the new one and nothing between.
fn show(library: &Path, used_mib: u64) -> anyhow::Result<()> {
    let world = library.with_file_name("scenario.toml");
    let beside = world.with_extension("new");
    let text =
        format!("[[gpu]]\nuuid = \"{UUID}\"\ntemperature_c = 50\nmemory_used_mib = {used_mib}\n");
    fs::write(&beside, text)
        .and_then(|()| fs::rename(&beside, &world))
        .context("the simulated world cannot be written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let mut values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(percentile(&mut values, 50), Some(100.0));
        assert_eq!(percentile(&mut values, 99), Some(198.0));
        assert_eq!(percentile(&mut values, 100), Some(200.0));
        assert_eq!(percentile(&mut [], 50), None);
    }

    #[test]
    fn the_time_of_a_log_line_is_read() {
        let line = "2026-01-31T01:02:03.500000Z  INFO sublet: a thing";
        assert_eq!(of_day(line), Some(3_723_500.0));
        assert_eq!(of_day("no time"), None);
    }
}
