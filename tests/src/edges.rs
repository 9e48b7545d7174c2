//! Who may know whom, held by a look at `cargo metadata`.

use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

/// For each crate of the workspace, which others of it may stand among its dependencies (tests aside).
const ALLOWED: [(&str, &[&str]); 13] = [
    ("sublet-protocol", &[]),
    ("sublet-core", &["sublet-protocol"]),
    ("sublet-steps", &[]),
    (
        "sublet-agent",
        &["sublet-protocol", "sublet-core", "sublet-steps"],
    ),
    ("sublet-market", &["sublet-protocol", "sublet-steps"]),
    ("sublet-desktop", &["sublet-protocol"]),
    ("sublet-tests", &["sublet-protocol", "nvml-sim"]),
    ("sublet-load", &["sublet-protocol"]),
    ("nvml-sim", &[]),
    ("clock-sim", &[]),
    ("hostile", &[]),
    ("sample-job", &[]),
    ("xtask", &[]),
];

/// What does I/O, and so has no place in what only decides or describes.
const DOES_IO: [&str; 12] = [
    "tokio",
    "axum",
    "hyper",
    "reqwest",
    "rusqlite",
    "sqlx",
    "bollard",
    "wgpu",
    "nvml-wrapper",
    "keyring",
    "rustix",
    "tracing-subscriber",
];

/// What decides well without any I/O, and can do I/O too: which of its features are none.
const PURE_PARTS: [(&str, &[&str]); 1] = [("jiff", &["alloc"])];

fn metadata() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The names that a package depends on, those of its tests left out.
fn needs(package: &Value) -> BTreeSet<String> {
    package["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|dependency| dependency["kind"] != "dev")
        .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn nobody_knows_more_than_the_design_allows() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let ours: BTreeSet<&str> = packages
        .iter()
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    let listed: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        ours, listed,
        "a crate came or went: say here whom it may know"
    );
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let (_, allowed) = ALLOWED.iter().find(|(listed, _)| *listed == name).unwrap();
        for needed in needs(package)
            .iter()
            .filter(|needed| ours.contains(needed.as_str()))
        {
            assert!(
                allowed.contains(&needed.as_str()),
                "{name} may not know {needed}"
            );
        }
    }
}

#[test]
fn protocol_and_core_do_no_input_or_output() {
    let metadata = metadata();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        if ["sublet-protocol", "sublet-core"].contains(&name) {
            for needed in needs(package) {
                assert!(
                    !DOES_IO.contains(&needed.as_str()),
                    "{name} may not use {needed}"
                );
            }
            for (library, pure) in PURE_PARTS {
                takes_only(package, library, pure);
            }
        }
    }
}

/// Holds a package to these features of a library, if it uses it at all.
fn takes_only(package: &Value, library: &str, pure: &[&str]) {
    let name = &package["name"];
    let dependencies = package["dependencies"].as_array().unwrap();
    let uses = dependencies
        .iter()
        .filter(|dependency| dependency["name"] == library && dependency["kind"] != "dev");
    for dependency in uses {
        let features = dependency["features"].as_array().unwrap();
        let beyond: Vec<_> = features
            .iter()
            .filter(|feature| !pure.contains(&feature.as_str().unwrap()))
            .collect();
        assert_eq!(
            dependency["uses_default_features"], false,
            "{name}: {library}"
        );
        assert!(
            beyond.is_empty(),
            "{name} may not use {beyond:?} of {library}"
        );
    }
}
