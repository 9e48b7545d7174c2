//! What a job of ours costs beside a plain `docker run` of the same image: until it starts, and while it computes. And
//! files: how fast an input comes beside curl, and how much memory the agent needs for files of any size.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::Bench;
use super::figure::{Bar, Figure, median};
use super::rented::Rented;
use super::start::{ended, now, started};
use crate::cargo_build::Kind;
use crate::docker::Docker;
use crate::ground::Ground;
use crate::packages::program;
use crate::process::{Life, wait_until};
use crate::run::said;

/// Pairs of a job and a `docker run`; one more warms up.
const PAIRS: usize = 20;
/// Rounds of an input and of curl.
const ROUNDS: usize = 5;
const JOB_WITHIN: Duration = Duration::from_secs(15 * 60);
/// Some seconds of computing, on all cores.
const WORDS: [&str; 6] = ["--width", "480", "--height", "270", "--samples", "24"];
const MIB: u64 = 1 << 20;
/// The input whose way is timed.
const INPUT_MIB: u64 = 1024;
/// Files whose size must not show in the agent's memory.
const SMALL_MIB: u64 = 64;
const LARGE_MIB: u64 = 2048;

pub fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    bench.folders.build(
        bench.console,
        Kind::Release,
        &["sublet-agent", "sublet-market"],
    )?;
    let mut ground = Ground::prepare(bench.console, bench.folders, Life::WithUs)?;
    let image = ground.sample_image(bench.console)?;
    let rented = Rented::start(&mut ground, &["--allow-software-gpu"], &[])?;
    rented.owner(&["bench"])?;
    let mut figures = pairs(bench, &ground, &rented, &image)?;
    figures.push(input(bench, &ground, &rented, &image)?);
    figures.push(memory(bench, &ground, &rented, &image)?);
    ground.clean(bench.console)?;
    Ok(figures)
}

/// Turn by turn, so that a machine that grows slower or faster does so for both.
fn pairs(
    bench: &Bench,
    ground: &Ground,
    rented: &Rented,
    image: &str,
) -> anyhow::Result<Vec<Figure>> {
    let docker = ground.docker();
    let spec = spec(image, &WORDS, "", "/out/picture.png");
    let (mut starts, mut plain_starts) = (Vec::new(), Vec::new());
    let (mut works, mut plain_works) = (Vec::new(), Vec::new());
    // The first pair brings the image and warms every cache; it does not count.
    for pair in 0..=PAIRS {
        let task = bench
            .console
            .task(&format!("A job beside a container, pair {pair} of {PAIRS}"));
        rented.until_ready()?;
        let sent = now()?;
        let lease = done(rented, &rented.submit(&spec)?)?;
        let (begun, over) = run_of(docker, &format!("sublet-{lease}"), sent)?;
        rented.until_ready()?;
        let name = format!("sublet-bench-{}", std::process::id());
        let plain_sent = now()?;
        let mut run = Command::new(program("docker").context("docker is not installed")?);
        run.env("DOCKER_HOST", docker.host())
            .args(["run", "--name", &name, "--tmpfs", "/out", image])
            .args(WORDS);
        said(&mut run)?;
        let (plain_begun, plain_over) = run_of(docker, &name, plain_sent)?;
        docker.delete(&format!("/containers/{name}?force=1&v=1"))?;
        if pair > 0 {
            starts.push(begun - sent);
            plain_starts.push(plain_begun - plain_sent);
            works.push(over - begun);
            plain_works.push(plain_over - plain_begun);
        }
        task.done();
    }
    let middle = |times: &mut [f64]| median(times).context("nothing was measured");
    Ok(vec![
        Figure {
            title: "A job's start".to_owned(),
            unit: "ms",
            ours: middle(&mut starts)?,
            peer: "a plain `docker run`",
            peers: middle(&mut plain_starts)?,
            bar: Bar::AtMost(1.15),
            note: format!(
                "Medians of {PAIRS} pairs, in turns, of the same image. Ours begins when the renter's request is sent, \
                 Docker's when its program is started; both end with Docker's own note of the container's start."
            ),
        },
        Figure {
            title: "CPU-bound work of a job".to_owned(),
            unit: "ms",
            ours: middle(&mut works)?,
            peer: "a plain `docker run`",
            peers: middle(&mut plain_works)?,
            bar: Bar::AtMost(1.02),
            note: "The same pairs, from Docker's note of the container's start to that of its end: a picture that is \
                   traced on all cores, ours in the sandbox, with its log followed and its disk watched, Docker's without \
                   any limit."
                .to_owned(),
        },
    ])
}

