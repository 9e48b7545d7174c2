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

/// Everything that is left in Docker of a rig's leases: containers, volumes and networks, each named with its kind.
#[track_caller]
pub fn left_of(rig: &str, host: Option<&str>) -> Vec<String> {
    let filter = format!("label=sublet.rig={rig}");
    let kinds: [(&str, &[&str], &str); 3] = [
        ("container", &["ps", "--all"], "{{.Names}}"),
        ("volume", &["volume", "ls"], "{{.Name}}"),
        ("network", &["network", "ls"], "{{.Name}}"),
    ];
    let mut left = Vec::new();
    for (kind, words, name) in kinds {
        let mut command = Command::new("docker");
        command
            .args(words)
            .args(["--filter", &filter, "--format", name]);
        if let Some(host) = host {
            command.env("DOCKER_HOST", host);
        }
        let said = run(&mut command);
        assert_eq!(said.code, 0, "{said:?}");
        left.extend(said.out.lines().map(|name| format!("{kind} {name}")));
    }
    left
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
