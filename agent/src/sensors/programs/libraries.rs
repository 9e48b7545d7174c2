//! Where games lie on this machine, read again when the launchers' lists change.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::rules::Place;
use super::{launchers, steam};

/// No launcher's list is larger.
const LARGEST: u64 = 32 << 20;

/// What was read, and how it looked then: a list that appears is a change as well.
#[derive(Debug, Default)]
pub(super) struct Sources {
    stamps: Vec<(PathBuf, Option<Stamp>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
}

fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    Some(Stamp {
        modified: found.modified().ok(),
        length: found.len(),
    })
}

impl Sources {
    fn changed(&self) -> bool {
        self.stamps.iter().any(|(path, seen)| stamp(path) != *seen)
    }

    /// Whether it is there.
    pub(super) fn exists(&mut self, path: &Path) -> bool {
        let stamp = stamp(path);
        self.stamps.push((path.to_owned(), stamp));
        stamp.is_some()
    }

    /// A file's text.
    pub(super) fn text(&mut self, path: &Path) -> Option<String> {
        self.exists(path).then(|| self.unwatched_text(path))?
    }

    /// A file's text, where its folder tells that it changed.
    pub(super) fn unwatched_text(&self, path: &Path) -> Option<String> {
        if stamp(path)?.length > LARGEST {
            return None;
        }
        fs::read_to_string(path).ok()
    }

    /// A file's JSON.
    pub(super) fn json(&mut self, path: &Path) -> Option<serde_json::Value> {
        serde_json::from_str(&self.text(path)?).ok()
    }

    /// What lies in a folder.
    pub(super) fn list(&mut self, folder: &Path) -> Vec<PathBuf> {
        self.exists(folder);
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }
}

/// Finds where games lie.
#[derive(Debug)]
pub(super) struct Libraries {
    homes: Vec<PathBuf>,
    sources: Option<Sources>,
}

impl Libraries {
    pub(super) fn new(homes: Vec<PathBuf>) -> Self {
        Self {
            homes,
            sources: None,
        }
    }

    /// The places, if they may have changed since the last look.
    pub(super) fn look(&mut self) -> Option<Vec<Place>> {
        if self.sources.as_ref().is_some_and(|it| !it.changed()) {
            return None;
        }
        let mut sources = Sources::default();
        let mut places: Vec<Place> = steam::roots(&self.homes)
            .iter()
            .flat_map(|root| steam::shelves(root, &mut sources))
            .collect();
        for home in &self.homes {
            places.extend(launchers::games(home, &mut sources));
        }
        if let Some(manifests) = epic_manifests() {
            places.extend(launchers::epic(&manifests, &mut sources));
        }
        places.retain(|place| self.is_narrow(place));
        self.sources = Some(sources);
        Some(deduplicated(places))
    }

    /// A folder that holds everything, such as a home, tells nothing about games.
    fn is_narrow(&self, place: &Place) -> bool {
        let (Place::Game { folder, .. } | Place::Shelf { folder, .. }) = place;
        folder.is_absolute()
            && folder.components().count() > 2
            && !self.homes.iter().any(|home| home.starts_with(folder))
    }
}

/// Links lead to the same library from several places.
fn deduplicated(places: Vec<Place>) -> Vec<Place> {
    let mut kept: Vec<Place> = Vec::new();
    for place in places {
        if !kept.contains(&place) {
            kept.push(place);
        }
    }
    kept
}

/// The homes of people on this machine.
#[cfg(unix)]
pub(super) fn homes() -> Vec<PathBuf> {
    let own = std::env::var_os("HOME").map(PathBuf::from);
    let others = ["/home", "/var/home"]
        .into_iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let mut homes: Vec<PathBuf> = own.into_iter().chain(others).collect();
    homes.sort();
    homes.dedup();
    homes
}

/// On Windows, games are the machine's.
#[cfg(windows)]
pub(super) fn homes() -> Vec<PathBuf> {
    Vec::new()
}

#[cfg(windows)]
fn epic_manifests() -> Option<PathBuf> {
    let data = std::env::var_os("ProgramData")?;
    Some(PathBuf::from(data).join(r"Epic\EpicGamesLauncher\Data\Manifests"))
}

#[cfg(not(windows))]
fn epic_manifests() -> Option<PathBuf> {
    None
}

/// A text of the machine's registry.
#[cfg(windows)]
#[expect(unsafe_code, reason = "Windows' functions are foreign")]
pub(super) fn registry_text(key: &str, name: &str) -> Option<String> {
    use windows_sys::Win32::System::Registry::{HKEY_LOCAL_MACHINE, RRF_RT_REG_SZ, RegGetValueW};
    let wide = |text: &str| text.encode_utf16().chain([0]).collect::<Vec<u16>>();
    let (key, name) = (wide(key), wide(name));
    let mut text = [0_u16; 1024];
    let mut bytes = u32::try_from(size_of_val(&text)).ok()?;
    // SAFETY: both names end with a zero, and the buffer has room for the bytes that are passed.
    let result = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            key.as_ptr(),
            name.as_ptr(),
            RRF_RT_REG_SZ,
            std::ptr::null_mut(),
            text.as_mut_ptr().cast(),
            &mut bytes,
        )
    };
    let length = text.iter().position(|unit| *unit == 0)?;
    (result == 0).then(|| String::from_utf16_lossy(&text[..length]))
}
