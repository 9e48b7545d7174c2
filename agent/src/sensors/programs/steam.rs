//! Steam's libraries: a list of folders, each with a shelf of games and a note for each game.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::libraries::Sources;
use super::rules::Place;
use super::vdf;

/// Where Steam keeps itself below a home: its own packages, the distribution's, Flatpak, Snap.
const HOMES: [&str; 5] = [
    ".local/share/Steam",
    ".steam/steam",
    ".steam/debian-installation",
    ".var/app/com.valvesoftware.Steam/.local/share/Steam",
    "snap/steam/common/.local/share/Steam",
];

/// Where Steam may be installed.
pub(super) fn roots(homes: &[PathBuf]) -> Vec<PathBuf> {
    let mut roots: Vec<PathBuf> = homes
        .iter()
        .flat_map(|home| HOMES.iter().map(|below| home.join(below)))
        .collect();
    roots.extend(installed());
    roots
}

#[cfg(windows)]
fn installed() -> Option<PathBuf> {
    super::libraries::registry_text(r"SOFTWARE\WOW6432Node\Valve\Steam", "InstallPath")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(r"C:\Program Files (x86)\Steam")))
}

#[cfg(not(windows))]
fn installed() -> Option<PathBuf> {
    None
}

/// The shelves of the Steam at `root`, itself included.
pub(super) fn shelves(root: &Path, sources: &mut Sources) -> Vec<Place> {
    let apps = root.join("steamapps");
    let mut folders = vec![apps.clone()];
    let list = sources
        .text(&apps.join("libraryfolders.vdf"))
        .and_then(|text| vdf::read(&text));
    let listed = list.as_ref().and_then(|list| list.get("libraryfolders"));
    for folder in listed.into_iter().flat_map(vdf::Value::values) {
        if let Some(path) = folder.text("path") {
            folders.push(Path::new(path).join("steamapps"));
        }
    }
    let mut shelves = Vec::new();
    for folder in folders {
        if sources.exists(&folder) {
            shelves.extend(shelf(&folder, sources));
        }
    }
    shelves
}

fn shelf(apps: &Path, sources: &mut Sources) -> Vec<Place> {
    let names = names(apps, sources);
    // As it is written and as the kernel tells it.
    let folder = apps.join("common");
    let real = folder.canonicalize().ok().filter(|real| *real != folder);
    std::iter::once(folder)
        .chain(real)
        .map(|folder| Place::Shelf {
            folder,
            names: names.clone(),
        })
        .collect()
}

/// The games' names by the folders they lie in.
fn names(apps: &Path, sources: &mut Sources) -> HashMap<String, String> {
    let manifest = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("appmanifest_") && name.ends_with(".acf"))
    };
    let notes = sources.list(apps);
    notes
        .into_iter()
        .filter(manifest)
        .filter_map(|path| {
            let note = vdf::read(&sources.unwatched_text(&path)?)?;
            let state = note.get("AppState")?;
            Some((
                state.text("installdir")?.to_owned(),
                state.text("name")?.to_owned(),
            ))
        })
        .collect()
}
