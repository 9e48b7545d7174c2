//! Where other launchers say that games lie: Heroic (Epic's, GOG's and Amazon's games on Linux), Lutris, and Epic's own
//! on Windows.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use super::libraries::Sources;
use super::rules::Place;

/// Where Heroic keeps its lists below a home: installed, from Flatpak; and its Epic part on its own.
const HEROIC: [&str; 2] = [
    ".config/heroic",
    ".var/app/com.heroicgameslauncher.hgl/config/heroic",
];
const LEGENDARY: &str = ".config/legendary/installed.json";
const LUTRIS: [&str; 2] = [
    ".local/share/lutris/pga.db",
    ".var/app/net.lutris.Lutris/data/lutris/pga.db",
];

pub(super) fn games(home: &Path, sources: &mut Sources) -> Vec<Place> {
    let mut games = legendary(&home.join(LEGENDARY), sources);
    for heroic in HEROIC.map(|below| home.join(below)) {
        let epic = heroic.join("legendaryConfig/legendary/installed.json");
        games.extend(legendary(&epic, sources));
        games.extend(gog(&heroic.join("gog_store"), sources));
        let amazon = heroic.join("nile_config/nile/installed.json");
        games.extend(installed(sources.json(&amazon).as_ref(), "path", "title"));
    }
    for lutris in LUTRIS.map(|below| home.join(below)) {
        if sources.exists(&lutris) {
            games.extend(lutris_games(&lutris));
        }
    }
    games
}

/// An object of games by their ids.
fn legendary(file: &Path, sources: &mut Sources) -> Vec<Place> {
    installed(sources.json(file).as_ref(), "install_path", "title")
}

/// A list of what is installed, and another one with the titles.
fn gog(folder: &Path, sources: &mut Sources) -> Vec<Place> {
    let Some(list) = sources.json(&folder.join("installed.json")) else {
        return Vec::new();
    };
    let library = sources.json(&folder.join("library.json"));
    let titles = library.as_ref().and_then(|library| library.get("games"));
    let title = |id: &str| {
        let game = titles?
            .as_array()?
            .iter()
            .find(|game| game.get("app_name").and_then(Value::as_str) == Some(id))?;
        Some(game.get("title")?.as_str()?.to_owned())
    };
    let entries = list.get("installed").and_then(Value::as_array);
    entries
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let id = entry.get("appName").and_then(Value::as_str).unwrap_or("");
            game(entry, "install_path", title(id))
        })
        .collect()
}

fn installed(list: Option<&Value>, path: &str, title: &str) -> Vec<Place> {
    let entries: Vec<&Value> = match list {
        Some(Value::Object(entries)) => entries.values().collect(),
        Some(Value::Array(entries)) => entries.iter().collect(),
        _ => Vec::new(),
    };
    entries
        .into_iter()
        .filter_map(|entry| {
            let name = entry.get(title).and_then(Value::as_str);
            game(entry, path, name.map(str::to_owned))
        })
        .collect()
}

/// One that has no title is called as its folder.
fn game(entry: &Value, path: &str, title: Option<String>) -> Option<Place> {
    let folder = PathBuf::from(entry.get(path)?.as_str()?);
    let name = title.or_else(|| Some(folder.file_name()?.to_str()?.to_owned()))?;
    Some(Place::Game { folder, name })
}

fn lutris_games(database: &Path) -> Vec<Place> {
    let read = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Connection::open_with_flags(database, flags)?;
        let mut asked = database
            .prepare("SELECT name, directory FROM games WHERE installed = 1 AND directory <> ''")?;
        let games = asked.query_map([], |row| {
            Ok(Place::Game {
                name: row.get(0)?,
                folder: PathBuf::from(row.get::<_, String>(1)?),
            })
        })?;
        games.collect::<Result<Vec<_>, _>>()
    };
    read().unwrap_or_else(|error: rusqlite::Error| {
        tracing::debug!(%error, "Lutris' list of games could not be read");
        Vec::new()
    })
}

/// Epic's notes on Windows: one file for each game.
pub(super) fn epic(manifests: &Path, sources: &mut Sources) -> Vec<Place> {
    let notes = sources.list(manifests);
    notes
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "item"))
        .filter_map(|path| {
            let note: Value = serde_json::from_str(&sources.unwatched_text(&path)?).ok()?;
            let name = note.get("DisplayName").and_then(Value::as_str);
            game(&note, "InstallLocation", name.map(str::to_owned))
        })
        .collect()
}
