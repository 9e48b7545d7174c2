//! What keeps one GPU from renting: it is gone, unwatched, hot, or somebody else uses it.

use super::heat;
use super::owner::after_ms;
use super::reading::{Needed, too_old, unknown};
use super::words::{again, and_more, reason};
use crate::facts::{FRESH_MS, GpuFacts, GpuProblem, GpuUser, Sensed};
use crate::memory::Memory;
use crate::settings::Settings;
use sublet_protocol::gpu::GpuVendor;
use sublet_protocol::reason::{Reason, ReasonCode};

/// From this share of the GPU's time on, a program that draws uses it, in per cent.
const USES_LOAD_PERCENT: u8 = 10;
/// From so much GPU memory on, a program that draws uses it, in bytes.
const USES_MEMORY_BYTES: u64 = 1 << 30;

/// Whether a program uses its GPU, rather than merely having a window on it.
///
/// Whatever computes uses it, also where the driver tells no figures. What only draws uses it from a tenth of its time
/// or a GiB of its memory on: a browser with a page open does not, a game or a video editor does. Where the driver
/// tells neither figure of what draws (as on Windows), the load of the whole GPU stands for it, `gpu_load` per
/// cent; that is absent while a job of ours makes the load.
pub fn uses(user: &GpuUser, gpu_load: Option<u8>) -> bool {
    let told = user.load_percent.is_some() || user.memory_bytes.is_some();
    let load = if told { user.load_percent } else { gpu_load };
    user.computes
        || load.is_some_and(|percent| percent >= USES_LOAD_PERCENT)
        || user
            .memory_bytes
            .is_some_and(|bytes| bytes >= USES_MEMORY_BYTES)
}

/// Why nobody can put a job on it at all, where that is so.
pub(super) fn lost(gpu: &GpuFacts) -> Option<Reason> {
    let Some(GpuProblem::Lost(why)) = &gpu.problem else {
        return None;
    };
    Some(gone(&gpu.info.name, why))
}

/// The reason of a GPU that is gone.
pub(super) fn gone(name: &str, why: &str) -> Reason {
    reason(
        ReasonCode::GpuLost,
        format!("{name} is gone: {why}"),
        "Restart the machine, or the driver; it is looked for again by itself.",
    )
    .name("gpu", name)
    .name("problem", why)
}

/// What its sensors say against renting. A software adapter has none.
pub(super) fn sensors(memory: &Memory, settings: &Settings, gpu: &GpuFacts) -> Vec<Reason> {
    if gpu.info.software {
        return Vec::new();
    }
    if let Some(GpuProblem::Unreadable(why)) = &gpu.problem {
        return vec![unknown(Needed::Temperature, Some(gpu), why)];
    }
    let Some(sensed) = &gpu.sensed else {
        let why = match gpu.info.vendor {
            GpuVendor::Nvidia => "its driver's library has not been read yet",
            _ => "this version cannot read its sensors",
        };
        return vec![unknown(Needed::Temperature, Some(gpu), why)];
    };
    if sensed.age_ms > FRESH_MS {
        return vec![too_old(Needed::Temperature, Some(gpu))];
    }
    let mut reasons = Vec::new();
    match sensed.temperature_c {
        None => reasons.push(unknown(
            Needed::Temperature,
            Some(gpu),
            "it does not tell its temperature",
        )),
        Some(core_c) => reasons.extend(too_hot(memory, settings, gpu, sensed, core_c)),
    }
    match &sensed.users {
        None => reasons.push(unknown(
            Needed::Users,
            Some(gpu),
            "its driver does not tell",
        )),
        Some(users) => reasons.extend(in_use(memory, settings, gpu, sensed, users)),
    }
    reasons
}