/// How fast an input comes, is checked and is on the disk, beside what curl makes of the same blob.
fn input(bench: &Bench, ground: &Ground, rented: &Rented, image: &str) -> anyhow::Result<Figure> {
    let run = ground.run_folder();
    let (spec, file) = (run.join("input.yaml"), run.join("input.bin"));
    write_file(&file, INPUT_MIB)?;
    let lines = "      inputs: {/in/data: ./input.bin}\n";
    let text = spec_with(image, &["copy", "/in/data", "/dev/null"], lines, None);
    fs::write(&spec, text)?;
    let cid = rented.cid_of(&spec, "/in/data")?;
    let (mut ours, mut curls, mut given) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let task = bench
            .console
            .task(&format!("An input beside curl, round {round} of {ROUNDS}"));
        rented.until_ready()?;
        let begun = now()?;
        let lease = done(rented, &rented.submit_file(&spec)?)?;
        let told = rented.fetched(bench.folders, &cid)?;
        let (at, _) = run_of(ground.docker(), &format!("sublet-{lease}"), begun)?;
        // So that it comes again.
        fs::remove_file(rented.kept_input(&cid))?;
        let target = run.join("curl.bin");
        let curled = rented.curl(&cid, &target)?;
        fs::remove_file(&target)?;
        if round > 0 {
            ours.push(INPUT_MIB as f64 / told);
            curls.push(INPUT_MIB as f64 / curled);
            given.push((at - begun) / 1_000.0);
        }
        task.done();
    }
    fs::remove_file(&file)?;
    let middle = |rates: &mut [f64]| median(rates).context("nothing was measured");
    Ok(Figure {
        title: format!("An input of {INPUT_MIB} MiB"),
        unit: "MiB/s",
        ours: middle(&mut ours)?,
        peer: "curl, into a file",
        peers: middle(&mut curls)?,
        bar: Bar::AtLeast(0.5),
        note: format!(
            "Medians of {ROUNDS} rounds over loopback, in turns. Ours is hashed while it comes, and flushed to the disk \
             before it counts. From the submission of a job until its container starts with the input in it, which is \
             one more copy, by way of Docker, it is {:.1} s.",
            middle(&mut given)?
        ),
    })
}

/// The agent's peak of memory while a file comes, goes into a job, comes out of it, is sealed and is sent.
fn memory(bench: &Bench, ground: &Ground, rented: &Rented, image: &str) -> anyhow::Result<Figure> {
    let run = ground.run_folder();
    let mut peaks = Vec::new();
    for mib in [SMALL_MIB, LARGE_MIB] {
        let task = bench
            .console
            .task(&format!("{mib} MiB in and out of a job"));
        let (spec, file) = (run.join("memory.yaml"), run.join("memory.bin"));
        write_file(&file, mib)?;
        let lines = "      inputs: {/in/data: ./memory.bin}\n";
        let words = ["copy", "/in/data", "/out/data"];
        fs::write(&spec, spec_with(image, &words, lines, Some("/out/data")))?;
        rented.until_ready()?;
        reset_peak(rented.agent)?;
        done(rented, &rented.submit_file(&spec)?)?;
        peaks.push(peak_mib(rented.agent)?);
        fs::remove_file(&file)?;
        task.done();
    }
    let [small, large] = peaks[..] else {
        bail!("two peaks were expected");
    };
    Ok(Figure {
        title: format!("The agent's peak of memory, {LARGE_MIB} MiB in and out"),
        unit: "MiB",
        ours: large,
        peer: "the same with 64 MiB",
        peers: small,
        bar: Bar::AtMost(1.25),
        note: "Resident memory at its highest, as the kernel counts it, from the submission until the job is paid: the \
               file is fetched, verified, handed to the job, written by it, taken out, sealed and uploaded."
            .to_owned(),
    })
}

