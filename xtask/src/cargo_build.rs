//! Builds the project's programs, and says where they are.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::console::Console;
use crate::run::Run;

/// How a package is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Quick to build; for what waits more than it computes.
    Dev,
    /// Optimised: for what is measured.
    Release,
    /// Optimised, and without any library of the system: runs in an empty image.
    StaticRelease,
}

/// The clone, and where what is made from it goes.
#[derive(Clone, Debug)]
pub struct Folders {
    root: PathBuf,
    target: PathBuf,
}

impl Folders {
    /// The target folder is `CARGO_TARGET_DIR` where that is set, else outside the clone: `sublet/target` in
    /// `$XDG_CACHE_HOME` or `~/.cache`, so that a fresh clone on the same machine does not begin from nothing.
    pub fn find() -> anyhow::Result<Folders> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = match std::env::var_os("CARGO_MANIFEST_DIR") {
            Some(folder) => PathBuf::from(folder),
            None => manifest.to_owned(),
        };
        let root = root
            .parent()
            .map(Path::to_owned)
            .context("the clone has no folder")?;
        let set = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let target = choose(
            &std::env::current_dir()?,
            set("CARGO_TARGET_DIR"),
            set("XDG_CACHE_HOME"),
            set("HOME"),
        );
        let Some(target) = target else {
            bail!(
                "neither CARGO_TARGET_DIR nor XDG_CACHE_HOME nor HOME is set, so there is no place to build in. Set one of them."
            );
        };
        Ok(Folders { root, target })
    }

    /// The clone's own folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the chores keep between runs: images, logs, Docker's data.
    pub fn kept(&self) -> PathBuf {
        self.target.join("xtask")
    }

    pub fn logs(&self) -> PathBuf {
        self.kept().join("logs")
    }

    /// Where the built file `name` of a package built as `kind` is.
    pub fn built(&self, kind: Kind, name: &str) -> anyhow::Result<PathBuf> {
        let file = match kind {
            Kind::Dev => self.target.join("debug").join(name),
            Kind::Release => self.target.join("release").join(name),
            Kind::StaticRelease => self.target.join(triple()?).join("release").join(name),
        };
        if !file.is_file() {
            bail!("{} was built, but {} is not there.", name, file.display());
        }
        Ok(file)
    }

    /// A cargo command in the clone that builds into the target folder.
    pub fn cargo(&self, words: &[&str]) -> Command {
        // `cargo xtask` says which cargo runs it; a pinned toolchain is then kept.
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .args(words)
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target);
        // What cargo set for this program is not for the next one.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text == "CARGO_MANIFEST_DIR" {
                command.env_remove(&name);
            }
        }
        command
    }

    /// Builds `packages`, libraries and programs alike.
    pub fn build(&self, console: &Console, kind: Kind, packages: &[&str]) -> anyhow::Result<()> {
        let mut words = vec!["build"];
        for package in packages {
            words.extend(["--package", package]);
        }
        let triple = triple()?;
        match kind {
            Kind::Dev => {}
            Kind::Release => words.push("--release"),
            Kind::StaticRelease => words.extend(["--release", "--target", &triple]),
        }
        let mut command = self.cargo(&words);
        if kind == Kind::StaticRelease {
            // With --target, these reach neither build scripts nor macros.
            let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
            let flags = format!("{flags} -Ctarget-feature=+crt-static");
            command.env("RUSTFLAGS", flags.trim());
        }
        let title = format!("Building {}", packages.join(", "));
        Run::new(&title, command).in_task(console, &self.logs())
    }
}

/// The platform of this machine in cargo's words.
fn triple() -> anyhow::Result<String> {
    match std::env::consts::ARCH {
        arch @ ("x86_64" | "aarch64") => Ok(format!("{arch}-unknown-linux-gnu")),
        other => bail!("nothing is built for a processor of kind {other}."),
    }
}

fn choose(
    here: &Path,
    target: Option<PathBuf>,
    cache: Option<PathBuf>,
    home: Option<PathBuf>,
) -> Option<PathBuf> {
    let ours = |cache: PathBuf| cache.join("sublet/target");
    target
        .or_else(|| cache.map(ours))
        .or_else(|| home.map(|home| ours(home.join(".cache"))))
        .map(|folder| here.join(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_folder_is_outside_the_clone_unless_said_otherwise() {
        let path = |text: &str| Some(PathBuf::from(text));
        let here = Path::new("/clone");
        assert_eq!(choose(here, path("/t"), path("/c"), path("/h")), path("/t"));
        assert_eq!(choose(here, path("t"), None, None), path("/clone/t"));
        assert_eq!(
            choose(here, None, path("/c"), path("/h")),
            path("/c/sublet/target")
        );
        assert_eq!(
            choose(here, None, None, path("/h")),
            path("/h/.cache/sublet/target")
        );
        assert_eq!(choose(here, None, None, None), None);
    }
}
