//! The owner's limits as the sandbox and the marketplace take them, with what holds where nothing is chosen.

use crate::sandbox::DiskLimits;
use crate::settings::Limits;
use sublet_protocol::offer::HostLimits;

/// What all outputs of a job may take where the owner says nothing, in MiB.
const OUTPUT_MIB: u64 = 10 << 10;

/// What a job may take beside its GPUs: the owner's word, else the whole CPU and half of the memory. `capacity` is
/// thousandths of a core and bytes of memory that the engine sees.
pub fn host(limits: Limits, capacity: Option<(u32, u64)>) -> HostLimits {
    let (cores_milli, memory) = capacity.unwrap_or((0, 0));
    let wanted_milli = limits
        .cpus
        .map_or(cores_milli, |cpus| (cpus * 1000.0) as u32);
    let wanted_memory = limits.memory_mib.map_or(memory / 2, bytes);
    HostLimits {
        cpu_milli: wanted_milli.min(cores_milli),
        memory_bytes: wanted_memory.min(memory),
        output_bytes: bytes(limits.output_mib.unwrap_or(OUTPUT_MIB)),
        disk_bytes: limits.disk_mib.map(bytes),
        longest_ms: limits.run_minutes.map(|minutes| minutes * 60_000),
    }
}

/// What stays free of the disk, and what images may take of it.
pub fn disk(limits: Limits) -> DiskLimits {
    let usual = DiskLimits::default();
    let or = |chosen: Option<u64>, usual| chosen.map_or(usual, bytes);
    DiskLimits {
        reserve_bytes: or(limits.reserve_mib, usual.reserve_bytes),
        cache_bytes: or(limits.image_cache_mib, usual.cache_bytes),
        ..usual
    }
}

fn bytes(mib: u64) -> u64 {
    mib << 20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_chosen_is_as_it_always_was() {
        let capacity = Some((4_000, 8 << 30));
        let held = host(Limits::default(), capacity);
        assert_eq!((held.cpu_milli, held.memory_bytes), (4_000, 4 << 30));
        assert_eq!((held.output_bytes, held.longest_ms), (10 << 30, None));
        assert_eq!(held.disk_bytes, None);
        assert_eq!(disk(Limits::default()), DiskLimits::default());
    }

    #[test]
    fn what_is_chosen_holds_as_far_as_the_machine_goes() {
        let limits = Limits {
            cpus: Some(64.0),
            memory_mib: Some(1 << 10),
            output_mib: Some(100),
            disk_mib: Some(500),
            reserve_mib: Some(20 << 10),
            image_cache_mib: Some(0),
            run_minutes: Some(30),
        };
        let held = host(limits, Some((4_000, 8 << 30)));
        assert_eq!((held.cpu_milli, held.memory_bytes), (4_000, 1 << 30));
        assert_eq!(
            (held.output_bytes, held.disk_bytes),
            (100 << 20, Some(500 << 20))
        );
        assert_eq!(held.longest_ms, Some(1_800_000));
        let bounds = disk(limits);
        assert_eq!((bounds.reserve_bytes, bounds.cache_bytes), (20 << 30, 0));
    }
}
