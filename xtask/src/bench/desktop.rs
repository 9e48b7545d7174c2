//! The desktop shell: how soon its window can be used, and what it takes while its window is closed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::Bench;
use super::figure::{Bar, Figure, median, number};
use super::session::Session;
use crate::demo::write_keys;
use crate::desktop::{SHELL, build};
use crate::ground::Ground;
use crate::process::{Life, wait_until};
use crate::run::said;

const STARTS: usize = 7;
const REOPENINGS: usize = 10;
const WITHIN: Duration = Duration::from_secs(60);
/// Until it has given back what it needed for its window alone.
const SETTLE: Duration = Duration::from_secs(15);
/// What the issue asks for.
const START_MS: f64 = 1_000.0;
const AGAIN_MS: f64 = 500.0;
const CLOSED_MB: f64 = 140.0;
/// The page puts the state into the title once the agent has told it: then all is there that can be clicked.
const USABLE: &str = "^(Yours|Ready to rent|Renting|Waiting|Needs you) · Sublet$";

pub fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    build(bench.console, bench.folders, bench.kind)?;
    bench
        .folders
        .build(bench.console, bench.kind, &["sublet-agent"])?;
    let mut ground = Ground::prepare(bench.console, bench.folders, Life::WithUs)?;
    let session = Session::start(&mut ground)?;
    let data = start_agent(bench, &mut ground)?;

    let task = bench.console.task(&format!("Starting it {STARTS} times"));
    let mut starts = Vec::new();
    // The first one warms every cache; it does not count.
    for round in 0..=STARTS {
        let begun = Instant::now();
        let mut command = Command::new(bench.folders.built(bench.kind, SHELL)?);
        session.dress(&mut command);
        command.env("SUBLET_DATA", &data);
        let shell = ground.start("bench-shell", command)?;
        until_usable(&session)?;
        if round > 0 {
            starts.push(ms(begun));
        }
        if round < STARTS {
            shell.stop()?;
            until_closed(&session)?;
        }
    }
    task.done();

    let task = bench.console.task(&format!(
        "Closing its window and making it again, {REOPENINGS} times"
    ));
    let shell = shell_of(&session)?;
    let open = pss_mb(shell)?;
    let icon = session.icon()?;
    let mut agains = Vec::new();
    let mut closed = 0.0;
    for round in 0..=REOPENINGS {
        let window = until_usable(&session)?;
        session.close(&window)?;
        until_closed(&session)?;
        if round == REOPENINGS {
            thread::sleep(SETTLE);
            closed = pss_mb(shell)?;
            break;
        }
        let begun = Instant::now();
        session.click(&icon)?;
        until_usable(&session)?;
        agains.push(ms(begun));
    }
    task.done();
    ground.clean(bench.console)?;

    let figure = |title: &str, unit, ours, limit, note: String| Figure {
        title: title.to_owned(),
        unit,
        ours,
        peer: "the limit",
        peers: limit,
        bar: Bar::AtMost(1.0),
        note,
    };
    let middle = |times: &mut [f64]| median(times).context("nothing was measured");
    Ok(vec![
        figure(
            "Window usable after the start",
            "ms",
            middle(&mut starts)?,
            START_MS,
            format!(
                "Median of {STARTS} starts under Xvfb with openbox, from starting the program until its window is shown and says \
                 the state in its title, which the page has from the agent by then. The agent runs already."
            ),
        ),
        figure(
            "Window made again from the tray",
            "ms",
            middle(&mut agains)?,
            AGAIN_MS,
            format!("Median of {REOPENINGS} clicks on the icon over D-Bus, to the same sign."),
        ),
        figure(
            "Memory with the window closed",
            "MB",
            closed,
            CLOSED_MB,
            format!(
                "Proportional set size of the shell and all its processes but the agent, {} s after the window was closed for \
                 the {}th time; {} MB with its window open.",
                SETTLE.as_secs(),
                REOPENINGS + 1,
                number(open),
            ),
        ),
    ])
}

/// An agent that knows a marketplace which is not there: it answers the shell, and that is all that counts here. What
/// comes back is its data folder.
fn start_agent(bench: &Bench, ground: &mut Ground) -> anyhow::Result<PathBuf> {
    let sublet = bench.folders.built(bench.kind, "sublet")?;
    let run = ground.run_folder().to_owned();
    let (data, credentials) = (run.join("agent"), run.join("credentials"));
    write_keys(&credentials)?;
    let mut agent = Command::new(&sublet);
    agent
        .args(["run", "--market", "http://127.0.0.1:9", "--data"])
        .arg(&data)
        .env("CREDENTIALS_DIRECTORY", &credentials);
    ground.start("bench-agent", agent)?;
    wait_until("the agent", WITHIN, || {
        let mut status = Command::new(&sublet);
        status.args(["status", "--json", "--data"]).arg(&data);
        // 4 says that the owner is needed, beside the answer.
        let code = status.output()?.status.code();
        Ok(matches!(code, Some(0 | 4)).then_some(()))
    })?;
    Ok(data)
}

fn ms(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1_000.0
}

/// Looks as often as it can, and returns the window.
fn until_usable(session: &Session) -> anyhow::Result<String> {
    let begun = Instant::now();
    while begun.elapsed() < WITHIN {
        if let Some(window) = session.window(USABLE)? {
            return Ok(window);
        }
    }
    bail!("the window did not come within {} s", WITHIN.as_secs())
}

fn until_closed(session: &Session) -> anyhow::Result<()> {
    wait_until("the window's end", WITHIN, || {
        Ok(session.window(USABLE)?.is_none().then_some(()))
    })
}

/// The process that owns the window.
fn shell_of(session: &Session) -> anyhow::Result<u32> {
    let window = until_usable(session)?;
    let mut ask = Command::new("xdotool");
    ask.args(["getwindowpid", &window]);
    session.dress(&mut ask);
    Ok(said(&mut ask)?.trim().parse()?)
}

/// What a process and all that it started hold of the memory, shared pages in parts, in MB.
fn pss_mb(first: u32) -> anyhow::Result<f64> {
    let mut kib = 0;
    let mut all = vec![first];
    while let Some(id) = all.pop() {
        all.extend(children(id));
        let rollup = Path::new("/proc").join(id.to_string()).join("smaps_rollup");
        // One that ends while it is looked at holds nothing.
        let text = fs::read_to_string(rollup).unwrap_or_default();
        kib += pss_kib(&text).unwrap_or(0);
    }
    if kib == 0 {
        bail!("process {first} is gone");
    }
    Ok(kib as f64 * 1024.0 / 1e6)
}

fn children(id: u32) -> Vec<u32> {
    let mut children = Vec::new();
    // One that ends while it is looked at has none.
    let tasks = fs::read_dir(format!("/proc/{id}/task"))
        .into_iter()
        .flatten();
    for task in tasks.flatten() {
        let text = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        children.extend(
            text.split_whitespace()
                .filter_map(|id| id.parse::<u32>().ok()),
        );
    }
    children
}

fn pss_kib(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_memory_is_read() {
        assert_eq!(pss_kib("Rss:  9 kB\nPss:     1234 kB\n"), Some(1_234));
        assert_eq!(pss_kib(""), None);
    }

    #[test]
    fn a_process_counts_with_those_it_started() -> anyhow::Result<()> {
        let alone = pss_mb(std::process::id())?;
        let mut child = Command::new("sleep").arg("20").spawn()?;
        let found = children(std::process::id()).contains(&child.id());
        child.kill()?;
        child.wait()?;
        assert!(found && alone > 0.5, "{found} {alone}");
        Ok(())
    }
}
