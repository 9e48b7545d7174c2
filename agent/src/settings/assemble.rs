//! From what was said to what holds: defaults, the file, the command line, and what they must agree on.

use super::document::{self, Placed, Said};
use super::fault::{At, Fault, Faults};
use super::key::{Address, Holds, Key};
use super::value::Value;
use super::{Choices, KEYS, KnownGpu, Overrides, Preset};
use std::collections::BTreeSet;
use sublet_core::policy::heat;
use sublet_core::settings::{GpuSettings, Heat, Mode, Quiet};
use sublet_protocol::ids::GpuId;

/// A text that holds.
#[derive(Debug, Clone, Default)]
pub struct Parsed {
    /// What the owner chose.
    pub choices: Choices,
    /// What is not wrong, but may not be what was meant.
    pub warnings: Vec<Fault>,
    pub(super) file: Said,
    pub(super) overrides: Overrides,
    /// What nobody chose for a GPU, and its driver bounds.
    pub(super) bounded: BTreeSet<(GpuId, &'static str)>,
}

/// Reads a text by itself.
///
/// # Errors
/// Everything that is wrong with it, from top to bottom; never empty.
pub fn parse_text(text: &str, known: &[KnownGpu]) -> Result<Parsed, Vec<Fault>> {
    parse_under(text, &Overrides::default(), known)
}

/// Reads a text under a command line.
///
/// # Errors
/// As [`parse_text`].
pub fn parse_under(
    text: &str,
    overrides: &Overrides,
    known: &[KnownGpu],
) -> Result<Parsed, Vec<Fault>> {
    let mut faults = Faults::of(text);
    let file = document::read(text, &mut faults);
    let faulty = faults.finish();
    if !faulty.is_empty() {
        return Err(faulty);
    }
    let line = command_line(overrides);
    let said = over(&file, &line, overrides.preset.is_some());
    let mut choices = choices(&said);
    if let Some(away_ms) = overrides.away_ms {
        choices.settings.away_ms = away_ms;
    }
    let mut faults = Faults::of(text);
    check_heat(&said, &choices, &mut faults);
    check_cards(&said, &choices, known, &mut faults);
    let faulty = faults.finish();
    if !faulty.is_empty() {
        return Err(faulty);
    }
    let bounded = bound(&said, &mut choices, known);
    let warnings = warnings(text, &said, &choices, known);
    Ok(Parsed {
        choices,
        warnings,
        file,
        overrides: overrides.clone(),
        bounded,
    })
}

/// What the command line says. A preset's text is ours, and a test reads it.
fn command_line(overrides: &Overrides) -> Said {
    let mut said = overrides.preset.map(said_by).unwrap_or_default();
    let mut say = |path, value, words: &str| {
        let at = At::CommandLine(words.to_owned());
        said.values.insert((None, path), Placed { value, at });
    };
    if let Some(floor) = overrides.floor {
        say("price.floor", Value::Money(floor.0), "--floor");
    }
    if let Some(market) = &overrides.market {
        say("market.url", Value::Address(market.clone()), "--market");
    }
    if overrides.allow_software_gpu {
        let words = "--allow-software-gpu";
        say("rent.allow_software_gpu", Value::YesNo(true), words);
    }
    said
}

/// What a preset says, on the command line.
pub(super) fn said_by(preset: Preset) -> Said {
    let mut said = document::read(preset.text, &mut Faults::of(preset.text));
    for placed in said.values.values_mut() {
        placed.at = At::CommandLine(format!("--preset {preset}"));
    }
    said
}

/// The file with the command line over it.
fn over(file: &Said, line: &Said, preset: bool) -> Said {
    let mut said = file.clone();
    if preset {
        for key in Preset::keys() {
            said.values.remove(&(None, key.path));
        }
    }
    said.values.extend(line.values.clone());
    said
}

fn choices(said: &Said) -> Choices {
    let mut choices = Choices::default();
    for key in KEYS {
        let Some(placed) = said.get(None, key.path) else {
            continue;
        };
        match key.holds {
            Holds::Rig(put, _) => put(&mut choices, &placed.value),
            Holds::Gpu { put, .. } => put(&mut choices.settings.each, &placed.value),
        }
    }
    let rigs = choices.settings.each.clone();
    for gpu in said.gpus.keys() {
        let mut own = rigs.clone();
        for key in KEYS {
            if let (Holds::Gpu { put, .. }, Some(placed)) =
                (key.holds, said.get(Some(gpu), key.path))
            {
                put(&mut own, &placed.value);
            }
        }
        finish(&mut own, |path| said.holding(gpu, path).is_some());
        choices.settings.gpus.insert(gpu.clone(), own);
    }
    finish(&mut choices.settings.each, |path| {
        said.get(None, path).is_some()
    });
    choices
}

const TARGET: &str = "heat.target_c";
const HOT: &str = "heat.hot_c";
const COOL: &str = "heat.cool_c";
const POWER: &str = "quiet.power_percent";

/// Temperatures that nobody chose follow those that somebody did; bounds that bound nothing go.
fn finish(gpu: &mut GpuSettings, chosen: impl Fn(&'static str) -> bool) {
    follow(&mut gpu.heat, chosen);
    gpu.quiet = gpu.quiet.filter(|quiet| {
        let Quiet {
            power_percent,
            fan_percent,
        } = quiet;
        *power_percent < 100 || fan_percent.is_some_and(|percent| percent < 100)
    });
}

fn follow(heat: &mut Heat, chosen: impl Fn(&'static str) -> bool) {
    let usual = Heat::default();
    if !chosen(TARGET) {
        heat.target_c = heat.hot_c - (usual.hot_c - usual.target_c);
    }
    if !chosen(COOL) {
        heat.cool_c = heat.target_c - (usual.target_c - usual.cool_c);
    }
}

fn in_order(heat: &Heat) -> bool {
    heat.cool_c < heat.target_c && heat.target_c < heat.hot_c
}

/// What holds for a card: what nobody chose is never more than its driver bears.
fn borne(said: &Said, choices: &Choices, card: &KnownGpu) -> Heat {
    let mut heat = choices.settings.gpu(&card.id).heat;
    let chosen = |path| said.holding(&card.id, path).is_some();
    if !chosen(HOT) {
        heat.hot_c = heat::bounds(heat, card.slowdown_c).hot_c;
        follow(&mut heat, chosen);
    }
    heat
}

/// Puts in force for single cards what their drivers bound, and tells which choices that are.
fn bound(
    said: &Said,
    choices: &mut Choices,
    known: &[KnownGpu],
) -> BTreeSet<(GpuId, &'static str)> {
    let mut bounded = BTreeSet::new();
    for card in known {
        let mut own = choices.settings.gpu(&card.id).clone();
        let heat = borne(said, choices, card);
        for (path, before, after) in [
            (TARGET, own.heat.target_c, heat.target_c),
            (HOT, own.heat.hot_c, heat.hot_c),
            (COOL, own.heat.cool_c, heat.cool_c),
        ] {
            if before != after {
                bounded.insert((card.id.clone(), path));
            }
        }
        if own.heat != heat {
            own.heat = heat;
            choices.settings.gpus.insert(card.id.clone(), own);
        }
    }
    bounded
}

/// `cool_c < target_c < hot_c`, for the rig and for each GPU that says something of its own about it.
fn check_heat(said: &Said, choices: &Choices, faults: &mut Faults<'_>) {
    let mut check = |gpu: Option<&GpuId>, heat: &Heat| {
        if in_order(heat) {
            return;
        }
        let said_last = [TARGET, HOT, COOL]
            .into_iter()
            .filter_map(|path| Some((said.get(gpu, path)?.at.clone(), path)))
            .max();
        let Some((at, path)) = said_last else {
            return;
        };
        let what = format!(
            "does not fit: it must be cool_c < target_c < hot_c, and with what is chosen and the defaults they are {} < {} < {} °C",
            heat.cool_c, heat.target_c, heat.hot_c
        );
        faults.add_at(at, Some(&name(gpu, path)), what);
    };
    check(None, &choices.settings.each.heat);
    for (gpu, own) in &choices.settings.gpus {
        check(Some(gpu), &own.heat);
    }
}

/// What a card cannot do is refused where it was asked for.
fn check_cards(said: &Said, choices: &Choices, known: &[KnownGpu], faults: &mut Faults<'_>) {
    for card in known {
        let holds = choices.settings.gpu(&card.id);
        let mut refuse = |path: &'static str, what: String| {
            let own = said
                .get(Some(&card.id), path)
                .map(|own| (own, Some(&card.id)));
            let placed = own.or_else(|| said.get(None, path).map(|rigs| (rigs, None)));
            let Some((placed, gpu)) = placed else {
                return;
            };
            let what = match placed.at {
                At::Text(_) => what,
                At::CommandLine(_) => {
                    format!(
                        "{what}; choose it under [gpu.\"{}\"] in the settings",
                        card.id
                    )
                }
            };
            faults.add_at(placed.at.clone(), Some(&name(gpu, path)), what);
        };
        if let Some(slowdown) = card.slowdown_c
            && in_order(&holds.heat)
        {
            let heat = borne(said, choices, card);
            let stop = heat::bounds(heat, card.slowdown_c).hot_c;
            let slows = format!("{} slows itself down from {slowdown} °C", card.name);
            if heat.hot_c > slowdown {
                let what = format!("is {} °C; {slows}, so it must be at most that", heat.hot_c);
                refuse(HOT, what);
            } else if heat.target_c >= stop {
                let what = format!(
                    "is {} °C; {slows} and gives its job up at {stop} °C, so it must be below that",
                    heat.target_c
                );
                refuse(TARGET, what);
            } else if heat.cool_c >= heat.target_c {
                let what = format!(
                    "is {} °C; {slows} and is held at {} °C, so it must be below that",
                    heat.cool_c, heat.target_c
                );
                refuse(COOL, what);
            }
        }
        if let (Some(power), Some(quiet)) = (card.power, holds.quiet)
            && power.default_mw > 0
        {
            let watts = |mw: u64| (mw + 500) / 1_000;
            let asked = u64::from(power.default_mw) * u64::from(quiet.power_percent) / 100;
            let lowest = u64::from(power.lowest_mw);
            if asked < lowest {
                let least = (lowest * 100).div_ceil(u64::from(power.default_mw));
                let what = format!(
                    "is {} %, which is {} W; {} takes no less than {} W, so it must be {least} to 100 %",
                    quiet.power_percent,
                    watts(asked),
                    card.name,
                    watts(lowest)
                );
                refuse(POWER, what);
            }
        }
    }
}

fn warnings(text: &str, said: &Said, choices: &Choices, known: &[KnownGpu]) -> Vec<Fault> {
    let mut found = Faults::of(text);
    for (gpu, place) in &said.gpus {
        if !known.is_empty() && !known.iter().any(|card| card.id == *gpu) {
            let what = "is not in this machine now; what is said of it holds when it is back, and `sublet gpus` lists those that are here";
            found.add_at(At::Text(*place), Some(&format!("gpu.{gpu}")), what);
        }
    }
    let scheduled = |gpu: &GpuSettings| gpu.mode == Mode::Schedule;
    let settings = &choices.settings;
    let any = scheduled(&settings.each) || settings.gpus.values().any(scheduled);
    if any && choices.hours.is_empty() {
        let schedule = Value::Word("schedule");
        let what = "is \"schedule\" and there are no [[rent.hours]], so it never rents";
        let asked = said
            .values
            .iter()
            .find(|((_, path), placed)| *path == "rent.mode" && placed.value == schedule);
        if let Some((_, placed)) = asked {
            found.add_at(placed.at.clone(), Some("rent.mode"), what);
        }
    }
    found.finish()
}

fn name(gpu: Option<&GpuId>, path: &'static str) -> String {
    Key::of(path).map_or_else(
        || path.to_owned(),
        |key| {
            let gpu = gpu.cloned();
            Address { gpu, key }.to_string()
        },
    )
}