/// The lease of a job, once the job is completed.
fn done(rented: &Rented, job: &str) -> anyhow::Result<String> {
    let view = wait_until("the job to be done", JOB_WITHIN, || {
        let view = rented.job(job)?;
        let over = !matches!(view["state"].as_str(), Some("queued" | "leased"));
        Ok(over.then_some(view))
    })?;
    ensure!(
        view["state"] == "completed",
        "the job did not go well: {view}"
    );
    let lease = view["leases"][0]["lease"].as_str();
    lease.map(str::to_owned).context("the job had no lease")
}

/// When a container started and when it ended, by Docker's notes.
fn run_of(docker: &Docker, name: &str, since: f64) -> anyhow::Result<(f64, f64)> {
    Ok((started(docker, name, since)?, ended(docker, name, since)?))
}

fn spec(image: &str, words: &[&str], lines: &str, output: &str) -> String {
    spec_with(image, words, lines, Some(output))
}

fn spec_with(image: &str, words: &[&str], lines: &str, output: Option<&str>) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let outputs = output.map_or_else(String::new, |path| format!("      outputs: [{path}]\n"));
    format!(
        "services:\n  job:\n    image: {image}\n    command: [{}]\n    deploy: {{resources: {{limits: {{cpus: \"{cores}\", memory: 1g}}}}}}\n    x-sublet:\n      gpu: {{allow_software: true}}\n      max_price_per_hour: 0.50\n      deadline: 30m\n{outputs}{lines}",
        words.join(", ")
    )
}

/// A file that no disk can make smaller.
fn write_file(path: &Path, mib: u64) -> anyhow::Result<()> {
    let mut file = File::create(path)?;
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut block = vec![0_u8; MIB as usize];
    for _ in 0..mib {
        for word in block.chunks_exact_mut(8) {
            // Marsaglia's xorshift.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        file.write_all(&block)?;
    }
    file.sync_all()?;
    Ok(())
}

fn reset_peak(process: u32) -> anyhow::Result<()> {
    fs::write(format!("/proc/{process}/clear_refs"), "5")
        .context("the kernel does not let go of the peak")
}

fn peak_mib(process: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    Ok(kib.context("the kernel tells no peak")? / 1024.0)
}

impl Rented {
    /// The CID that a job file's input has.
    fn cid_of(&self, spec: &Path, path: &str) -> anyhow::Result<String> {
        let mut validate = Command::new(&self.sublet_market);
        validate.args(["validate", "--json"]).arg(spec);
        let read: Value = serde_json::from_str(&said(&mut validate)?)?;
        let cid = read["inputs"][path].as_str();
        cid.map(str::to_owned).context("the input has no CID")
    }

    /// Submits a job file, with the files that it names; returns the job's id.
    fn submit_file(&self, spec: &Path) -> anyhow::Result<String> {
        let mut submit = Command::new(&self.sublet_market);
        submit
            .args(["submit", "--json"])
            .arg(spec)
            .env("SUBLET_MARKET_URL", format!("http://{}", self.market))
            .env("SUBLET_MARKET_TOKEN_FILE", &self.token_file);
        let told: Value = serde_json::from_str(&said(&mut submit)?)?;
        let job = told["job"].as_str();
        job.map(str::to_owned).context("the job was not named")
    }

    fn kept_input(&self, cid: &str) -> PathBuf {
        self.agent_data.join("inputs").join(cid)
    }

    /// How many seconds an input took the last time, as the agent's log says.
    fn fetched(&self, folders: &crate::cargo_build::Folders, cid: &str) -> anyhow::Result<f64> {
        let log = fs::read_to_string(folders.logs().join("bench-agent.log"))?;
        let mut lines = log.lines().rev();
        let line = lines.find(|line| line.contains("an input is here") && line.contains(cid));
        let ms = line
            .and_then(|line| line.split("ms=").nth(1)?.split_whitespace().next())
            .and_then(|ms| ms.parse::<f64>().ok());
        Ok(ms.context("the agent did not log the input")? / 1_000.0)
    }

    /// How many seconds curl takes for a blob.
    fn curl(&self, cid: &str, target: &Path) -> anyhow::Result<f64> {
        let mut curl = Command::new(program("curl").context("curl is not installed")?);
        curl.args(["--silent", "--show-error", "--fail", "--output"])
            .arg(target)
            .args(["--header", &format!("Authorization: {}", self.bearer)])
            .arg(format!("http://{}/v1/blobs/{cid}", self.market));
        let begun = Instant::now();
        said(&mut curl)?;
        Ok(begun.elapsed().as_secs_f64())
    }
}
