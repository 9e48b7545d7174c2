//! The owner's choices in `settings.toml`: read, checked, never overwritten.

use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use sublet_core::Settings;
use sublet_protocol::money::{AmountError, HourlyPrice, MicroUsd};

/// The file's name in the data folder.
pub const FILE_NAME: &str = "settings.toml";

/// The file as it is written. Every key may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    floor: Option<String>,
    allow_software_gpu: Option<bool>,
    hot_c: Option<i32>,
    cool_c: Option<i32>,
    unpaid_limit_s: Option<u64>,
    limits: Limits,
}

/// What a job may take beside its GPUs, where the owner says so.
#[derive(Debug, Default, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// CPU cores, such as 2 or 1.5.
    pub cpus: Option<f64>,
    /// Memory in MiB.
    pub memory_mib: Option<u64>,
    /// All outputs of a job together, in MiB.
    pub output_mib: Option<u64>,
}

/// What the command line says, and the file therefore does not.
#[derive(Debug, Default, Clone)]
pub struct Overrides {
    /// `--floor`
    pub floor: Option<HourlyPrice>,
    /// `--allow-software-gpu`
    pub allow_software_gpu: bool,
}

/// Why the file does not count.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It is there, and cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML, or has a key that does not exist; the text says the line.
    #[error("{path}: {detail}")]
    NotToml {
        /// Which file.
        path: PathBuf,
        /// Where, and what.
        detail: String,
    },
    /// A value that cannot be.
    #[error("{path}: `{key}` {what}")]
    BadValue {
        /// Which file.
        path: PathBuf,
        /// Which key.
        key: &'static str,
        /// What is wrong and what is allowed.
        what: String,
    },
}

/// Settings that hold, and the owner's limits.
pub type Read = (Settings, Limits);

fn read(path: &Path, overrides: &Overrides) -> Result<Read, SettingsError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(source) => {
            return Err(SettingsError::Unreadable {
                path: path.to_owned(),
                source,
            });
        }
    };
    parse(path, &text, overrides)
}

fn parse(path: &Path, text: &str, overrides: &Overrides) -> Result<Read, SettingsError> {
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(0, |span| {
            let before = &text.as_bytes()[..span.start.min(text.len())];
            1 + before.iter().filter(|byte| **byte == b'\n').count()
        });
        SettingsError::NotToml {
            path: path.to_owned(),
            detail: format!("line {line}: {}", error.message()),
        }
    })?;
    let bad = |key, what: String| SettingsError::BadValue {
        path: path.to_owned(),
        key,
        what,
    };
    let mut settings = Settings::default();
    if let Some(text) = &file.floor {
        let floor: MicroUsd = text
            .parse()
            .map_err(|e: AmountError| bad("floor", format!(": {e}")))?;
        settings.each.floor = HourlyPrice(floor);
    }
    settings.allow_software_gpu =
        file.allow_software_gpu.unwrap_or(false) || overrides.allow_software_gpu;
    if let Some(floor) = overrides.floor {
        settings.each.floor = floor;
    }
    settings.each.heat.hot_c = file.hot_c.unwrap_or(settings.each.heat.hot_c);
    settings.each.heat.cool_c = file.cool_c.unwrap_or(settings.each.heat.cool_c);
    if !(40..=100).contains(&settings.each.heat.hot_c) {
        return Err(bad(
            "hot_c",
            format!("is {}; it must be 40 to 100 °C", settings.each.heat.hot_c),
        ));
    }
    if !(20..settings.each.heat.hot_c).contains(&settings.each.heat.cool_c) {
        let most = settings.each.heat.hot_c - 1;
        return Err(bad(
            "cool_c",
            format!(
                "is {}; it must be 20 to {most} °C, below hot_c",
                settings.each.heat.cool_c
            ),
        ));
    }
    if let Some(seconds) = file.unpaid_limit_s {
        if !(10..=86_400).contains(&seconds) {
            return Err(bad(
                "unpaid_limit_s",
                format!("is {seconds}; it must be 10 to 86400 s"),
            ));
        }
        settings.unpaid_limit_ms = seconds * 1_000;
    }
    if let Some(cpus) = file.limits.cpus
        && !(0.1..=1024.0).contains(&cpus)
    {
        return Err(bad(
            "limits.cpus",
            format!("is {cpus}; it must be 0.1 to 1024"),
        ));
    }
    Ok((settings, file.limits))
}

