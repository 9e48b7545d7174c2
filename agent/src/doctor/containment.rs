//! What holds a job in on this host, as a probe container measured it.

use super::{Finding, check};
use sublet_protocol::local::Check;
use sublet_protocol::offer::{Enforced, Part};

/// Every part of it, the indispensable ones first.
pub(super) fn checks(found: &Enforced) -> [Check; 7] {
    [
        check(
            "Containment",
            "A stranger's job must reach nothing of yours: no right, no file, no network, and no more than its share.",
            held(found),
        ),
        check(
            "CPU share",
            "A job gets the CPU time that you give it, and no more.",
            cpu(found),
        ),
        check(
            "AppArmor",
            "A second wall around a job, should a hole in the kernel open the first.",
            apparmor(found),
        ),
        check(
            "User namespaces",
            "Where they are used, even root in a container is nobody on the host.",
            users(found),
        ),
        check(
            "gVisor",
            "It puts a kernel of its own between a job and yours.",
            gvisor(&found.gvisor),
        ),
        check("Disk quota", "A job must not fill your disk.", quota(found)),
        check(
            "GPU access",
            "A job gets the GPUs that it pays for, and no other.",
            gpus(found),
        ),
    ]
}

fn held(found: &Enforced) -> Finding {
    if found.holds() {
        let groups = match found.cgroup_version {
            0 => String::new(),
            version => format!(" (control groups of version {version})"),
        };
        return Finding::good(
            "containment_holds",
            format!(
                "Measured in a container: system calls are filtered, there is no capability and no network, the root cannot be written, and memory and processes are limited{groups}."
            ),
        );
    }
    let gaps = found.gaps.join("; ");
    let remedy = if gaps.contains("filter") {
        "Start Docker without `--seccomp-profile=unconfined`, on a kernel with seccomp; nothing is rented until then."
    } else if gaps.contains("limited") {
        "Start the kernel with its memory and pids controllers (on some boards: cgroup_enable=memory), then Docker; nothing is rented until then."
    } else {
        "Look at Docker's configuration (daemon.json), or use Docker as your system ships it; nothing is rented until then."
    };
    Finding::bad("containment_gaps", format!("{}.", sentence(&gaps)), remedy).name("gaps", gaps)
}

fn cpu(found: &Enforced) -> Finding {
    if found.cpu {
        Finding::good("cpu_limited", "The limit is in force.")
    } else {
        Finding::warning(
            "cpu_unlimited",
            "The limit on CPU time is not in force: a job may take every core while nothing else wants it.",
            "Start the kernel with its cpu controller (CONFIG_CFS_BANDWIDTH).",
        )
    }
}

fn apparmor(found: &Enforced) -> Finding {
    match &found.apparmor {
        Some(profile) => Finding::good(
            "apparmor_in_force",
            format!("Its profile {profile} is in force."),
        )
        .name("profile", profile),
        None => Finding::warning(
            "apparmor_missing",
            "No AppArmor profile is in force for a job, whatever Docker says.",
            "On Debian and Ubuntu: apt install apparmor, then restart. Where your system has SELinux instead, this may stay.",
        ),
    }
}

fn users(found: &Enforced) -> Finding {
    if found.userns {
        Finding::good("users_mapped", "Docker maps a job's users to others.")
    } else {
        Finding::warning(
            "users_not_mapped",
            "Docker does not map users: user 65534 of a job is user 65534 here.",
            "Set \"userns-remap\": \"default\" in Docker's daemon.json and restart it; images and containers of before are then out of sight.",
        )
    }
}

fn gvisor(part: &Part) -> Finding {
    match part {
        Part::Works => Finding::good(
            "gvisor_works",
            "It works: jobs that need no NVIDIA GPU run in it.",
        ),
        // Most have none, and nothing has to be done.
        Part::Absent => Finding::good(
            "gvisor_absent",
            "It is not set up; jobs share this machine's kernel, behind the filter.",
        ),
        Part::Broken { why } => Finding::warning(
            "gvisor_broken",
            format!(
                "Docker has its runtime, but it does not work: {}.",
                why.trim_end_matches('.')
            ),
            "Give the runtime `runsc` in Docker's daemon.json its full path and, for old versions, \"runtimeArgs\": [\"--network=none\"]; or take it out.",
        )
        .name("problem", why),
    }
}

fn quota(found: &Enforced) -> Finding {
    match (found.volume_quota, found.layer_quota) {
        (true, _) => Finding::good(
            "quota_for_volumes",
            "Docker takes a size for a job's volume, and the disk is watched as well.",
        ),
        (false, true) => Finding::good(
            "quota_for_layers",
            "Docker limits a container's own layer, not a volume; the disk is watched instead.",
        ),
        (false, false) => Finding::good(
            "quota_watched",
            "Docker's storage has none; the disk is watched instead, five times a second.",
        ),
    }
}

fn gpus(found: &Enforced) -> Finding {
    if !found.cdi.is_empty() {
        let count = found.cdi.len();
        let gpus = if count == 1 { "GPU" } else { "GPUs" };
        let text = format!("Docker hands out {count} NVIDIA {gpus} by name (CDI).");
        return Finding::good("gpus_by_cdi", text).number("gpus", count as u64);
    }
    match &found.nvidia {
        Part::Works => Finding::good(
            "gpus_by_runtime",
            "Docker hands out NVIDIA GPUs by NVIDIA's runtime.",
        ),
        // Where there is a card whose driver runs, the check of the driver says so as a fault.
        Part::Broken { why } => Finding::warning(
            "gpus_broken",
            format!(
                "Docker has NVIDIA's runtime, but it does not work: {}.",
                why.trim_end_matches('.')
            ),
            "Install the NVIDIA Container Toolkit anew, run `nvidia-ctk runtime configure`, and restart Docker.",
        )
        .name("problem", why),
        Part::Absent => Finding::good(
            "gpus_none",
            "Docker hands out no NVIDIA GPU; that matters only where there is one.",
        ),
    }
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