fn too_hot(
    memory: &Memory,
    settings: &Settings,
    gpu: &GpuFacts,
    sensed: &Sensed,
    core_c: i32,
) -> Option<Reason> {
    let bounds = heat::bounds(settings.gpu(&gpu.info.id).heat, gpu.slowdown_c);
    if !bounds.too_hot(sensed) && !memory.cooling.contains(&gpu.info.id) {
        return None;
    }
    let name = &gpu.info.name;
    // The sensor that counts is the one to name.
    let spot_c = sensed
        .hotspot_c
        .filter(|spot_c| spot_c - heat::HOTSPOT_ABOVE_C > core_c);
    let (sensor, celsius, cool_c) = match spot_c {
        Some(spot_c) => ("hotspot", spot_c, bounds.cool_c + heat::HOTSPOT_ABOVE_C),
        None => ("core", core_c, bounds.cool_c),
    };
    let text = match spot_c {
        Some(_) => format!("The hottest spot of {name} is at {celsius} °C."),
        None => format!("{name} is at {celsius} °C."),
    };
    Some(
        reason(
            ReasonCode::TooHot,
            text,
            format!("Rents again below {cool_c} °C."),
        )
        .name("gpu", name)
        .name("sensor", sensor)
        .number("celsius", celsius)
        .number("cool_c", cool_c),
    )
}

fn in_use(
    memory: &Memory,
    settings: &Settings,
    gpu: &GpuFacts,
    sensed: &Sensed,
    users: &[GpuUser],
) -> Option<Reason> {
    let ours = memory.holder(&gpu.info.id).is_some();
    let load = sensed.load_percent.filter(|_| !ours);
    let mut using = users.iter().filter(|user| uses(user, load));
    let first = using.next()?;
    let more = using.count();
    let after = after_ms(settings.gpu(&gpu.info.id).mode, settings);
    let verb = if more == 0 { "uses" } else { "use" };
    let text = format!("{}{} {verb} {}.", first.name, and_more(more), gpu.info.name);
    Some(
        reason(ReasonCode::GpuInUse, text, again(after, "it has closed"))
            .name("program", &first.name)
            .name("gpu", &gpu.info.name)
            .number("pid", first.pid)
            .number("more", more)
            .number("after_ms", after),
    )
}

/// An adapter without hardware, where the owner did not allow it.
pub(super) fn software(settings: &Settings, gpu: &GpuFacts) -> Option<Reason> {
    let name = &gpu.info.name;
    (gpu.info.software && !settings.allow_software_gpu).then(|| {
        reason(
            ReasonCode::SoftwareGpu,
            format!("{name} is not a graphics card: the CPU does its work."),
            "Start the agent with --allow-software-gpu to rent it all the same.",
        )
        .name("gpu", name)
    })
}

/// A GPU that nobody has measured cannot be sold.
pub(super) fn unmeasured(gpu: &GpuFacts) -> Option<Reason> {
    let name = &gpu.info.name;
    gpu.info.score.is_none().then(|| {
        reason(
            ReasonCode::NotBenchmarked,
            format!("{name} has no benchmark under this driver."),
            "Run `sublet bench`.",
        )
        .name("gpu", name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_not_use_and_work_is() {
        let program = |computes, memory_bytes, load_percent| GpuUser {
            name: "a".into(),
            pid: 1,
            memory_bytes,
            load_percent,
            computes,
        };
        const MIB: u64 = 1 << 20;
        for (user, gpu_load, used) in [
            // A browser with a page open.
            (program(false, Some(100 * MIB), Some(1)), Some(90), false),
            (program(false, Some(100 * MIB), None), Some(90), false),
            (program(false, Some(100 * MIB), Some(10)), None, true),
            (program(false, Some(1 << 30), Some(0)), None, true),
            // Whatever computes.
            (program(true, None, None), None, true),
            (program(true, Some(MIB), Some(0)), Some(0), true),
            // Nothing told of it: the whole GPU's load stands for it.
            (program(false, None, None), Some(9), false),
            (program(false, None, None), Some(10), true),
            (program(false, None, None), None, false),
        ] {
            assert_eq!(uses(&user, gpu_load), used, "{user:?} {gpu_load:?}");
        }
    }
}
