//! What Docker knows of jobs, asked of Docker itself.

use crate::program::run;
use std::process::Command;

/// Names of all containers and volumes of a rig's leases.
#[track_caller]
pub fn of_rig(rig: &str) -> Vec<String> {
    let filter = format!("label=sublet.rig={rig}");
    let mut found = docker(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"]);
    found.extend(docker(&[
        "volume",
        "ls",
        "--filter",
        &filter,
        "--format",
        "{{.Name}}",
    ]));
    found
}

/// Names of those that run.
#[track_caller]
pub fn running_of_rig(rig: &str) -> Vec<String> {
    docker(&[
        "ps",
        "--filter",
        &format!("label=sublet.rig={rig}"),
        "--format",
        "{{.Names}}",
    ])
}

#[track_caller]
fn docker(words: &[&str]) -> Vec<String> {
    let said = run(Command::new("docker").args(words));
    assert_eq!(said.code, 0, "{said:?}");
    said.out.lines().map(str::to_owned).collect()
}
