//! The settings in force, in one sentence.

use super::Choices;
use sublet_core::settings::{GpuSettings, Mode};

/// What the settings do.
pub fn sentence(choices: &Choices) -> String {
    let each = &choices.settings.each;
    let mut said = when(each, choices);
    if each.mode != Mode::Off {
        said.push_str(&format!(", from {} an hour", each.floor.0));
        if each.quiet.is_some() {
            said.push_str(", quietly");
        }
    }
    said.push('.');
    let own = choices.settings.gpus.values();
    match own.filter(|own| *own != each).count() {
        0 => {}
        1 => said.push_str(" One GPU has a rule of its own."),
        several => said.push_str(&format!(" {several} GPUs have rules of their own.")),
    }
    said
}

fn when(gpu: &GpuSettings, choices: &Choices) -> String {
    let settings = &choices.settings;
    match gpu.mode {
        Mode::Away => format!(
            "Rents once you have been away for {}",
            time(settings.away_ms)
        ),
        Mode::GpuIdle if settings.settle_ms == 0 => {
            "Rents a GPU while no program uses it, even while you work".to_owned()
        }
        Mode::GpuIdle => format!(
            "Rents a GPU once no program has used it for {}, even while you work",
            time(settings.settle_ms)
        ),
        Mode::Schedule => match &choices.hours[..] {
            [] => "Never rents, for its schedule has no hours".to_owned(),
            [only] => format!("Rents {only}"),
            several => format!("Rents in {} stretches of the week", several.len()),
        },
        Mode::Always => "Rents always".to_owned(),
        Mode::Off => "Never rents".to_owned(),
    }
}

fn time(ms: u64) -> String {
    let (count, unit) = match ms / 1_000 {
        seconds if seconds > 0 && seconds % 60 == 0 => (seconds / 60, "minute"),
        seconds => (seconds, "second"),
    };
    match count {
        1 => format!("1 {unit}"),
        _ => format!("{count} {unit}s"),
    }
}
