//! A whole rule of renting in one word, for the four kinds of owner.

use super::KEYS;
use super::key::Key;
use std::fmt;
use std::str::FromStr;

/// A rule that suits one kind of owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// The word for it.
    pub name: &'static str,
    /// Whom it is for.
    pub whom: &'static str,
    /// What it does, in one sentence.
    pub says: &'static str,
    /// Its settings, as TOML that reads.
    pub text: &'static str,
}

/// All of them.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "gamer",
        whom: "a machine that is played or worked on",
        says: "Rents once you have been away for 5 minutes, and stops the moment you are back.",
        text: "[rent]\nmode = \"away\"\naway_minutes = 5\n",
    },
    Preset {
        name: "studio",
        whom: "workstations whose GPUs are used now and then",
        says: "Rents a GPU once no program has used it for 5 minutes, even while you work at the machine.",
        text: "[rent]\nmode = \"gpu-idle\"\nsettle_seconds = 300\n",
    },
    Preset {
        name: "farm",
        whom: "rigs that are there for renting",
        says: "Rents always.",
        text: "[rent]\nmode = \"always\"\nsettle_seconds = 5\n",
    },
    Preset {
        name: "laptop",
        whom: "a machine with a battery",
        says: "Rents quietly once you have been away for 10 minutes, on mains power and a network that costs nothing.",
        text: "[rent]\nmode = \"away\"\naway_minutes = 10\non_battery = false\non_metered = false\n\n[quiet]\npower_percent = 70\nfan_percent = 60\n",
    },
];

/// What a preset decides: a key it does not name goes back to its default. Everything else stays as it is.
pub const DECIDES: &[&str] = &[
    "rent.mode",
    "rent.away_minutes",
    "rent.settle_seconds",
    "rent.on_battery",
    "rent.on_metered",
    "quiet.power_percent",
    "quiet.fan_percent",
];

impl Preset {
    /// The keys it decides.
    pub fn keys() -> impl Iterator<Item = &'static Key> {
        KEYS.iter().filter(|key| DECIDES.contains(&key.path))
    }
}

/// A word that is no preset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no preset `{0}`; there are gamer, studio, farm and laptop")]
pub struct NoSuchPreset(String);

impl FromStr for Preset {
    type Err = NoSuchPreset;

    fn from_str(text: &str) -> Result<Self, NoSuchPreset> {
        let found = PRESETS.iter().find(|preset| preset.name == text);
        found
            .copied()
            .ok_or_else(|| NoSuchPreset(text.chars().take(40).collect()))
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
