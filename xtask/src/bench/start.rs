//! How long a job takes from its submission until its container runs, beside a plain `docker run` of the same image.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;

use super::Bench;
use super::figure::{Bar, Figure, median};
use super::rented::Rented;
use crate::cargo_build::Kind;
use crate::docker::Docker;
use crate::ground::Ground;
use crate::packages::program;
use crate::process::{Life, wait_until};
use crate::run::said;

const ROUNDS: usize = 20;
const JOB_WITHIN: Duration = Duration::from_secs(120);
/// The least that the sample job can do.
const WORDS: [&str; 6] = ["--width", "64", "--height", "36", "--samples", "1"];

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
    let figures = rounds(bench, &ground, &rented, &image)?;
    ground.clean(bench.console)?;
    Ok(figures)
}

/// Turn by turn, so that a machine that grows slower or faster does so for all of them.
fn rounds(
    bench: &Bench,
    ground: &Ground,
    rented: &Rented,
    image: &str,
) -> anyhow::Result<Vec<Figure>> {
    let docker = ground.docker();
    let spec = spec(image);
    // The first round brings the image and warms every cache; it does not count.
    let (mut leased, mut plain, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let task = bench
            .console
            .task(&format!("Starting containers, round {round} of {ROUNDS}"));
        rented.until_ready()?;
        let ours = lease(docker, rented, &spec)?;
        rented.until_ready()?;
        let dockers = run(docker, image, &[])?;
        let without = run(docker, image, &["--network", "none"])?;
        if round > 0 {
            leased.push(ours);
            plain.push(dockers);
            bare.push(without);
        }
        task.done();
    }
    let middle = |times: &mut [f64]| median(times).context("nothing was measured");
    let figure = |peer, peers: &mut [f64], bar, note: &str, leased: &mut [f64]| {
        anyhow::Ok(Figure {
            title: "From submission to a running container".to_owned(),
            unit: "ms",
            ours: middle(leased)?,
            peer,
            peers: middle(peers)?,
            bar,
            note: note.to_owned(),
        })
    };
    let setting = format!(
        "Medians of {ROUNDS} rounds, in turns, of an image that is there already. Ours begins when the renter's request is \
         sent, so matching and granting count too, and has a volume for outputs and the whole of the sandbox; Docker's \
         begins when its program is started. Both end with Docker's own note of the container's start. Marketplace, agent \
         and Docker share one machine."
    );
    Ok(vec![
        figure(
            "a plain `docker run`",
            &mut plain,
            Bar::AtMost(1.3),
            &setting,
            &mut leased,
        )?,
        figure(
            "`docker run --network none`",
            &mut bare,
            Bar::None,
            "",
            &mut leased,
        )?,
    ])
}

/// Milliseconds from sending the job to the start of its container.
fn lease(docker: &Docker, rented: &Rented, spec: &str) -> anyhow::Result<f64> {
    let sent = now()?;
    let job = rented.submit(spec)?;
    let view = wait_until("the job to be done", JOB_WITHIN, || {
        let view = rented.job(&job)?;
        let over = !matches!(view["state"].as_str(), Some("queued" | "leased"));
        Ok(over.then_some(view))
    })?;
    let lease = view["leases"][0]["lease"].as_str();
    let done = view["state"] == "completed";
    let lease = lease
        .filter(|_| done)
        .with_context(|| format!("the job did not go well: {view}"))?;
    Ok(started(docker, &format!("sublet-{lease}"), sent)? - sent)
}

/// Milliseconds from starting `docker run` to the start of its container.
fn run(docker: &Docker, image: &str, more: &[&str]) -> anyhow::Result<f64> {
    let name = format!("sublet-bench-{}", std::process::id());
    let mut command = Command::new(program("docker").context("docker is not installed")?);
    command
        .env("DOCKER_HOST", docker.host())
        .args(["run", "--detach", "--name", &name])
        .args(more)
        .arg(image)
        .args(WORDS);
    let sent = now()?;
    said(&mut command)?;
    let at = started(docker, &name, sent)?;
    docker.delete(&format!("/containers/{name}?force=1&v=1"))?;
    Ok(at - sent)
}

/// When Docker started the container of that name, in Unix milliseconds; it may be gone again.
pub(super) fn started(docker: &Docker, name: &str, since: f64) -> anyhow::Result<f64> {
    noted(docker, name, "start", since)
}

/// When it ended.
pub(super) fn ended(docker: &Docker, name: &str, since: f64) -> anyhow::Result<f64> {
    noted(docker, name, "die", since)
}

fn noted(docker: &Docker, name: &str, what: &str, since: f64) -> anyhow::Result<f64> {
    let filters =
        format!("%7B%22container%22%3A%5B%22{name}%22%5D%2C%22event%22%3A%5B%22{what}%22%5D%7D");
    let path = format!(
        "/events?since={:.3}&until={:.3}&filters={filters}",
        since / 1_000.0,
        now()? / 1_000.0
    );
    let event = docker
        .get(&path)
        .with_context(|| format!("Docker noted no {what} of {name}, or more than one"))?;
    let nanos = event["timeNano"]
        .as_u64()
        .context("Docker's note has no time")?;
    Ok(nanos as f64 / 1e6)
}

/// The time in Unix milliseconds.
pub fn now() -> anyhow::Result<f64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(since.as_secs_f64() * 1_000.0)
}

fn spec(image: &str) -> String {
    let words: Vec<String> = WORDS.iter().map(|word| format!("\"{word}\"")).collect();
    format!(
        "services:\n  path-tracer:\n    image: {image}\n    command: [{}]\n    deploy:\n      resources:\n        limits:\n          cpus: \"2\"\n          memory: 1g\n    x-sublet:\n      gpu:\n        allow_software: true\n      max_price_per_hour: 0.50\n      deadline: 10m\n      outputs:\n        - /out/picture.png\n",
        words.join(", ")
    )
}