/// Follows the file: read anew when it changes, and the last good settings stay in force while it does not count.
#[derive(Debug)]
pub struct Watched {
    path: PathBuf,
    overrides: Overrides,
    seen: Option<SystemTime>,
    /// The settings in force.
    pub good: Read,
    /// Why the file does not count now.
    pub problem: Option<String>,
}

impl Watched {
    /// Reads the file of a data folder for the first time. One that does not count leaves the defaults in force,
    /// with the problem told; nothing is rented meanwhile.
    pub fn open(data: &Path, overrides: Overrides) -> Self {
        let mut watched = Self {
            path: data.join(FILE_NAME),
            overrides,
            seen: None,
            good: (Settings::default(), Limits::default()),
            problem: None,
        };
        watched.load();
        watched.seen = watched.modified();
        watched
    }

    /// Looks whether the file changed; true when it was read anew.
    pub fn look(&mut self) -> bool {
        let modified = self.modified();
        if modified == self.seen {
            return false;
        }
        self.seen = modified;
        self.load();
        true
    }

    fn modified(&self) -> Option<SystemTime> {
        std::fs::metadata(&self.path)
            .and_then(|meta| meta.modified())
            .ok()
    }

    fn load(&mut self) {
        match read(&self.path, &self.overrides) {
            Ok(good) => {
                self.good = good;
                self.problem = None;
            }
            Err(error) => {
                tracing::warn!(%error, "the settings do not count; the last good ones stay in force");
                self.problem = Some(error.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Read, String> {
        parse(Path::new("settings.toml"), text, &Overrides::default()).map_err(|e| e.to_string())
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        assert_eq!(
            parsed("").unwrap(),
            (Settings::default(), Limits::default())
        );
        let (settings, limits) =
            parsed("floor = \"0.35\"\nhot_c = 80\n[limits]\ncpus = 1.5\n").unwrap();
        assert_eq!(settings.each.floor, HourlyPrice(MicroUsd(350_000)));
        assert_eq!((settings.each.heat.hot_c, limits.cpus), (80, Some(1.5)));
    }

    #[test]
    fn a_bad_file_says_where_and_what_is_allowed() {
        for (text, words) in [
            ("\nflor = \"1\"\n", vec!["line 2", "flor"]),
            ("floor = \"cheap\"\n", vec!["floor", "not an amount"]),
            ("hot_c = 30\n", vec!["hot_c", "40 to 100"]),
            ("hot_c = 70\n", vec!["cool_c", "20 to 69"]),
            ("unpaid_limit_s = 1\n", vec!["10 to 86400"]),
            ("[limits]\ncpus = 0\n", vec!["limits.cpus"]),
            ("floor = \n", vec!["line 1"]),
        ] {
            let error = parsed(text).unwrap_err();
            for word in words {
                assert!(error.contains(word), "{error}");
            }
        }
    }

    #[test]
    fn the_last_good_settings_stay_in_force_and_the_file_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        std::fs::write(&path, "floor = \"0.5\"\n").unwrap();
        let mut watched = Watched::open(folder.path(), Overrides::default());
        assert_eq!(watched.good.0.each.floor, HourlyPrice(MicroUsd(500_000)));
        std::fs::write(&path, "floor = \n").unwrap();
        let later = SystemTime::now() + std::time::Duration::from_secs(2);
        std::fs::File::open(&path)
            .unwrap()
            .set_modified(later)
            .unwrap();
        assert!(watched.look());
        assert!(watched.problem.is_some());
        assert_eq!(watched.good.0.each.floor, HourlyPrice(MicroUsd(500_000)));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "floor = \n");
        assert!(!watched.look());
    }
}
