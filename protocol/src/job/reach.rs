//! Variables that would choose what a job may reach: drivers, runtimes and loaders obey them. A rig sets them itself.

/// How the names begin of variables that no job may set.
pub const REFUSED_BEGINNINGS: [&str; 9] = [
    // NVIDIA's runtime hands out what these name: cards, driver parts, channels between machines.
    "NVIDIA_",
    // Which cards a program sees, by maker.
    "CUDA_VISIBLE_",
    "HIP_VISIBLE_",
    "ROCR_VISIBLE_",
    "ZE_AFFINITY_",
    "ONEAPI_DEVICE_",
    "GPU_DEVICE_",
    // A server that shares one card among programs of several owners.
    "CUDA_MPS_",
    // The loader runs what these name before the program.
    "LD_",
];

/// Variables that an image may bring and that would widen what its job reaches. A container is made without them.
pub const WIDENING: [&str; 12] = [
    "NVIDIA_GDRCOPY",
    "NVIDIA_GDS",
    "NVIDIA_IMEX_CHANNELS",
    "NVIDIA_MIG_CONFIG_DEVICES",
    "NVIDIA_MIG_MONITOR_DEVICES",
    "NVIDIA_MOFED",
    "NVIDIA_NVSWITCH",
    "NVIDIA_DISABLE_REQUIRE",
    "NVIDIA_VISIBLE_DEVICES",
    "NVIDIA_DRIVER_CAPABILITIES",
    "CUDA_MPS_PIPE_DIRECTORY",
    "CUDA_VISIBLE_DEVICES",
];

/// Whether a variable would choose what the job reaches, so that no job may set it.
pub fn chooses_reach(name: &str) -> bool {
    REFUSED_BEGINNINGS
        .iter()
        .any(|beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_out_of_an_image_is_refused_in_a_job() {
        for name in WIDENING {
            assert!(chooses_reach(name), "{name}");
        }
        for name in ["GREETING", "CUDA_CACHE_PATH", "VK_DRIVER_FILES", "OLD_ONE"] {
            assert!(!chooses_reach(name), "{name}");
        }
    }
}
