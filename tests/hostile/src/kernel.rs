//! The kernel's own doors: system calls with a history, and files that steer it.

use crate::report::Report;
use std::ffi::c_void;
use std::fs;
use std::os::unix::fs::FileExt;
use std::ptr::{null, null_mut};

pub fn attack(report: &mut Report, attack: &str, words: &[String]) -> bool {
    match (attack, words) {
        ("load-module", []) => load_module(report),
        ("keyring", []) => keyring(report),
        ("bpf", []) => bpf(report),
        ("perf", []) => perf(report),
        ("userfaultfd", []) => userfault(report),
        ("io-uring", []) => io_uring(report),
        ("personality", []) => personality(report),
        ("kernel-log", []) => kernel_log(report),
        ("kernel-memory", []) => kernel_memory(report),
        ("kernel-settings", []) => settings(report),
        ("cgroup-release-agent", []) => release_agent(report),
        ("devices-of-sys", []) => sys(report),
        ("raw-hardware", []) => raw_hardware(report),
        ("kernel-bookkeeping", []) => bookkeeping(report),
        ("aio", []) => aio(report),
        _ => return false,
    }
    true
}

/// Bytes that are no module: a kernel that looks at them at all has let the caller in.
fn load_module(report: &mut Report) {
    let garbage = [0_u8; 64];
    unsafe {
        let loaded = libc::syscall(
            libc::SYS_init_module,
            garbage.as_ptr(),
            garbage.len(),
            c"".as_ptr(),
        );
        report.permission("init_module", loaded);
        report.permission(
            "finit_module",
            libc::syscall(libc::SYS_finit_module, 0, c"".as_ptr(), 0),
        );
        report.permission(
            "delete_module",
            libc::syscall(libc::SYS_delete_module, c"none_such".as_ptr(), 0),
        );
        report.permission(
            "kexec_load",
            libc::syscall(libc::SYS_kexec_load, 0, 0, null::<c_void>(), 0),
        );
    }
}

/// Keys are kept for a user, and user 65534 of every container is the same one.
fn keyring(report: &mut Report) {
    unsafe {
        let added = libc::syscall(
            libc::SYS_add_key,
            c"user".as_ptr(),
            c"planted".as_ptr(),
            c"x".as_ptr(),
            1,
            -3, // The session's keyring.
        );
        report.call("add_key", added);
        report.call("keyctl", libc::syscall(libc::SYS_keyctl, 0, -3, 1));
        let asked = libc::syscall(
            libc::SYS_request_key,
            c"user".as_ptr(),
            c"planted".as_ptr(),
            null::<u8>(),
            0,
        );
        report.permission("request_key", asked);
    }
}

