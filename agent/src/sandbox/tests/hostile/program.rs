//! The attacker's program: from `cargo xtask test hostile`, which says where it is, or built here.

use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) fn bytes() -> Vec<u8> {
    let path = match std::env::var_os("SUBLET_HOSTILE") {
        Some(path) => PathBuf::from(path),
        None => build(),
    };
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Static, so that it runs in an image that holds nothing else.
fn build() -> PathBuf {
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let own = std::env::current_exe().unwrap();
    // TARGET/debug/deps/TEST
    let target = own.ancestors().nth(3).unwrap();
    let flags = format!("target.{triple}.rustflags=[\"-Ctarget-feature=+crt-static\"]");
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--package", "hostile"])
        .args(["--target", &triple, "--config", &flags])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap())
        .env("CARGO_TARGET_DIR", target)
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{told}");
    target.join(triple).join("release/hostile")
}
