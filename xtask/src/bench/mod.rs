//! `cargo xtask bench`: the figures of docs/benchmarks.md, each beside a peer or a limit measured in the same run.

mod figure;
mod heartbeats;
mod page;

use std::process::ExitCode;

use anyhow::bail;

use crate::BenchArgs;
use crate::cargo_build::Folders;
use crate::console::Console;
use crate::machine;
use crate::packages::{self, Purpose};
use figure::Figure;

/// What a measurement has at hand.
struct Bench<'a> {
    console: &'a Console,
    folders: &'a Folders,
}

type Measure = fn(&Bench) -> anyhow::Result<Vec<Figure>>;

/// Every measurement, by the name it is asked for.
const MEASURES: [(&str, Measure); 1] = [("heartbeats", heartbeats::measure)];

pub fn bench(console: &Console, args: &BenchArgs) -> anyhow::Result<ExitCode> {
    let wanted = chosen(args.name.as_deref())?;
    let folders = Folders::find()?;
    packages::ensure(
        console,
        machine::supported()?,
        &[Purpose::Build, Purpose::Run, Purpose::Bench],
        args.set_up.yes,
        &folders.logs(),
    )?;
    let bench = Bench {
        console,
        folders: &folders,
    };
    let page = folders.root().join("docs/benchmarks.md");
    let mut missed = Vec::new();
    for (name, measure) in wanted {
        console.heading(name);
        let figures = measure(&bench)?;
        page::write(&page, name, &figures)?;
        for figure in &figures {
            console.result(&figure.line());
            if !figure.met() {
                missed.push(figure.title.clone());
            }
        }
    }
    console.say(&format!("Written to {}.", page.display()));
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

fn chosen(name: Option<&str>) -> anyhow::Result<Vec<(&'static str, Measure)>> {
    let Some(name) = name else {
        return Ok(MEASURES.to_vec());
    };
    match MEASURES.iter().find(|(known, _)| *known == name) {
        Some(found) => Ok(vec![*found]),
        None => {
            let names: Vec<_> = MEASURES.iter().map(|(known, _)| *known).collect();
            bail!(
                "there is no figure `{name}`. These are measured: {}.",
                names.join(", ")
            )
        }
    }
}
