//! Compiles for Windows what shall run there, from Linux. The tools are unpacked into the target folder by a script
//! of our own; nothing is installed.

use std::process::Command;

use anyhow::Context;

use crate::cargo_build::Folders;
use crate::console::Console;
use crate::run::Run;

const AGAIN: &str = "cargo xtask test windows";

/// Checks protocol, core and agent, with their tests and with warnings denied.
pub fn check(console: &Console, folders: &Folders) -> anyhow::Result<()> {
    // A folder apart: another compiler than everybody else's is used, and neither shall undo the other's work.
    let kept = folders.kept().join("windows");
    let tools = kept.join("tools");
    let mut set_up = Command::new("bash");
    set_up
        .arg(folders.root().join("xtask/windows/toolchain.sh"))
        .arg(&tools);
    Run::new("Setting up the tools for Windows", set_up)
        .again_with(AGAIN)
        .in_task(console, &folders.logs())?;

    let programs = tools.join("root/usr/bin");
    let mut path = vec![programs.clone()];
    path.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    let path = std::env::join_paths(path).context("a folder in PATH has a colon in its name")?;
    let mut check = folders.cargo(&[
        "check",
        "--target",
        "x86_64-pc-windows-gnu",
        "--all-targets",
        "--package=sublet-protocol",
        "--package=sublet-core",
        "--package=sublet-agent",
    ]);
    check
        .env("CARGO_TARGET_DIR", kept.join("target"))
        .env("RUSTC", tools.join("bin/rustc"))
        .env("PATH", path)
        .env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTFLAGS", "-Dwarnings");
    for (variable, program) in [("CC", "gcc"), ("CXX", "g++"), ("AR", "ar")] {
        let program = programs.join(format!("x86_64-w64-mingw32-{program}"));
        check.env(format!("{variable}_x86_64_pc_windows_gnu"), program);
    }
    Run::new("Checking the agent for Windows", check)
        .again_with(AGAIN)
        .in_task(console, &folders.logs())
}