fn bpf(report: &mut Report) {
    // An array of one element of four bytes.
    let mut map = [2_u32, 4, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    unsafe {
        report.call(
            "a map",
            libc::syscall(libc::SYS_bpf, 0, map.as_mut_ptr(), size_of_val(&map)),
        );
        // r0 = 0; exit
        let program = [0xb7_u64, 0x95];
        let mut load = [0_u64; 9];
        load[0] = 1 | (2 << 32); // A socket filter of two instructions.
        load[1] = program.as_ptr() as u64;
        load[2] = c"GPL".as_ptr() as u64;
        report.call(
            "a program",
            libc::syscall(libc::SYS_bpf, 5, load.as_mut_ptr(), size_of_val(&load)),
        );
    }
}

fn perf(report: &mut Report) {
    // Type hardware and software, size of the first version, counting the kernel too.
    for (name, kind, config) in [
        ("cycles", 0_u32, 0_u64),
        ("page faults", 1, 2),
        ("the clock", 1, 0),
    ] {
        let mut wish = [0_u64; 16];
        wish[0] = u64::from(kind) | (64 << 32);
        wish[1] = config;
        for (whose, pid, cpu) in [("its own", 0, -1), ("the machine's", -1, 0)] {
            let opened = unsafe {
                libc::syscall(
                    libc::SYS_perf_event_open,
                    wish.as_mut_ptr(),
                    pid,
                    cpu,
                    -1,
                    0,
                )
            };
            report.call(&format!("count {whose} {name}"), opened);
        }
    }
}

fn userfault(report: &mut Report) {
    for (name, flags) in [("for the kernel too", 0), ("for itself", 1)] {
        let opened = unsafe { libc::syscall(libc::SYS_userfaultfd, flags) };
        report.call(&format!("userfaultfd {name}"), opened);
    }
    report.outcome("/dev/userfaultfd", fs::File::open("/dev/userfaultfd"));
}

fn io_uring(report: &mut Report) {
    let mut parameters = [0_u32; 30];
    let made = unsafe { libc::syscall(libc::SYS_io_uring_setup, 4, parameters.as_mut_ptr()) };
    report.call("a ring", made);
}

fn personality(report: &mut Report) {
    for (name, value) in [
        ("addresses without chance", 0x0004_0000),
        ("memory that can always be executed", 0x0040_0000),
        ("page zero mapped", 0x0010_0000),
    ] {
        let before = unsafe { libc::personality(value) };
        report.call(name, before.into());
    }
}

fn kernel_log(report: &mut Report) {
    let mut text = [0_u8; 4096];
    let read = unsafe { libc::klogctl(3, text.as_mut_ptr().cast(), 4096) };
    report.call("syslog", read.into());
    for path in ["/dev/kmsg", "/proc/kmsg"] {
        let opened = fs::OpenOptions::new()
            .read(true)
            .custom_nonblock()
            .open(path);
        report.outcome(path, opened);
    }
}

trait Nonblock {
    fn custom_nonblock(&mut self) -> &mut Self;
}

impl Nonblock for fs::OpenOptions {
    fn custom_nonblock(&mut self) -> &mut Self {
        std::os::unix::fs::OpenOptionsExt::custom_flags(self, libc::O_NONBLOCK)
    }
}

fn kernel_memory(report: &mut Report) {
    for path in ["/proc/kcore", "/dev/mem", "/dev/kmem", "/dev/port"] {
        report.outcome(path, fs::File::open(path));
    }
    let symbols = fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    let shown = symbols
        .lines()
        .take(100)
        .any(|line| !line.starts_with("0000000000000000"));
    if shown {
        report.got("addresses in /proc/kallsyms");
    } else {
        report.tried("addresses in /proc/kallsyms: hidden");
    }
    for path in ["/proc/timer_list", "/proc/sched_debug", "/proc/keys"] {
        match fs::read(path) {
            Ok(bytes) if !bytes.is_empty() => report.got(path),
            Ok(_) => report.tried(format!("{path}: empty")),
            Err(error) => report.tried(format!("{path}: {error}")),
        }
    }
}

/// To open them for writing is to be let in; nothing is written.
fn writable(report: &mut Report, paths: &[&str]) {
    for path in paths {
        report.outcome(path, fs::OpenOptions::new().write(true).open(path));
    }
}

fn settings(report: &mut Report) {
    writable(
        report,
        &[
            "/proc/sysrq-trigger",
            "/proc/sys/kernel/sysrq",
            "/proc/sys/kernel/core_pattern",
            "/proc/sys/kernel/modprobe",
            "/proc/sys/kernel/hostname",
            "/proc/sys/kernel/randomize_va_space",
            "/proc/sys/kernel/shmmax",
            "/proc/sys/vm/overcommit_memory",
            "/proc/sys/vm/drop_caches",
            "/proc/sys/fs/file-max",
            "/proc/sys/fs/binfmt_misc/register",
            "/proc/sys/net/ipv4/ip_forward",
            "/proc/irq/0/smp_affinity",
            "/proc/bus",
            "/proc/acpi/wakeup",
        ],
    );
}

fn release_agent(report: &mut Report) {
    let mut folders = vec!["/sys/fs/cgroup".to_owned()];
    for entry in fs::read_dir("/sys/fs/cgroup")
        .into_iter()
        .flatten()
        .flatten()
    {
        folders.push(entry.path().display().to_string());
    }
    for folder in folders {
        let made = format!("{folder}/planted");
        if report
            .outcome(&format!("a group {made}"), fs::create_dir(&made))
            .is_some()
        {
            let _ = fs::remove_dir(&made);
        }
        for file in [
            "release_agent",
            "notify_on_release",
            "cgroup.procs",
            "memory.limit_in_bytes",
            "memory.max",
            "pids.max",
            "cpu.cfs_quota_us",
            "cpu.max",
            "devices.allow",
            "freezer.state",
            "cgroup.freeze",
        ] {
            let path = format!("{folder}/{file}");
            let opened = fs::OpenOptions::new().write(true).open(&path);
            // A group has some of these and not the others.
            if !opened
                .as_ref()
                .is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound)
            {
                report.outcome(&path, opened);
            }
        }
    }
}

