//! The desktop shell: what it is built from. It is built only where it is named: nothing else needs the system's web
//! view.

use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use anyhow::Context;

use crate::cargo_build::{Folders, Kind};
use crate::console::Console;
use crate::run::Run;

/// Its package; everything else is built without it.
pub const SHELL: &str = "sublet-desktop";

/// What the pages are made of, in `ui`.
const SOURCES: [&str; 6] = [
    "src",
    "public",
    "index.html",
    "package-lock.json",
    "svelte.config.js",
    "vite.config.ts",
];

/// Builds the pages where they changed, and the shell with them in it.
pub fn build(console: &Console, folders: &Folders, kind: Kind) -> anyhow::Result<()> {
    let ui = folders.root().join("ui");
    if !are_built(&ui)? {
        for (title, words) in [
            (
                "Fetching what the pages are built with",
                ["ci", "--no-audit"],
            ),
            ("Building the pages", ["run", "build"]),
        ] {
            let mut npm = Command::new("npm");
            npm.args(words).current_dir(&ui);
            Run::new(title, npm).in_task(console, &folders.logs())?;
        }
    }
    folders.build(console, kind, &[SHELL])
}

/// Whether the pages were built after the last change of what they are made of.
fn are_built(ui: &Path) -> anyhow::Result<bool> {
    let Ok(built) = std::fs::metadata(ui.join("dist/index.html")) else {
        return Ok(false);
    };
    let built = built.modified()?;
    for source in SOURCES {
        let path = ui.join(source);
        if newest(&path).with_context(|| format!("{} cannot be looked at", path.display()))? > built
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The last change of a file, or of anything in a folder.
fn newest(path: &Path) -> std::io::Result<SystemTime> {
    let meta = std::fs::metadata(path)?;
    let mut newest_here = meta.modified()?;
    if meta.is_dir() {
        for entry in std::fs::read_dir(path)? {
            newest_here = newest_here.max(newest(&entry?.path())?);
        }
    }
    Ok(newest_here)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;
    use std::fs;
    use std::time::Duration;

    #[test]
    fn pages_are_built_anew_only_after_a_change() {
        let ui = tempfile::tempdir().unwrap();
        let at = |path: &str, age_s: u64| {
            let path = ui.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let file = fs::File::create(&path).unwrap();
            let then = SystemTime::now() - Duration::from_secs(age_s);
            file.set_modified(then).unwrap();
        };
        for source in &SOURCES[2..] {
            at(source, 100);
        }
        at("src/pages/Home.svelte", 100);
        at("public/icon.svg", 100);
        assert!(!are_built(ui.path()).unwrap(), "never built");
        // The folders themselves were made just now.
        for folder in ["src/pages", "src", "public"] {
            let folder = fs::File::open(ui.path().join(folder)).unwrap();
            let then = SystemTime::now() - Duration::from_secs(100);
            folder.set_modified(then).unwrap();
        }
        at("dist/index.html", 50);
        assert!(are_built(ui.path()).unwrap());
        at("src/pages/Home.svelte", 10);
        assert!(!are_built(ui.path()).unwrap());
    }
}
