//! The settings as the local API shows them.

use super::assemble::Parsed;
use super::key::{Address, Key};
use super::kind::Kind;
use super::preset::DECIDES;
use super::{Choices, Fault, KEYS, PRESETS, Value, parse_text};
use sublet_protocol::ids::GpuId;
use sublet_protocol::job::Category;
use sublet_protocol::local::settings::{
    SettingsDifference, SettingsFault, SettingsKind, SettingsPreset, SettingsSource, SettingsValue,
    SettingsWord,
};

/// Faults on the wire.
pub fn faults(faults: &[Fault]) -> Vec<SettingsFault> {
    faults
        .iter()
        .map(|fault| {
            let place = fault.at.place();
            SettingsFault {
                line: place.map(|place| place.line),
                column: place.map(|place| place.column),
                key: fault.key.clone(),
                text: fault.said(),
            }
        })
        .collect()
}

/// Every key for the rig, then what single GPUs have of their own: by the owner's word, or because their driver bounds
/// what nobody chose.
pub fn values(parsed: &Parsed) -> Vec<SettingsValue> {
    let rigs = KEYS.iter().map(|key| Address { gpu: None, key });
    let gpus = parsed.choices.settings.gpus.keys().flat_map(|gpu| {
        let own = |key: &&Key| {
            parsed.file.get(Some(gpu), key.path).is_some()
                || parsed.bounded.contains(&(gpu.clone(), key.path))
        };
        KEYS.iter().filter(own).map(|key| Address {
            gpu: Some(gpu.clone()),
            key,
        })
    });
    rigs.chain(gpus)
        .map(|address| value(&address, parsed))
        .collect()
}

fn value(address: &Address, parsed: &Parsed) -> SettingsValue {
    let key = address.key;
    let gpu = address.gpu.as_ref();
    let holds = key.value(&parsed.choices, gpu);
    let source = source(key, gpu, parsed);
    let line = parsed
        .file
        .get(gpu, key.path)
        .and_then(|placed| placed.at.place())
        .map(|place| place.line)
        .filter(|_| source == SettingsSource::File);
    SettingsValue {
        key: address.to_string(),
        gpu: address.gpu.clone(),
        shown: shown(key, holds.as_ref()),
        value: holds.map(|value| value.to_json()),
        default_shown: shown(key, key.value(&Choices::default(), None).as_ref()),
        source,
        line,
        says: key.says.to_owned(),
        takes: kind(&key.kind),
    }
}

fn source(key: &Key, gpu: Option<&GpuId>, parsed: &Parsed) -> SettingsSource {
    let told = &parsed.overrides;
    let by_option = match key.path {
        "price.floor" => told.floor.is_some(),
        "rent.away_minutes" => told.away_ms.is_some(),
        "market.url" => told.market.is_some(),
        "rent.allow_software_gpu" => told.allow_software_gpu,
        _ => false,
    };
    if gpu.is_none() && by_option {
        SettingsSource::CommandLine
    } else if gpu.is_none() && told.preset.is_some() && DECIDES.contains(&key.path) {
        SettingsSource::Preset
    } else if parsed.file.get(gpu, key.path).is_some() {
        SettingsSource::File
    } else {
        SettingsSource::Default
    }
}

/// A value for people, with its unit.
pub fn shown(key: &Key, value: Option<&Value>) -> String {
    let Some(value) = value else {
        return key.absent.to_owned();
    };
    match (&key.kind, value) {
        (Kind::Whole { unit, .. }, Value::Whole(1)) => {
            format!("1 {}", unit.strip_suffix('s').unwrap_or(unit))
        }
        (Kind::Whole { unit, .. } | Kind::Decimal { unit, .. }, value) => format!("{value} {unit}"),
        (Kind::Money { per, .. }, value) => format!("{value} {per}"),
        (_, value) => value.to_string(),
    }
}

fn kind(kind: &Kind) -> SettingsKind {
    match *kind {
        Kind::Word(words) => SettingsKind::Word {
            words: words
                .iter()
                .map(|(word, says)| SettingsWord {
                    word: (*word).to_owned(),
                    says: (*says).to_owned(),
                })
                .collect(),
        },
        Kind::Whole { least, most, unit } => SettingsKind::Whole {
            least,
            most,
            unit: unit.to_owned(),
        },
        Kind::Decimal { least, most, unit } => SettingsKind::Decimal {
            least,
            most,
            unit: unit.to_owned(),
        },
        Kind::Money { most, per } => SettingsKind::Money {
            most,
            per: per.to_owned(),
        },
        Kind::YesNo => SettingsKind::YesNo,
        Kind::Programs => SettingsKind::Programs,
        Kind::Categories => SettingsKind::Categories {
            words: Category::ALL
                .iter()
                .map(|one| one.name().to_owned())
                .collect(),
        },
        Kind::Publishers => SettingsKind::Publishers,
        Kind::Hours => SettingsKind::Hours,
        Kind::Bands => SettingsKind::Bands,
        Kind::Address => SettingsKind::Address,
    }
}

/// Every preset, and which of them says what is in force.
pub fn presets(choices: &Choices) -> Vec<SettingsPreset> {
    PRESETS
        .iter()
        .map(|preset| SettingsPreset {
            name: preset.name.to_owned(),
            whom: preset.whom.to_owned(),
            says: preset.says.to_owned(),
            text: preset.text.to_owned(),
            in_force: says(preset, choices),
        })
        .collect()
}

/// The preset that says what these choices are, where one does.
pub fn preset_of(choices: &Choices) -> Option<&'static str> {
    let mut presets = PRESETS.iter();
    presets
        .find(|preset| says(preset, choices))
        .map(|preset| preset.name)
}

fn says(preset: &super::Preset, choices: &Choices) -> bool {
    parse_text(preset.text, &[]).is_ok_and(|parsed| {
        super::Preset::keys()
            .all(|key| key.value(&parsed.choices, None) == key.value(choices, None))
    })
}

/// What differs between what two texts put in force.
pub fn differences(before: &Parsed, after: &Parsed) -> Vec<SettingsDifference> {
    let gpus = before.file.gpus.keys().chain(after.file.gpus.keys());
    let mut whose: Vec<Option<GpuId>> = gpus.cloned().map(Some).collect();
    whose.push(None);
    whose.sort();
    whose.dedup();
    let mut differences = Vec::new();
    for gpu in whose {
        for key in KEYS {
            if gpu.is_some() && key.own().is_none() {
                continue;
            }
            let holds = |parsed: &Parsed| {
                let value = key.value(&parsed.choices, gpu.as_ref());
                shown(key, value.as_ref())
            };
            let (before, after) = (holds(before), holds(after));
            if before != after {
                let gpu = gpu.clone();
                differences.push(SettingsDifference {
                    key: Address { gpu, key }.to_string(),
                    before,
                    after,
                });
            }
        }
    }
    differences
}
