//! `cargo xtask demo`: one job, the whole way, on this machine, with the programs a user would start.

mod audit;
mod parties;
mod watch;

use std::process::ExitCode;
use std::time::Instant;

use crate::DemoArgs;
use crate::cargo_build::{Folders, Kind};
use crate::console::{Console, seconds};
use crate::ground::Ground;
use crate::machine;
use crate::packages::{self, Purpose};
use crate::process::Life;
use parties::Parties;
pub use parties::write_keys;

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
    let mut ground = Ground::prepare(console, &folders, life)?;
    let image = ground.sample_image(console)?;
    let built = Instant::now();

    let parties = Parties::start(console, &mut ground)?;
    parties.show_gpus(console)?;
    parties.benchmark(console)?;
    let job = parties.submit(console, &image)?;
    watch::until_over(console, &parties, &job)?;
    let picture = parties.fetch(console, &job)?;
    watch::until_settled(&parties)?;
    parties.show_earnings(console)?;
    audit::agree(console, &parties, &job)?;
    console.say(&format!("The picture: {}", picture.display()));
    console.say(&format!(
        "From the end of the build to here: {}.",
        seconds(built.elapsed())
    ));

    if args.keep {
        parties.say_how_to_reach(console);
        let stop = ground.keep()?;
        console.result(&format!("Everything is left running. To end it: {stop}"));
    } else {
        drop(parties);
        ground.clean(console)?;
        console.result("One job went the whole way, and nothing of it is left but the picture.");
    }
    Ok(ExitCode::SUCCESS)
}
