//! Follows the owner's file while the agent runs.

use super::assemble::{Parsed, parse_under};
use super::fault::{Summary, source};
use super::{Choices, FILE_NAME, Fault, GOOD_FILE_NAME, KnownGpu, Overrides};
use crate::store::durable;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Why the file does not count.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SettingsError {
    /// It is there, and cannot be read.
    #[error("{path}: {why}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// What it says is refused.
    #[error("{}, {}", source(.path, .faults), Summary(.faults))]
    Refused {
        /// Which file.
        path: PathBuf,
        /// Everything that is wrong with it; never empty.
        faults: Vec<Fault>,
    },
}

/// The file's text; one that is not there is empty.
///
/// # Errors
/// What the system says, or that it is not UTF-8.
pub fn text_of(path: &Path) -> io::Result<String> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read,
    }
}

/// Follows the file: read anew when it changes, and the last good settings stay in force while it does not count,
/// across a restart too.
#[derive(Debug)]
pub struct Watched {
    pub(super) path: PathBuf,
    good_path: PathBuf,
    pub(super) overrides: Overrides,
    pub(super) known: Vec<KnownGpu>,
    /// Whether a text that holds is kept for the next start.
    keeps: bool,
    seen: Option<(SystemTime, u64)>,
    /// The settings in force.
    pub good: Choices,
    /// The reading they come from.
    pub(super) in_force: Parsed,
    /// Why the file does not count now.
    pub problem: Option<SettingsError>,
}

impl Watched {
    /// Reads the file of a data folder for the first time. Where it does not count, the last text that did is in
    /// force, or the defaults where there was none; the problem is told, and nothing is rented meanwhile.
    pub fn open(data: &Path, overrides: Overrides, known: Vec<KnownGpu>) -> Self {
        Self::start(data, overrides, known, true)
    }

    /// The same for one look while no agent runs: without its command line and its GPUs, and so nothing is kept as
    /// good on this look's word.
    pub fn peek(data: &Path) -> Self {
        Self::start(data, Overrides::default(), Vec::new(), false)
    }

    fn start(data: &Path, overrides: Overrides, known: Vec<KnownGpu>, keeps: bool) -> Self {
        let mut watched = Self {
            path: data.join(FILE_NAME),
            good_path: data.join(GOOD_FILE_NAME),
            overrides,
            known,
            keeps,
            seen: None,
            good: Choices::default(),
            in_force: Parsed::default(),
            problem: None,
        };
        watched.reload();
        if watched.problem.is_some() {
            watched.recall();
        }
        watched
    }

    /// Looks whether the file changed; true when it was read anew.
    pub fn look(&mut self) -> bool {
        let stamp = self.stamp();
        if stamp == self.seen {
            return false;
        }
        // Taken before the reading: a change during it is seen the next time.
        self.seen = stamp;
        self.load();
        true
    }

    /// Whether the owner said when to rent: a preset was named, or the file says something beside where the
    /// marketplace is. One that does not count is the owner's to mend, and not a sign that nothing was chosen.
    pub fn set_up(&self) -> bool {
        let file = &self.in_force.file;
        let chose = |path: &str| !path.starts_with("market.");
        self.overrides.preset.is_some()
            || self.problem.is_some()
            || !file.gpus.is_empty()
            || file.values.keys().any(|(_, path)| chose(path))
    }

    fn stamp(&self) -> Option<(SystemTime, u64)> {
        let meta = std::fs::metadata(&self.path).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    }

    fn load(&mut self) {
        match self.read() {
            Ok((text, parsed)) => {
                for warning in &parsed.warnings {
                    tracing::warn!(%warning, "the settings hold, but may not be what you mean");
                }
                self.keep(&text);
                self.hold(parsed);
                self.problem = None;
            }
            Err(error) => {
                tracing::warn!(%error, "the settings do not count; the last good ones stay in force");
                self.problem = Some(error);
            }
        }
    }

    fn hold(&mut self, parsed: Parsed) {
        self.good = parsed.choices.clone();
        self.in_force = parsed;
    }

    /// Other GPUs are here than before: what they can do bounds what can be chosen for them.
    pub fn meet(&mut self, known: Vec<KnownGpu>) {
        if self.known != known {
            self.known = known;
            self.reload();
        }
    }

    /// Reads it anew, whatever its stamp says.
    pub(super) fn reload(&mut self) {
        self.seen = self.stamp();
        self.load();
    }

    fn read(&self) -> Result<(String, Parsed), SettingsError> {
        let path = || self.path.clone();
        let text = text_of(&self.path).map_err(|error| SettingsError::Unreadable {
            path: path(),
            why: error.to_string(),
        })?;
        match parse_under(&text, &self.overrides, &self.known) {
            Ok(parsed) => Ok((text, parsed)),
            Err(faults) => Err(SettingsError::Refused {
                path: path(),
                faults,
            }),
        }
    }

    /// Keeps a text that held, for a start with one that does not.
    fn keep(&self, text: &str) {
        let kept = std::fs::read_to_string(&self.good_path);
        if !self.keeps || kept.is_ok_and(|kept| kept == text) {
            return;
        }
        if let Err(error) = durable::write_file(&self.good_path, text.as_bytes()) {
            tracing::warn!(%error, "the settings hold, but no copy of them could be kept");
        }
    }

    /// What held before the restart; where there is no copy of it, the defaults under the command line.
    fn recall(&mut self) {
        let text = std::fs::read_to_string(&self.good_path).unwrap_or_default();
        match parse_under(&text, &self.overrides, &self.known) {
            Ok(parsed) => self.hold(parsed),
            Err(faults) => {
                let faults = Summary(&faults).to_string();
                tracing::warn!(%faults, "the kept copy of the last good settings does not hold any more");
            }
        }
    }
}
