//! The system calls that a job may make: ours, not the engine's, whose list differs from version to version and in
//! older ones lets through what a job has no use for.
//!
//! Numbers are those of the Linux headers for x86-64 and AArch64. Calls of 32-bit programs are not made at all.

use serde_json::{Value, json};

/// Calls that take no filter of their own. A name that a kernel or engine does not know is passed over by it.
const ALLOWED: &[&[&str]] = &[
    // Files by name.
    &[
        "access",
        "chdir",
        "chmod",
        "chown",
        "creat",
        "faccessat",
        "faccessat2",
        "fchdir",
        "fchmod",
        "fchmodat",
        "fchmodat2",
        "fchown",
        "fchownat",
        "futimesat",
        "getcwd",
        "lchown",
        "link",
        "linkat",
        "lstat",
        "mkdir",
        "mkdirat",
        "mknod",
        "mknodat",
        "newfstatat",
        "open",
        "openat",
        "openat2",
        "readlink",
        "readlinkat",
        "rename",
        "renameat",
        "renameat2",
        "rmdir",
        "stat",
        "statfs",
        "statx",
        "symlink",
        "symlinkat",
        "truncate",
        "umask",
        "unlink",
        "unlinkat",
        "utime",
        "utimensat",
        "utimes",
    ],
    // Files that are open.
    &[
        "cachestat",
        "close",
        "close_range",
        "copy_file_range",
        "dup",
        "dup2",
        "dup3",
        "fadvise64",
        "fallocate",
        "fcntl",
        "fdatasync",
        "flock",
        "fstat",
        "fstatfs",
        "fsync",
        "ftruncate",
        "getdents",
        "getdents64",
        "ioctl",
        "lseek",
        "memfd_create",
        "pread64",
        "preadv",
        "preadv2",
        "pwrite64",
        "pwritev",
        "pwritev2",
        "read",
        "readahead",
        "readv",
        "sendfile",
        "splice",
        "sync",
        "sync_file_range",
        "syncfs",
        "tee",
        "vmsplice",
        "write",
        "writev",
    ],
    // Attributes and watchers of files.
    &[
        "fgetxattr",
        "flistxattr",
        "fremovexattr",
        "fsetxattr",
        "getxattr",
        "inotify_add_watch",
        "inotify_init",
        "inotify_init1",
        "inotify_rm_watch",
        "lgetxattr",
        "listxattr",
        "llistxattr",
        "lremovexattr",
        "lsetxattr",
        "removexattr",
        "setxattr",
    ],
    // Waiting for something.
    &[
        "epoll_create",
        "epoll_create1",
        "epoll_ctl",
        "epoll_pwait",
        "epoll_pwait2",
        "epoll_wait",
        "eventfd",
        "eventfd2",
        "pipe",
        "pipe2",
        "poll",
        "ppoll",
        "pselect6",
        "select",
        "signalfd",
        "signalfd4",
        "timerfd_create",
        "timerfd_gettime",
        "timerfd_settime",
    ],
    // Memory.
    &[
        "brk",
        "madvise",
        "map_shadow_stack",
        "membarrier",
        "mincore",
        "mlock",
        "mlock2",
        "mlockall",
        "mmap",
        "mprotect",
        "mremap",
        "mseal",
        "msync",
        "munlock",
        "munlockall",
        "munmap",
        "pkey_alloc",
        "pkey_free",
        "pkey_mprotect",
        "remap_file_pages",
    ],
    // Processes and threads; `clone` below.
    &[
        "arch_prctl",
        "execve",
        "execveat",
        "exit",
        "exit_group",
        "fork",
        "futex",
        "futex_requeue",
        "futex_wait",
        "futex_waitv",
        "futex_wake",
        "get_robust_list",
        "getcpu",
        "getpgid",
        "getpgrp",
        "getpid",
        "getppid",
        "getsid",
        "gettid",
        "kill",
        "pidfd_open",
        "pidfd_send_signal",
        "prctl",
        "restart_syscall",
        "rseq",
        "set_robust_list",
        "set_tid_address",
        "setpgid",
        "setsid",
        "tgkill",
        "tkill",
        "vfork",
        "wait4",
        "waitid",
    ],
    // Whose turn it is.
    &[
        "getpriority",
        "ioprio_get",
        "ioprio_set",
        "sched_get_priority_max",
        "sched_get_priority_min",
        "sched_getaffinity",
        "sched_getattr",
        "sched_getparam",
        "sched_getscheduler",
        "sched_rr_get_interval",
        "sched_setaffinity",
        "sched_setattr",
        "sched_setparam",
        "sched_setscheduler",
        "sched_yield",
        "setpriority",
    ],
    // Who it is, and what it may use.
    &[
        "capget",
        "capset",
        "getegid",
        "geteuid",
        "getgid",
        "getgroups",
        "getrandom",
        "getresgid",
        "getresuid",
        "getrlimit",
        "getrusage",
        "getuid",
        "prlimit64",
        "setfsgid",
        "setfsuid",
        "setgid",
        "setgroups",
        "setregid",
        "setresgid",
        "setresuid",
        "setreuid",
        "setrlimit",
        "setuid",
        "sysinfo",
        "times",
        "uname",
    ],
    // Signals and time.
    &[
        "alarm",
        "clock_getres",
        "clock_gettime",
        "clock_nanosleep",
        "getitimer",
        "gettimeofday",
        "nanosleep",
        "pause",
        "rt_sigaction",
        "rt_sigpending",
        "rt_sigprocmask",
        "rt_sigqueueinfo",
        "rt_sigreturn",
        "rt_sigsuspend",
        "rt_sigtimedwait",
        "rt_tgsigqueueinfo",
        "setitimer",
        "sigaltstack",
        "time",
        "timer_create",
        "timer_delete",
        "timer_getoverrun",
        "timer_gettime",
        "timer_settime",
    ],
    // Sockets, once made; `socket` below.
    &[
        "accept",
        "accept4",
        "bind",
        "connect",
        "getpeername",
        "getsockname",
        "getsockopt",
        "listen",
        "recvfrom",
        "recvmmsg",
        "recvmsg",
        "sendmmsg",
        "sendmsg",
        "sendto",
        "setsockopt",
        "shutdown",
        "socketpair",
    ],
    // Between the job's own processes.
    &[
        "mq_getsetattr",
        "mq_notify",
        "mq_open",
        "mq_timedreceive",
        "mq_timedsend",
        "mq_unlink",
        "msgctl",
        "msgget",
        "msgrcv",
        "msgsnd",
        "semctl",
        "semget",
        "semop",
        "semtimedop",
        "shmat",
        "shmctl",
        "shmdt",
        "shmget",
    ],
    // A job may hold itself in further.
    &[
        "landlock_add_rule",
        "landlock_create_ruleset",
        "landlock_restrict_self",
        "seccomp",
    ],
];

