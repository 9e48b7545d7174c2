//! Mains or battery, by the kernel's list of power supplies.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sublet_core::facts::Power;

const SUPPLIES: &str = "class/power_supply";

/// Whether there is no supply to ask.
pub(super) fn is_quick(sys: &Path) -> bool {
    supplies(sys).is_ok_and(|supplies| supplies.is_empty())
}

/// Where the power comes from; `None` where that cannot be told.
///
/// A battery counts only where it powers the machine: those of a wireless mouse or of headphones are of scope
/// `Device`. While any charger gives power, it is mains. A machine without a battery is on mains.
pub(super) fn read(sys: &Path) -> Option<Power> {
    let supplies = supplies(sys).ok()?;
    let mut chargers = 0;
    let mut batteries = Vec::new();
    for supply in supplies {
        match text(&supply, "type").as_deref() {
            Some("Battery" | "UPS") => {
                let device = text(&supply, "scope").is_some_and(|scope| scope == "Device");
                let absent = text(&supply, "present").is_some_and(|present| present == "0");
                if !device && !absent {
                    batteries.push(supply);
                }
            }
            // A charger by USB is of its own kind, whichever of USB's ways it negotiates.
            Some("Mains" | "Wireless") => {
                chargers += 1;
                if gives_power(&supply) {
                    return Some(Power::Mains);
                }
            }
            Some(kind) if kind.starts_with("USB") && gives_power(&supply) => {
                return Some(Power::Mains);
            }
            // It went away while it was looked at, or is something else.
            _ => {}
        }
    }
    let percents = batteries
        .iter()
        .filter_map(|battery| text(battery, "capacity")?.parse().ok())
        .map(|percent: u8| percent.min(100));
    let battery = Power::Battery {
        percent: percents.min(),
    };
    if batteries.is_empty() {
        return Some(Power::Mains);
    }
    let states: Vec<_> = batteries
        .iter()
        .filter_map(|battery| text(battery, "status"))
        .collect();
    let any = |wanted: &[&str]| states.iter().any(|state| wanted.contains(&state.as_str()));
    if chargers > 0 || any(&["Discharging"]) {
        Some(battery)
    } else if any(&["Charging", "Full", "Not charging"]) {
        Some(Power::Mains)
    } else {
        None
    }
}

/// Where the kernel knows of no supplies, there are none.
fn supplies(sys: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(sys.join(SUPPLIES)) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn gives_power(supply: &Path) -> bool {
    // 2: on, and programmable.
    text(supply, "online").is_some_and(|online| online != "0")
}

fn text(supply: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(supply.join(name)).ok()?;
    Some(text.trim().to_owned())
}
