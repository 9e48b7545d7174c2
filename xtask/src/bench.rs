//! `cargo xtask bench`: the figures of docs/benchmarks.md. None is measured yet, and it says so.

use std::process::ExitCode;

use anyhow::bail;

use crate::BenchArgs;
use crate::cargo_build::Folders;
use crate::console::Console;
use crate::machine;
use crate::packages::{self, Purpose};

pub fn bench(console: &Console, args: &BenchArgs) -> anyhow::Result<ExitCode> {
    let folders = Folders::find()?;
    packages::ensure(
        console,
        machine::supported()?,
        &[Purpose::Build, Purpose::Run, Purpose::Bench],
        args.set_up.yes,
        &folders.logs(),
    )?;
    let wanted = args.name.as_deref().unwrap_or("all");
    let check = if args.check { ", checked" } else { "" };
    bail!("no figure can be measured yet (asked for: {wanted}{check}).")
}
