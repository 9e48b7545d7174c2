//! Rights that a job does not have: mounts, namespaces, other processes, devices' settings.

use crate::report::{Report, checked};
use std::ffi::{CString, c_int, c_void};
use std::fs;
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};

/// Numbers of capabilities, from linux/capability.h.
const NET_RAW: libc::c_ulong = 13;
const SYS_ADMIN: libc::c_ulong = 21;

pub fn attack(report: &mut Report, attack: &str, words: &[String]) -> bool {
    match (attack, words) {
        ("mount", []) => mount(report),
        ("new-mount-api", []) => new_mount_api(report),
        ("unshare", []) => unshare(report),
        ("clone-namespaces", []) => clone3(report),
        ("join-namespaces", []) => join(report),
        ("ptrace", [pid]) => ptrace(report, pid),
        ("signal-others", [pid]) => signal(report, pid),
        ("become-root", []) => become_root(report),
        ("type-into-terminal", []) => terminal(report),
        ("priority", []) => priority(report),
        ("set-clock", []) => clock(report),
        ("host-name", []) => host_name(report),
        ("reboot", []) => reboot(report),
        ("swap", []) => swap(report),
        ("survive-memory-killer", []) => survive(report),
        ("shared-memory", [key]) => shared_memory(report, key),
        ("widen-gpus", []) => widen_gpus(report),
        _ => return false,
    }
    true
}

/// The image brings variables that NVIDIA's runtime and libraries obey. One that arrives as it was written would
/// have chosen devices.
fn widen_gpus(report: &mut Report) {
    for name in [
        "NVIDIA_VISIBLE_DEVICES",
        "NVIDIA_DRIVER_CAPABILITIES",
        "NVIDIA_GDS",
        "NVIDIA_GDRCOPY",
        "NVIDIA_MOFED",
        "NVIDIA_IMEX_CHANNELS",
        "NVIDIA_MIG_CONFIG_DEVICES",
        "CUDA_VISIBLE_DEVICES",
        "CUDA_MPS_PIPE_DIRECTORY",
    ] {
        match std::env::var(name).as_deref() {
            Err(_) => report.tried(format!("{name} did not arrive")),
            Ok("void") => report.tried(format!("{name} names no GPU")),
            Ok(value) => report.got(format!("{name}={value}")),
        }
    }
    for device in [
        "/dev/nvidia0",
        "/dev/nvidiactl",
        "/dev/nvidia-uvm",
        "/dev/dri/renderD128",
        "/dev/kfd",
    ] {
        report.outcome(device, fs::File::open(device));
    }
}

fn mount(report: &mut Report) {
    let _ = fs::create_dir_all("/tmp/place");
    let place = c"/tmp/place";
    let mut one = |what: &str, source: &CString, kind: &CString, flags| unsafe {
        report.call(
            what,
            libc::mount(
                source.as_ptr(),
                place.as_ptr(),
                kind.as_ptr(),
                flags,
                null(),
            )
            .into(),
        );
    };
    let (proc, tmpfs, cgroup, root) = (
        c"proc".into(),
        c"tmpfs".into(),
        c"cgroup".into(),
        c"/".into(),
    );
    one("mount proc", &proc, &proc, 0);
    one("mount tmpfs", &tmpfs, &tmpfs, 0);
    one("mount cgroup", &cgroup, &cgroup, 0);
    one("bind /", &root, &tmpfs, libc::MS_BIND);
    unsafe {
        let remounted = libc::mount(
            null(),
            c"/".as_ptr(),
            null(),
            libc::MS_REMOUNT | libc::MS_BIND,
            null(),
        );
        report.call("remount / writable", remounted.into());
        let gone = libc::umount2(c"/sys".as_ptr(), libc::MNT_DETACH);
        report.call("take /sys away", gone.into());
    }
}

fn new_mount_api(report: &mut Report) {
    unsafe {
        let tree = libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, c"/".as_ptr(), 1);
        report.call("open_tree", tree);
        let context = libc::syscall(libc::SYS_fsopen, c"tmpfs".as_ptr(), 0);
        report.call("fsopen", context);
        let picked = libc::syscall(libc::SYS_fspick, libc::AT_FDCWD, c"/".as_ptr(), 0);
        report.call("fspick", picked);
        let mut attributes = [1_u64, 0, 0, 0];
        let set = libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            c"/sys".as_ptr(),
            0,
            attributes.as_mut_ptr(),
            32,
        );
        report.permission("mount_setattr", set);
    }
}

const NAMESPACES: [(&str, c_int); 7] = [
    ("user", libc::CLONE_NEWUSER),
    ("mount", libc::CLONE_NEWNS),
    ("network", libc::CLONE_NEWNET),
    ("process", libc::CLONE_NEWPID),
    ("host name", libc::CLONE_NEWUTS),
    ("ipc", libc::CLONE_NEWIPC),
    ("cgroup", libc::CLONE_NEWCGROUP),
];

