//! The owner's settings over the local API: what holds and why, and changes that lose nothing.

use crate::ids::GpuId;
use crate::money::MicroUsd;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /local/v1/settings`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SettingsView {
    /// What the settings in force do, in one sentence; or that the file must be mended.
    pub sentence: String,
    /// Where the file is.
    pub file: String,
    /// What is in it now, word for word; empty where there is none.
    pub text: String,
    /// Stands for that text. A change names the one it was made on.
    pub revision: String,
    /// Why the file does not count, where it does not: then the last good settings are in force, and nothing new is
    /// rented.
    pub problem: Option<String>,
    /// Everything that is wrong with the text, from its top.
    pub faults: Vec<SettingsFault>,
    /// What holds, but may not be what was meant.
    pub warnings: Vec<SettingsFault>,
    /// What is in force: every key for the rig, then what single GPUs have of their own.
    pub values: Vec<SettingsValue>,
    /// Whole rules for the four kinds of owner.
    pub presets: Vec<SettingsPreset>,
}

/// Something that is wrong with a text, or may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SettingsFault {
    /// The line, from 1; absent where the agent's command line is at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The column in characters, from 1; absent where the line is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The key it is about, where it is about one.
    pub key: Option<String>,
    /// What it is and what is allowed, as a sentence without its full stop.
    pub text: String,
}

/// One choice that is in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SettingsValue {
    /// Its key, as a change names it: `heat.hot_c`, `gpu.GPU-7f1c.heat.hot_c`.
    pub key: String,
    /// The GPU for which alone it holds.
    pub gpu: Option<GpuId>,
    /// What was chosen or is the default; absent where the machine decides.
    #[schema(value_type = Option<Object>)]
    pub value: Option<serde_json::Value>,
    /// The same for people, with its unit.
    pub shown: String,
    /// What it would be if nobody chose.
    pub default_shown: String,
    /// Who says so.
    pub source: SettingsSource,
    /// The line of the file, where the file says so.
    pub line: Option<u32>,
    /// What it means, as a sentence without its full stop.
    pub says: String,
    /// What it takes.
    pub takes: SettingsKind,
}

/// Who says what holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SettingsSource {
    /// Nobody: it is the default.
    Default,
    /// The file.
    File,
    /// `--preset` on the agent's command line.
    Preset,
    /// Another option on the agent's command line.
    CommandLine,
}

/// What a key takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum SettingsKind {
    /// One of several words.
    Word {
        /// Which.
        words: Vec<SettingsWord>,
    },
    /// A whole number.
    Whole {
        /// The least.
        least: u32,
        /// The most.
        most: u32,
        /// Its unit, for people.
        unit: String,
    },
    /// A number with decimals.
    Decimal {
        /// The least.
        least: f64,
        /// The most.
        most: f64,
        /// Its unit, for people.
        unit: String,
    },
    /// An amount of US dollars, as text: `"0.35"`.
    Money {
        /// The most.
        most: MicroUsd,
        /// For what, for people: "an hour".
        per: String,
    },
    /// True or false.
    YesNo,
    /// A list of names and folders.
    Programs,
    /// A list of categories of work.
    Categories {
        /// Those there are.
        words: Vec<String>,
    },
    /// A list of beginnings of images' names.
    Publishers,
    /// A list of `{days, from, to}`, in quarters of an hour.
    Hours,
    /// A list of `{from, to, electricity}`.
    Bands,
    /// A marketplace's address, as text.
    Address,
}

/// One of the words that a key takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SettingsWord {
    /// As it is written.
    pub word: String,
    /// What it means.
    pub says: String,
}

/// A whole rule of renting in one word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SettingsPreset {
    /// The word.
    pub name: String,
    /// Whom it is for.
    pub whom: String,
    /// What it does, in one sentence.
    pub says: String,
    /// Its settings, as TOML.
    pub text: String,
    /// What is in force is what it says.
    pub in_force: bool,
}

/// A change of the file. Comments and order of what it does not touch stay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SettingsChange {
    /// Another text instead.
    Text(String),
    /// Single keys.
    Edits(Vec<SettingsEdit>),
    /// What a preset decides: the keys it names, and the default for those that only other presets name.
    Preset(String),
}

/// Another value for a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SettingsEdit {
    /// Which: `heat.hot_c`, `gpu.GPU-7f1c.floor`.
    pub key: String,
    /// What it shall be; absent: nothing, so that the default holds.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub value: Option<serde_json::Value>,
}

/// `PUT /local/v1/settings`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SettingsPut {
    /// The revision that the change was made on. Where the text is another one by now, nothing is written.
    pub revision: String,
    /// What to do.
    pub change: SettingsChange,
}

/// `POST /local/v1/settings/check`: what a change would do. Nothing is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SettingsPreview {
    /// The text as it would be.
    pub text: String,
    /// Everything that is wrong with it; it can be written where there is nothing.
    pub faults: Vec<SettingsFault>,
    /// What would hold, but may not be what was meant.
    pub warnings: Vec<SettingsFault>,
    /// What would be in force instead.
    pub changes: Vec<SettingsDifference>,
}

/// One key whose value would be another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SettingsDifference {
    /// Its key.
    pub key: String,
    /// What is in force, for people.
    pub before: String,
    /// What would be.
    pub after: String,
}
