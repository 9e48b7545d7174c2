//! What the agent takes while nothing is rented, beside BOINC's client while it has no project.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::Bench;
use super::figure::{Bar, Figure};
use super::footprint::Footprint;
use super::rented::Rented;
use crate::cargo_build::Kind;
use crate::ground::Ground;
use crate::interrupt;
use crate::packages::program;
use crate::process::Life;

/// Until both have done what they do at their start.
const SETTLE: Duration = Duration::from_secs(20);
const WINDOW: Duration = Duration::from_secs(120);
/// How often their threads are looked at, so that one that ends is counted until then.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const PEER: &str = "BOINC's client without a project";
const CARD: &str = "[[gpu]]\nname = \"NVIDIA GeForce RTX 4090\"\ntemperature_c = 40\n";

pub fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    bench.folders.build(
        bench.console,
        Kind::Release,
        &["sublet-agent", "sublet-market", "nvml-sim"],
    )?;
    let mut ground = Ground::prepare(bench.console, bench.folders, Life::WithUs)?;
    let library = ground.run_folder().join("libnvml_sim.so");
    fs::copy(
        bench.folders.built(Kind::Release, "libnvml_sim.so")?,
        &library,
    )
    .context("the simulated driver cannot be copied")?;
    fs::write(library.with_file_name("scenario.toml"), CARD)?;
    let rented = Rented::start(&mut ground, &[], &[("SUBLET_NVML_LIBRARY", library)])?;
    rented.until("a reading of the card", |status| {
        let gpus = status["gpus"].as_array();
        gpus.is_some_and(|gpus| {
            gpus.iter()
                .any(|gpu| gpu["telemetry"]["temperature_c"] == 40)
        })
    })?;
    let peer = boinc(&mut ground)?;
    let task = bench.console.task(&format!(
        "Watching both for {} s",
        (SETTLE + WINDOW).as_secs()
    ));
    let rest = watch(rented.agent, peer)?;
    task.done();
    ground.clean(bench.console)?;
    Ok(rest)
}

/// BOINC's client with a data folder of its own.
fn boinc(ground: &mut Ground) -> anyhow::Result<u32> {
    let folder = ground.run_folder().join("boinc");
    fs::create_dir_all(&folder)?;
    let mut command = Command::new(program("boinc").context("boinc is not installed")?);
    command
        .arg("--dir")
        .arg(&folder)
        .args([
            "--no_gui_rpc",
            "--no_info_fetch",
            "--allow_multiple_clients",
        ])
        .current_dir(&folder);
    Ok(ground.start("bench-boinc", command)?.id())
}

/// Both at the same time, so that what else goes on concerns both.
fn watch(ours: u32, peers: u32) -> anyhow::Result<Vec<Figure>> {
    wait(SETTLE)?;
    let (mut ours, mut peers) = (Footprint::of(ours)?, Footprint::of(peers)?);
    let begun = Instant::now();
    while begun.elapsed() < WINDOW {
        wait(LOOK_EVERY)?;
        ours.look()?;
        peers.look()?;
    }
    let permille = |footprint: &Footprint| footprint.cpu_ms() / begun.elapsed().as_secs_f64();
    let figure = |title: &str, unit, ours, peers, bar, note: String| Figure {
        title: title.to_owned(),
        unit,
        ours,
        peer: PEER,
        peers,
        bar,
        note,
    };
    let setting = format!(
        "Both run at the same time. The agent has a session with a marketplace, heartbeats, asks Docker how it is, and reads \
         one (simulated) NVIDIA card each second. Processor time of all threads over {} s, after {} s to settle; memory is \
         the highest since the start.",
        WINDOW.as_secs(),
        SETTLE.as_secs()
    );
    Ok(vec![
        figure(
            "Memory at rest",
            "MiB",
            ours.peak_mib()?,
            peers.peak_mib()?,
            Bar::AtMost(1.0),
            setting,
        ),
        figure(
            "Processor time at rest",
            "ms a second",
            permille(&ours),
            permille(&peers),
            Bar::AtMost(1.5),
            String::new(),
        ),
    ])
}

fn wait(how_long: Duration) -> anyhow::Result<()> {
    let until = Instant::now() + how_long;
    while Instant::now() < until {
        interrupt::check()?;
        thread::sleep(LOOK_EVERY.min(until.saturating_duration_since(Instant::now())));
    }
    Ok(())
}
