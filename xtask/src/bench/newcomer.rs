//! How long a newcomer waits: the demo and all tests from a fresh clone with nothing built, and the tests once more.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::Bench;
use super::figure::{Bar, Figure};
use crate::run::Run;

/// How long anybody should wait at most.
const DEMO: Duration = Duration::from_secs(12 * 60);
const DEMO_BUILT: Duration = Duration::from_secs(90);
const TEST_COLD: Duration = Duration::from_secs(40 * 60);
const TEST_WARM: Duration = Duration::from_secs(8 * 60);

/// What the demo says when its picture is there.
const SINCE_BUILT: &str = "From the end of the build to here: ";

pub fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let place = bench.folders.kept().join("newcomer");
    remove(&place)?;
    std::fs::create_dir_all(&place)
        .with_context(|| format!("the folder {} cannot be made", place.display()))?;
    let clone = place.join("sublet");
    let mut git = Command::new("git");
    git.args(["clone", "--quiet"])
        .arg(bench.folders.root())
        .arg(&clone);
    Run::new("Cloning", git).in_task(bench.console, &place)?;

    let demo = chore(bench, &place, "Demo, cold", &["demo", "--yes"])?;
    let built = since_built(&place.join("demo--cold.log"))?;
    remove(&place.join("target"))?;
    let cold = chore(bench, &place, "Tests, cold", &["test", "--yes"])?;
    let warm = chore(bench, &place, "Tests, warm", &["test", "--yes"])?;
    remove(&place)?;

    let note = "The last commit, cloned; the folder of built things is empty, the packages of the system and the \
                downloads of cargo and npm are there already.";
    Ok(vec![
        figure("Demo from a fresh clone to the picture", demo, DEMO, note),
        figure("Demo from the end of its build", built, DEMO_BUILT, ""),
        figure("All tests from a fresh clone", cold, TEST_COLD, note),
        figure(
            "All tests once more",
            warm,
            TEST_WARM,
            "Nothing has changed since the run before.",
        ),
    ])
}

fn chore(bench: &Bench, place: &Path, title: &str, words: &[&str]) -> anyhow::Result<Duration> {
    let mut cargo = Command::new("cargo");
    cargo
        .arg("xtask")
        .args(words)
        .current_dir(place.join("sublet"))
        .env("CARGO_TARGET_DIR", place.join("target"));
    let begun = Instant::now();
    Run::new(title, cargo).in_task(bench.console, place)?;
    Ok(begun.elapsed())
}

fn since_built(log: &Path) -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string(log).with_context(|| format!("{}", log.display()))?;
    let said = text.lines().find_map(|line| {
        let span = line.strip_prefix(SINCE_BUILT)?.strip_suffix('.')?;
        duration(span)
    });
    said.with_context(|| {
        let log = log.display();
        format!("the demo did not say how long it took; see {log}")
    })
}

/// `4.2 s`, `40 s`, `2 min 3 s`.
fn duration(span: &str) -> Option<Duration> {
    let (minutes, rest) = match span.split_once(" min ") {
        Some((minutes, rest)) => (minutes.parse::<u64>().ok()?, rest),
        None => (0, span),
    };
    let seconds: f64 = rest.strip_suffix(" s")?.parse().ok()?;
    Some(Duration::from_secs(minutes * 60) + Duration::from_secs_f64(seconds))
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", folder.display()))
        }
        _ => Ok(()),
    }
}

fn figure(title: &str, took: Duration, limit: Duration, note: &str) -> Figure {
    Figure {
        title: title.to_owned(),
        unit: "s",
        ours: took.as_secs_f64(),
        peer: "the limit",
        peers: limit.as_secs_f64(),
        bar: Bar::AtMost(1.0),
        note: note.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_read_as_it_is_written() {
        for seconds in [4.2, 40.0, 203.0] {
            let span = Duration::from_secs_f64(seconds);
            assert_eq!(duration(&crate::console::seconds(span)), Some(span));
        }
        assert_eq!(duration("soon"), None);
    }
}