fn sys(report: &mut Report) {
    writable(
        report,
        &[
            "/sys/kernel/uevent_helper",
            "/sys/kernel/mm/transparent_hugepage/enabled",
            "/sys/power/state",
            "/sys/module/kernel/parameters/panic",
            "/sys/block/vda/queue/scheduler",
            "/sys/devices/system/cpu/cpu1/online",
            "/sys/kernel/profiling",
        ],
    );
    for folder in [
        "/sys/firmware",
        "/sys/kernel/debug",
        "/sys/kernel/tracing",
        "/sys/fs/bpf",
        "/sys/kernel/security",
    ] {
        let names = fs::read_dir(folder).map(Iterator::count);
        match names {
            Ok(0) => report.tried(format!("{folder}: empty")),
            Ok(count) => report.got(format!("{count} names in {folder}")),
            Err(error) => report.tried(format!("{folder}: {error}")),
        }
    }
}

fn raw_hardware(report: &mut Report) {
    #[cfg(target_arch = "x86_64")]
    unsafe {
        report.call("iopl", libc::syscall(libc::SYS_iopl, 3));
        report.call("ioperm", libc::syscall(libc::SYS_ioperm, 0x80, 1, 1));
    }
    for path in [
        "/dev/kvm",
        "/dev/net/tun",
        "/dev/input/event0",
        "/dev/uinput",
        "/dev/snd",
        "/dev/dri",
        "/dev/bus/usb",
        "/dev/loop-control",
        "/dev/vsock",
        "/dev/cpu/0/msr",
    ] {
        report.outcome(path, fs::File::open(path));
    }
}

fn bookkeeping(report: &mut Report) {
    unsafe {
        report.permission("acct", libc::acct(c"/tmp/none-such".as_ptr()).into());
        report.permission(
            "quotactl",
            libc::syscall(
                libc::SYS_quotactl,
                0x0080_0003_i64 << 8,
                c"/dev/none-such".as_ptr(),
                0,
                null_mut::<c_void>(),
            ),
        );
        let root = libc::syscall(
            libc::SYS_pivot_root,
            c"/none-such".as_ptr(),
            c"/none-such".as_ptr(),
        );
        report.permission("pivot_root", root);
        report.permission("lookup_dcookie", {
            #[cfg(target_arch = "x86_64")]
            let number = 212;
            #[cfg(not(target_arch = "x86_64"))]
            let number = 18;
            libc::syscall(number, 0_u64, null_mut::<c_void>(), 0)
        });
        report.permission("fanotify", libc::syscall(libc::SYS_fanotify_init, 0, 0));
        report.permission(
            "move_pages of all",
            libc::syscall(libc::SYS_migrate_pages, 1, 1, null::<u64>(), null::<u64>()),
        );
    }
    let twin =
        fs::File::open("/proc/self/mem").and_then(|memory| memory.read_at(&mut [0; 1], 0x1000));
    report.tried(format!("its own memory through a file: {twin:?}"));
}

/// There is one number for the whole machine of how many requests may wait: one job could take them all.
fn aio(report: &mut Report) {
    let mut had = 0_u32;
    let mut why = String::new();
    for _ in 0..64 {
        let mut context = 0_u64;
        let made = unsafe { libc::syscall(libc::SYS_io_setup, 128, &raw mut context) };
        if made < 0 {
            why = std::io::Error::last_os_error().to_string();
            break;
        }
        had += 128;
    }
    if had > 0 {
        report.got(format!("{had} requests of the machine's; {why}"));
    } else {
        report.tried(format!("io_setup: {why}"));
    }
}
