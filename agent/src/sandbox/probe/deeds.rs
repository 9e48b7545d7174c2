//! What is asked of the program in the probe container, and who should refuse it.

/// Who holds a job back from a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// Our filter of system calls.
    Filter,
    /// The lack of every capability.
    Rights,
    /// The root file system, which is mounted for reading.
    Root,
}

/// A system call that a job must not get.
pub(super) struct Deed {
    pub name: &'static str,
    number: i64,
    arguments: &'static [&'static str],
    /// How it must be refused: an error's number.
    pub error: i64,
    pub holder: Holder,
}

const EPERM: i64 = 1;
const EROFS: i64 = 30;
const ENOSYS: i64 = 38;

/// The number on x86-64, and on AArch64.
const fn on(x86_64: i64, aarch64: i64) -> i64 {
    if cfg!(target_arch = "aarch64") {
        aarch64
    } else {
        x86_64
    }
}

const fn filtered(
    name: &'static str,
    number: i64,
    arguments: &'static [&'static str],
    error: i64,
) -> Deed {
    Deed {
        name,
        number,
        arguments,
        error,
        holder: Holder::Filter,
    }
}

/// Of the calls that the filter refuses, those with which jobs got out before, and of each way to refuse one.
/// Each asks for so little that it does no harm where it is granted.
pub(super) const DEEDS: &[Deed] = &[
    // Which keyring is mine?
    filtered("keyctl", on(250, 219), &["0", "-3", "1"], EPERM),
    filtered("bpf", on(321, 280), &["0", "0", "0"], EPERM),
    filtered("userfaultfd", on(323, 282), &["0"], EPERM),
    filtered(
        "perf_event_open",
        on(298, 241),
        &["0", "0", "-1", "-1", "0"],
        EPERM,
    ),
    // CLONE_NEWUSER
    filtered("unshare", on(272, 97), &["268435456"], EPERM),
    // ADDR_NO_RANDOMIZE
    filtered("personality", on(135, 92), &["262144"], EPERM),
    // AF_VSOCK, SOCK_STREAM
    filtered("socket(vsock)", on(41, 198), &["40", "1", "0"], EPERM),
    filtered("clone3", on(435, 435), &["0", "0"], ENOSYS),
    filtered("io_uring_setup", on(425, 425), &["1", "0"], ENOSYS),
    filtered("io_setup", on(206, 0), &["1", "0"], ENOSYS),
    Deed {
        name: "setuid",
        number: on(105, 146),
        arguments: &["0"],
        error: EPERM,
        holder: Holder::Rights,
    },
    // A block device of the first disk, for the owner alone.
    Deed {
        name: "mknodat",
        number: on(259, 33),
        arguments: &["-100", "@/tmp/disk", "24960", "2049"],
        error: EPERM,
        holder: Holder::Rights,
    },
    // O_WRONLY and O_CREAT.
    Deed {
        name: "write to /",
        number: OPENAT,
        arguments: &["-100", "@/planted", "65", "384"],
        error: EROFS,
        holder: Holder::Root,
    },
];

const OPENAT: i64 = on(257, 56);

pub(super) const STATUS: &str = "/proc/self/status";
pub(super) const LABEL: &str = "/proc/self/attr/current";
pub(super) const USERS: &str = "/proc/self/uid_map";
pub(super) const GROUPS: &str = "/proc/self/cgroup";
pub(super) const ROUTES: &str = "/proc/net/route";
pub(super) const ADDRESSES: &str = "/proc/net/if_inet6";
pub(super) const KERNEL: &str = "/proc/version";
pub(super) const MOUNTS: &str = "/proc/self/mounts";
/// Each limit in the second and in the first version of control groups.
pub(super) const MEMORY: [&str; 2] = [
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
];
pub(super) const PIDS: [&str; 2] = ["/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max"];
pub(super) const CPU: [&str; 2] = [
    "/sys/fs/cgroup/cpu.max",
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
];

/// The name of the try that opens NVIDIA's control device.
pub(super) const NVIDIA: &str = "open /dev/nvidiactl";

/// The command of the probe container.
pub(super) fn command() -> Vec<String> {
    let mut words = vec!["/probe".to_owned()];
    let files = [
        STATUS, LABEL, USERS, GROUPS, ROUTES, ADDRESSES, KERNEL, MOUNTS,
    ];
    for path in files.iter().chain(&MEMORY).chain(&PIDS).chain(&CPU) {
        words.extend(["show".to_owned(), (*path).to_owned()]);
    }
    for deed in DEEDS {
        words.extend(attempt(deed.name, deed.number, deed.arguments));
    }
    // O_RDWR
    words.extend(attempt(NVIDIA, OPENAT, &["-100", "@/dev/nvidiactl", "2"]));
    words
}

fn attempt(name: &str, number: i64, arguments: &[&str]) -> impl Iterator<Item = String> {
    let given = arguments.iter().map(|argument| (*argument).to_owned());
    let words = ["try".to_owned(), name.to_owned(), number.to_string()];
    let given: Vec<String> = given
        .chain(std::iter::repeat("0".to_owned()))
        .take(6)
        .collect();
    words.into_iter().chain(given)
}
