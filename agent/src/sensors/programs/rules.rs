//! Is this process a game, or a program that the owner chose?

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use sublet_core::facts::{Program, ProgramKind};

use super::Chosen;
use crate::sensors::process::Process;

/// Where games lie.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// One game's folder.
    Game {
        /// Where.
        folder: PathBuf,
        /// What it is called.
        name: String,
    },
    /// A folder with a folder for each game, but for the launcher's own tools.
    Shelf {
        /// Where.
        folder: PathBuf,
        /// The games' names by their folders; one that is not listed is called as its folder.
        names: HashMap<String, String>,
    },
}

/// What Steam keeps among its games and is none: Proton, the runtimes that games run in, shared installers.
const TOOLS: [&str; 5] = [
    "proton",
    "steamlinuxruntime",
    "steam linux runtime",
    "steamworks shared",
    "steam controller configs",
];

#[derive(Debug, Default)]
pub(super) struct Rules {
    places: Vec<Place>,
    names: Vec<String>,
    folders: Vec<PathBuf>,
}

impl Rules {
    pub(super) fn choose(&mut self, chosen: &[Chosen]) {
        self.names.clear();
        self.folders.clear();
        for choice in chosen {
            match choice {
                Chosen::Name(name) => self.names.push(plain(name)),
                Chosen::Folder(folder) => {
                    // A process's program is told with all links followed.
                    if let Ok(real) = folder.canonicalize()
                        && real != *folder
                    {
                        self.folders.push(real);
                    }
                    self.folders.push(folder.clone());
                }
            }
        }
    }

    pub(super) fn place(&mut self, places: Vec<Place>) {
        self.places = places;
    }

    /// What the process is to the owner, if anything. `root` is the `/proc` that it is found in by `pid`.
    pub(super) fn judge(&self, process: &Process, root: &Path, pid: u32) -> Option<Program> {
        let chosen = |name| Program {
            name,
            kind: ProgramKind::Chosen,
        };
        if self.names.iter().any(|name| is_called(process, name)) {
            return Some(chosen(process.name()));
        }
        if self.places.is_empty() && self.folders.is_empty() {
            return None;
        }
        let file = |file: &PathBuf| {
            if self
                .folders
                .iter()
                .any(|folder| inside(file, folder).is_some())
            {
                return Some(chosen(process.name()));
            }
            let name = self.places.iter().find_map(|place| place.game(file))?;
            Some(Program {
                name,
                kind: ProgramKind::Game,
            })
        };
        let by_windows = || {
            let program = process.windows_program()?;
            file(&unix_path(program, root, pid)?)
        };
        program_file(process)
            .as_ref()
            .and_then(file)
            .or_else(by_windows)
    }
}

impl Place {
    /// The name of the game that `file` belongs to.
    fn game(&self, file: &Path) -> Option<String> {
        match self {
            Self::Game { folder, name } => inside(file, folder).map(|_| name.clone()),
            Self::Shelf { folder, names } => {
                let mut rest = inside(file, folder)?;
                let game = rest.next()?.as_os_str().to_str()?;
                // A file on the shelf itself belongs to no game.
                rest.next()?;
                let small = game.to_lowercase();
                if TOOLS.iter().any(|tool| small.starts_with(tool)) {
                    return None;
                }
                Some(names.get(game).cloned().unwrap_or_else(|| game.to_owned()))
            }
        }
    }
}

/// Where the program lies: where only its arguments can be seen, where they say it lies.
fn program_file(process: &Process) -> Option<PathBuf> {
    let said = || Some(PathBuf::from(process.arguments.first()?));
    process
        .exe
        .clone()
        .or_else(said)
        .filter(|path| path.is_absolute())
}

/// The parts of `file` below `folder`, without regard to upper case: Windows has none, nor do programs under Wine.
fn inside<'a>(file: &'a Path, folder: &Path) -> Option<std::path::Components<'a>> {
    let mut parts = file.components();
    for wanted in folder.components() {
        let same = |part: Component<'_>| {
            part == wanted || part.as_os_str().eq_ignore_ascii_case(wanted.as_os_str())
        };
        if !parts.next().is_some_and(same) {
            return None;
        }
    }
    Some(parts)
}

fn plain(name: &str) -> String {
    let small = name.trim().to_lowercase();
    small.strip_suffix(".exe").unwrap_or(&small).to_owned()
}

/// Whether people, the system or the program itself call it so. `name` is plain.
fn is_called(process: &Process, name: &str) -> bool {
    let file = |path: &str| plain(path.rsplit(['/', '\\']).next().unwrap_or(path));
    process.exe_file().is_some_and(|exe| plain(exe) == name)
        || plain(&process.comm) == name
        || process.windows_program().is_some_and(|program| file(program) == name)
        // A script's name follows that of its interpreter.
        || process.arguments.iter().take(2).any(|argument| file(argument) == name)
}

/// Where a Windows program lies on this system: Wine has a link for each drive in its folder.
fn unix_path(program: &str, root: &Path, pid: u32) -> Option<PathBuf> {
    if program.starts_with('/') {
        return Some(program.into());
    }
    let folder = root.join(pid.to_string());
    let mut parts = program.splitn(2, ":");
    let (drive, rest) = (parts.next()?, parts.next());
    let Some(rest) = rest.filter(|_| drive.len() == 1) else {
        let here = std::fs::read_link(folder.join("cwd")).ok()?;
        return Some(here.join(program.replace('\\', "/")));
    };
    let rest = rest.replace('\\', "/");
    let rest = rest.trim_start_matches('/');
    let drive = drive.to_lowercase();
    let linked = wine_folder(&folder).and_then(|wine| {
        wine.join("dosdevices")
            .join(format!("{drive}:"))
            .canonicalize()
            .ok()
    });
    // By Wine's habit the last drive is the whole system.
    let target = linked.or_else(|| (drive == "z").then(|| PathBuf::from("/")))?;
    Some(target.join(rest))
}

/// Where Wine keeps its drives for a process, by that process's environment.
fn wine_folder(process: &Path) -> Option<PathBuf> {
    let environment = std::fs::read(process.join("environ")).ok()?;
    let named = |name: &str| {
        let value = environment
            .split(|byte| *byte == 0)
            .find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
        Some(PathBuf::from(String::from_utf8_lossy(value).into_owned()))
    };
    named("WINEPREFIX")
        .or_else(|| Some(named("STEAM_COMPAT_DATA_PATH")?.join("pfx")))
        .or_else(|| Some(named("HOME")?.join(".wine")))
}
