//! `cargo xtask demo`: one job, the whole way, on this machine.

use std::process::ExitCode;

use crate::DemoArgs;
use crate::cargo_build::{Folders, Kind};
use crate::console::Console;
use crate::ground::Ground;
use crate::machine;
use crate::packages::{self, Purpose};
use crate::process::Life;

pub fn demo(console: &Console, args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let folders = Folders::find()?;
    packages::ensure(
        console,
        machine::supported()?,
        &[Purpose::Build, Purpose::Run],
        args.set_up.yes,
        &folders.logs(),
    )?;
    folders.build(console, Kind::Dev, &["sublet-agent", "sublet-market"])?;
    let life = if args.keep { Life::Stays } else { Life::WithUs };
    let ground = Ground::prepare(console, &folders, life)?;
    let image = ground.sample_image(console)?;
    console.say(&format!("The sample job is {image}."));
    if args.keep {
        let stop = ground.keep()?;
        console.result(&format!("Everything is left running. To end it: {stop}"));
    } else {
        ground.clean(console)?;
    }
    Ok(ExitCode::SUCCESS)
}