fn unshare(report: &mut Report) {
    for (name, flag) in NAMESPACES {
        report.call(
            &format!("a {name} namespace"),
            unsafe { libc::unshare(flag) }.into(),
        );
    }
    unsafe {
        let flags = libc::CLONE_NEWUSER | libc::CLONE_NEWNS;
        report.call("user and mount at once", libc::unshare(flags).into());
    }
}

/// The newer call passes its flags in memory, where a filter cannot look.
fn clone3(report: &mut Report) {
    for (name, flag) in NAMESPACES {
        let mut arguments = [0_u64; 11];
        arguments[0] = u64::from(flag.unsigned_abs());
        arguments[4] = libc::SIGCHLD as u64;
        let child = unsafe {
            libc::syscall(
                libc::SYS_clone3,
                arguments.as_mut_ptr(),
                size_of_val(&arguments),
            )
        };
        if child == 0 {
            unsafe { libc::_exit(0) };
        }
        report.call(&format!("clone3 into a {name} namespace"), child);
        let old =
            unsafe { libc::syscall(libc::SYS_clone, i64::from(flag | libc::SIGCHLD), 0, 0, 0, 0) };
        if old == 0 {
            unsafe { libc::_exit(0) };
        }
        report.call(&format!("clone into a {name} namespace"), old);
    }
    while unsafe { libc::waitpid(-1, null_mut(), 0) } > 0 {}
}

fn join(report: &mut Report) {
    let names = ["mnt", "net", "pid", "ipc", "uts", "cgroup", "user"];
    let of = |whose: &str| names.map(|name| format!("/proc/{whose}/ns/{name}"));
    for path in [of("1"), of("self")].concat() {
        match fs::File::open(&path) {
            Err(error) => report.tried(format!("{path}: {error}")),
            Ok(file) => {
                use std::os::fd::AsRawFd;
                let joined = unsafe { libc::setns(file.as_raw_fd(), 0) };
                report.call(&format!("join {path}"), joined.into());
            }
        }
    }
}

/// `pid` is a process of the host, as the host counts.
fn ptrace(report: &mut Report, pid: &str) {
    let pid: c_int = pid.parse().unwrap_or(0);
    unsafe {
        let attached = libc::ptrace(
            libc::PTRACE_SEIZE,
            pid,
            null_mut::<c_void>(),
            null_mut::<c_void>(),
        );
        if report
            .call("trace a process of the host", attached)
            .is_some()
        {
            libc::ptrace(
                libc::PTRACE_DETACH,
                pid,
                null_mut::<c_void>(),
                null_mut::<c_void>(),
            );
        }
        let mut byte = 0_u8;
        let local = libc::iovec {
            iov_base: (&raw mut byte).cast(),
            iov_len: 1,
        };
        let remote = libc::iovec {
            iov_base: 0x1000 as *mut c_void,
            iov_len: 1,
        };
        let read = libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0);
        // Nothing is mapped there: whoever may read is told so.
        match checked(read as i64) {
            Err(error) if error.raw_os_error() == Some(libc::EFAULT) => report.got("its memory"),
            outcome => drop(report.outcome("its memory", outcome)),
        }
        let opened = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        report.call("a descriptor of it", opened);
    }
    for file in ["mem", "maps", "fd/0", "root/etc/hostname"] {
        let path = format!("/proc/{pid}/{file}");
        report.outcome(&path, fs::File::open(&path));
    }
}

/// Signal 0 only asks whether one may.
fn signal(report: &mut Report, pid: &str) {
    let pid: c_int = pid.parse().unwrap_or(0);
    report.call(
        "signal a process of the host",
        unsafe { libc::kill(pid, 0) }.into(),
    );
    let foreign = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let number: Option<c_int> = name.to_str().and_then(|name| name.parse().ok());
            let own = c_int::try_from(std::process::id()).unwrap_or(0);
            number.is_some_and(|n| n != 1 && n != own)
        });
    match foreign.count() {
        0 => report.tried("see others: only the init and this program are here"),
        count => report.got(format!("the sight of {count} other processes")),
    }
}

fn become_root(report: &mut Report) {
    unsafe {
        report.call("setuid", libc::setuid(0).into());
        report.call("setgid", libc::setgid(0).into());
        report.call("setresuid", libc::setresuid(0, 0, 0).into());
        let groups = [0];
        report.call("setgroups", libc::setgroups(1, groups.as_ptr()).into());
        report.call(
            "setfsuid",
            i64::from(libc::setfsuid(0) == 0 || libc::setfsuid(0) == 0) - 1,
        );
        for capability in [SYS_ADMIN, NET_RAW] {
            let raised = libc::prctl(
                libc::PR_CAP_AMBIENT,
                libc::PR_CAP_AMBIENT_RAISE,
                capability,
                0,
                0,
            );
            report.call("an ambient capability", raised.into());
        }
        report.call(
            "give up no-new-privileges",
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0).into(),
        );
        // An empty set is what a job has already, and no loot.
        let mut header = [0x2008_0522_u32, 0];
        let mut data = [u32::MAX; 6];
        let set = libc::syscall(libc::SYS_capset, header.as_mut_ptr(), data.as_mut_ptr());
        report.call("all capabilities", set);
    }
}

