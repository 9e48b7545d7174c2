//! Compiles the program of the probe container: for Linux, whatever this agent is for, since containers run there.

use std::path::PathBuf;
use std::process::Command;

const SOURCE: &str = "src/sandbox/probe/inside.rs";

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=build.rs");
    let told = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let word = |name: &str| {
        told(name)
            .and_then(|value| value.into_string().ok())
            .unwrap_or_default()
    };
    let out = PathBuf::from(told("OUT_DIR").unwrap_or_default()).join("probe");
    let target = format!("{}-unknown-linux-gnu", word("CARGO_CFG_TARGET_ARCH"));
    let linker = told("RUSTC_LINKER").filter(|_| word("TARGET") == target);

    // With the compiler's usual linker, or the one that Cargo was told to take; where there is none for Linux, with
    // the compiler's own.
    let usual: &[&str] = &[
        "link-arg=-nostartfiles",
        "link-arg=-nostdlib",
        "link-arg=-static",
    ];
    let own: &[&str] = &["linker=rust-lld", "linker-flavor=ld.lld"];
    let mut said = String::new();
    for options in [usual, own] {
        let mut compiler = Command::new(told("RUSTC").unwrap_or("rustc".into()));
        compiler
            .args([
                "--edition=2024",
                "--crate-name=probe",
                "--crate-type=bin",
                "--target",
                &target,
            ])
            .args([
                "-Cpanic=abort",
                "-Copt-level=s",
                "-Crelocation-model=static",
                "-Cstrip=symbols",
            ])
            .args(options.iter().map(|option| format!("-C{option}")))
            .arg("-o")
            .arg(&out)
            .arg(SOURCE);
        if let (Some(linker), true) = (&linker, options == usual) {
            compiler
                .arg("-C")
                .arg(format!("linker={}", linker.display()));
        }
        match compiler.output() {
            Ok(done) if done.status.success() => return,
            Ok(done) => said.push_str(&String::from_utf8_lossy(&done.stderr)),
            Err(error) => said.push_str(&error.to_string()),
        }
    }
    println!(
        "cargo::error=the program of the probe container could not be compiled for {target}. Where the compiler lacks that target, `rustup target add {target}` brings it."
    );
    for line in said.lines().take(40) {
        println!("cargo::warning={line}");
    }
}