/// Calls that programs try and do without: they hear that the kernel has none, and take their other way.
const ABSENT: &[&str] = &[
    // Its flags lie in memory, where no filter sees them.
    "clone3",
    // Requests made through rings pass every filter by.
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    // One number of requests for the whole machine: a job could take them all.
    "io_cancel",
    "io_destroy",
    "io_getevents",
    "io_pgetevents",
    "io_setup",
    "io_submit",
];

/// Every flag of `clone` that makes a namespace: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
const NAMESPACES: u64 = 0x7e02_0000;
const ENOSYS: u32 = 38;

/// AF_UNIX, AF_INET, AF_INET6.
const FAMILIES: [u64; 3] = [1, 2, 10];
const AF_NETLINK: u64 = 16;
/// NETLINK_ROUTE: with it programs list the interfaces of their own network namespace.
const NETLINK_ROUTE: u64 = 0;
/// PER_LINUX, PER_LINUX32, and the value that only asks.
const PERSONALITIES: [u64; 3] = [0, 8, 0xffff_ffff];

/// The filter in the form that Docker takes. What it does not name is refused with EPERM.
pub(super) fn filter() -> Value {
    let mut calls = vec![
        json!({"names": ALLOWED.concat(), "action": "SCMP_ACT_ALLOW"}),
        json!({"names": ABSENT, "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS}),
        allowed("clone", &[masked(0, NAMESPACES, 0)]),
        allowed("socket", &[equal(0, AF_NETLINK), equal(2, NETLINK_ROUTE)]),
    ];
    calls.extend(FAMILIES.map(|family| allowed("socket", &[equal(0, family)])));
    calls.extend(PERSONALITIES.map(|value| allowed("personality", &[equal(0, value)])));
    json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "archMap": [
            {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []},
            {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": []},
        ],
        "syscalls": calls,
    })
}

fn allowed(name: &str, conditions: &[Value]) -> Value {
    json!({"names": [name], "action": "SCMP_ACT_ALLOW", "args": conditions})
}

fn equal(argument: u32, value: u64) -> Value {
    json!({"index": argument, "value": value, "op": "SCMP_CMP_EQ"})
}

/// Of the argument, these bits are so.
fn masked(argument: u32, bits: u64, value: u64) -> Value {
    json!({"index": argument, "value": bits, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_is_named_twice_and_none_that_reaches_beyond_the_job() {
        let mut names: Vec<&str> = ALLOWED.concat();
        names.extend(ABSENT);
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        let allowed = ALLOWED.concat();
        for name in [
            "acct",
            "add_key",
            "adjtimex",
            "bpf",
            "chroot",
            "clock_settime",
            "delete_module",
            "fanotify_init",
            "finit_module",
            "fsopen",
            "init_module",
            "io_setup",
            "io_uring_setup",
            "ioperm",
            "iopl",
            "kcmp",
            "kexec_load",
            "keyctl",
            "mount",
            "mount_setattr",
            "move_mount",
            "name_to_handle_at",
            "open_by_handle_at",
            "open_tree",
            "perf_event_open",
            "personality",
            "pidfd_getfd",
            "pivot_root",
            "process_vm_readv",
            "ptrace",
            "quotactl",
            "reboot",
            "request_key",
            "sethostname",
            "setns",
            "settimeofday",
            "socket",
            "swapon",
            "syslog",
            "umount2",
            "unshare",
            "userfaultfd",
            "vhangup",
        ] {
            assert!(!allowed.contains(&name), "{name}");
        }
    }
}