fn terminal(report: &mut Report) {
    for path in [
        "/dev/tty",
        "/dev/console",
        "/dev/tty0",
        "/dev/tty1",
        "/dev/pts/0",
        "/proc/self/fd/0",
        "/proc/1/fd/0",
    ] {
        let file = match fs::OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) => {
                report.tried(format!("{path}: {error}"));
                continue;
            }
        };
        use std::os::fd::AsRawFd;
        let letter = b'x';
        let typed = unsafe { libc::ioctl(file.as_raw_fd(), libc::TIOCSTI, &raw const letter) };
        report.call(&format!("type into {path}"), typed.into());
    }
}

fn priority(report: &mut Report) {
    unsafe {
        let mut parameters: libc::sched_param = MaybeUninit::zeroed().assume_init();
        parameters.sched_priority = 1;
        for (name, policy) in [("fifo", libc::SCHED_FIFO), ("round robin", libc::SCHED_RR)] {
            let set = libc::sched_setscheduler(0, policy, &raw const parameters);
            report.call(&format!("real-time scheduling, {name}"), set.into());
        }
        report.call(
            "a better place in the queue",
            libc::setpriority(libc::PRIO_PROCESS, 0, -10).into(),
        );
        // Class 1 is real time.
        report.call(
            "the disk in real time",
            libc::syscall(libc::SYS_ioprio_set, 1, 0, 1 << 13),
        );
    }
}

/// Sets the clock to what it says, so that where this is allowed nobody is harmed.
fn clock(report: &mut Report) {
    unsafe {
        let mut now: libc::timespec = MaybeUninit::zeroed().assume_init();
        libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now);
        report.call(
            "clock_settime",
            libc::clock_settime(libc::CLOCK_REALTIME, &raw const now).into(),
        );
        let mut day: libc::timeval = MaybeUninit::zeroed().assume_init();
        libc::gettimeofday(&raw mut day, null_mut());
        report.call(
            "settimeofday",
            libc::settimeofday(&raw const day, null()).into(),
        );
        let mut tuning: libc::timex = MaybeUninit::zeroed().assume_init();
        libc::adjtimex(&raw mut tuning);
        tuning.modes = libc::ADJ_FREQUENCY;
        report.call("adjtimex", libc::adjtimex(&raw mut tuning).into());
    }
    report.outcome("/dev/rtc0", fs::File::open("/dev/rtc0"));
}

fn host_name(report: &mut Report) {
    let name = b"taken";
    unsafe {
        report.call(
            "sethostname",
            libc::sethostname(name.as_ptr().cast(), name.len()).into(),
        );
        report.call(
            "setdomainname",
            libc::setdomainname(name.as_ptr().cast(), name.len()).into(),
        );
    }
}

/// Asks for nothing but what Ctrl-Alt-Del shall do, which needs the same right; put back where it was changed.
fn reboot(report: &mut Report) {
    let before = fs::read_to_string("/proc/sys/kernel/ctrl-alt-del").unwrap_or_default();
    let answer = unsafe { libc::reboot(libc::RB_DISABLE_CAD) };
    if report.call("reboot(CAD off)", answer.into()).is_some() && before.trim() == "1" {
        let _ = fs::write("/proc/sys/kernel/ctrl-alt-del", before);
    }
    report.outcome(
        "/proc/sys/kernel/ctrl-alt-del",
        fs::OpenOptions::new()
            .write(true)
            .open("/proc/sys/kernel/ctrl-alt-del"),
    );
}

/// There is no such swap, so nothing is switched even where it is allowed.
fn swap(report: &mut Report) {
    unsafe {
        report.permission(
            "swapoff",
            libc::swapoff(c"/tmp/no-such-swap".as_ptr()).into(),
        );
        report.permission(
            "swapon",
            libc::swapon(c"/tmp/no-such-swap".as_ptr(), 0).into(),
        );
    }
}

/// When memory runs out the job must go first, and may not change that.
fn survive(report: &mut Report) {
    for wish in ["-1000", "-1"] {
        let written = fs::write("/proc/self/oom_score_adj", wish);
        report.outcome(&format!("an oom score of {wish}"), written);
    }
}

/// Memory that another program of the host shares under a known key.
fn shared_memory(report: &mut Report, key: &str) {
    let key: c_int = key.parse().unwrap_or(1);
    unsafe {
        report.call("a shared segment", libc::shmget(key, 0, 0).into());
        report.call("a message queue", libc::msgget(key, 0).into());
        report.call("a semaphore", libc::semget(key, 0, 0).into());
    }
}
