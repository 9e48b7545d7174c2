//! `cargo xtask bench`: the figures of docs/benchmarks.md, each beside a peer or a limit measured in the same run.

mod desktop;
mod figure;
mod footprint;
mod heartbeats;
mod job;
mod newcomer;
mod page;
mod proc_stat;
mod reclaim;
mod rented;
mod rest;
mod session;
mod start;
mod x_input;

use std::process::ExitCode;

use anyhow::bail;

use crate::BenchArgs;
use crate::cargo_build::{Folders, Kind};
use crate::console::Console;
use crate::machine;
use crate::packages::{self, Purpose};
use figure::Figure;

/// What a measurement has at hand.
struct Bench<'a> {
    console: &'a Console,
    folders: &'a Folders,
    /// How what is measured is compiled.
    kind: Kind,
}

/// One measurement: one or more figures that are taken together.
#[derive(Clone, Copy)]
struct Measure {
    name: &'static str,
    purposes: &'static [Purpose],
    /// It takes longer than all others together: measured only when it is named.
    long: bool,
    take: fn(&Bench) -> anyhow::Result<Vec<Figure>>,
}

const MEASURES: [Measure; 7] = [
    Measure {
        name: "heartbeats",
        purposes: &[Purpose::Build],
        long: false,
        take: heartbeats::measure,
    },
    Measure {
        name: "start",
        purposes: &[Purpose::Build, Purpose::Run],
        long: false,
        take: start::measure,
    },
    Measure {
        name: "job",
        purposes: &[Purpose::Build, Purpose::Run, Purpose::Transfer],
        long: false,
        take: job::measure,
    },
    Measure {
        name: "reclaim",
        purposes: &[Purpose::Build, Purpose::Run, Purpose::Display],
        take: reclaim::measure,
        long: false,
    },
    Measure {
        name: "rest",
        purposes: &[Purpose::Build, Purpose::Run, Purpose::Bench],
        long: false,
        take: rest::measure,
    },
    Measure {
        name: "desktop",
        purposes: &[
            Purpose::Build,
            Purpose::Run,
            Purpose::Pages,
            Purpose::Desktop,
        ],
        long: false,
        take: desktop::measure,
    },
    Measure {
        name: "newcomer",
        purposes: &[Purpose::Build, Purpose::Run, Purpose::Test, Purpose::Pages],
        long: true,
        take: newcomer::measure,
    },
];

pub fn bench(console: &Console, args: &BenchArgs) -> anyhow::Result<ExitCode> {
    let wanted = chosen(args.name.as_deref())?;
    let folders = Folders::find()?;
    let mut purposes: Vec<Purpose> = Vec::new();
    for purpose in wanted.iter().flat_map(|measure| measure.purposes) {
        if !purposes.contains(purpose) {
            purposes.push(*purpose);
        }
    }
    packages::ensure(
        console,
        machine::supported()?,
        &purposes,
        args.set_up.yes,
        &folders.logs(),
    )?;
    let bench = Bench {
        console,
        folders: &folders,
        kind: if args.dev { Kind::Dev } else { Kind::Release },
    };
    let page = folders.root().join("docs/benchmarks.md");
    let mut missed = Vec::new();
    for measure in wanted {
        console.heading(measure.name);
        let figures = (measure.take)(&bench)?;
        if !args.dev {
            page::write(&page, measure.name, &figures)?;
        }
        for figure in &figures {
            console.result(&figure.line());
            if !figure.met() {
                missed.push(figure.title.clone());
            }
        }
    }
    if !args.dev {
        console.say(&format!("Written to {}.", page.display()));
    }
    if missed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    console.say(&format!("Below its bar: {}.", missed.join("; ")));
    Ok(if args.check {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn chosen(name: Option<&str>) -> anyhow::Result<Vec<Measure>> {
    let Some(name) = name else {
        return Ok(MEASURES
            .into_iter()
            .filter(|measure| !measure.long)
            .collect());
    };
    match MEASURES.iter().find(|measure| measure.name == name) {
        Some(found) => Ok(vec![*found]),
        None => {
            let names: Vec<_> = MEASURES.iter().map(|measure| measure.name).collect();
            bail!(
                "there is no figure `{name}`. These are measured: {}.",
                names.join(", ")
            )
        }
    }
}
