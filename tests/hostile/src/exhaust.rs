//! More than its share. Each is bounded by its first word, so that where nothing else stops it, it stops itself.

use crate::report::Report;
use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

pub fn attack(report: &mut Report, attack: &str, words: &[String]) -> bool {
    let number = |at: usize| {
        words
            .get(at)
            .and_then(|word| word.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let most = number(0);
    match attack {
        "fork-bomb" => forks(report, most, number(1)),
        "memory-balloon" => balloon(report, most),
        "scratch-fill" => fill(
            report,
            &["/tmp", "/dev/shm", "/dev/mqueue"],
            most,
            4,
            number(1),
        ),
        "scratch-inodes" => inodes(report, "/tmp", most, number(1)),
        "file-bomb" => fill(report, &["/out"], most, most, number(1)),
        "many-files-bomb" => fill(report, &["/out"], most, 4, number(1)),
        "inode-flood" => inodes(report, "/out", most, number(1)),
        "log-flood" => log(report, most),
        "open-files" => open_files(report, most, number(1)),
        "watches" => watches(report, most, number(1)),
        "cpu-hog" => hog(report, most, number(1)),
        "ignore-signals" => ignore(report, most),
        "raise-limits" => raise(report),
        "message-queues" => queues(report, most, number(1)),
        "core-dump" => core(report),
        _ => return false,
    }
    true
}

/// Whether more was had than a job may have.
fn count(report: &mut Report, had: u64, allowed: u64, of: &str, why: &str) {
    let line = format!("{had} {of} (a job may have {allowed}); {why}");
    if had > allowed {
        report.got(line);
    } else {
        report.tried(line);
    }
}

fn forks(report: &mut Report, most: u64, allowed: u64) {
    let mut children = Vec::new();
    let mut why = String::from("as many as it wanted");
    while (children.len() as u64) < most {
        match unsafe { libc::fork() } {
            0 => unsafe {
                libc::pause();
                libc::_exit(0);
            },
            child if child < 0 => {
                why = std::io::Error::last_os_error().to_string();
                break;
            }
            child => children.push(child),
        }
    }
    for child in &children {
        unsafe {
            libc::kill(*child, libc::SIGKILL);
            libc::waitpid(*child, std::ptr::null_mut(), 0);
        }
    }
    count(report, children.len() as u64, allowed, "processes", &why);
}

fn balloon(report: &mut Report, mib: u64) {
    report.tried(format!("{mib} MiB, and begun"));
    report.tell();
    let mut pieces = Vec::new();
    for _ in 0..mib {
        let mut piece = vec![0_u8; 1 << 20];
        piece.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
        pieces.push(std::hint::black_box(piece));
    }
    report.got(format!("{} MiB of memory", pieces.len()));
}

/// Writes files of `each` MiB, `most` MiB in all, told every 16 MiB: this may end by a signal.
fn fill(report: &mut Report, folders: &[&str], most: u64, each: u64, allowed: u64) {
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let piece = vec![7_u8; 1 << 20];
    let mut written = 0;
    let mut why = Vec::new();
    report.tried(format!("{most} MiB, and begun"));
    report.tell();
    for folder in folders {
        // An empty image has none.
        let _ = fs::create_dir_all(folder);
        'files: for number in 0.. {
            let path = format!("{folder}/{number}");
            let mut file = match fs::File::create(&path) {
                Ok(file) => file,
                Err(error) => {
                    why.push(format!("{path}: {error}"));
                    break;
                }
            };
            for _ in 0..each {
                if written >= most {
                    break 'files;
                }
                if let Err(error) = file.write_all(&piece) {
                    why.push(format!("{path}: {error}"));
                    break 'files;
                }
                written += 1;
            }
        }
    }
    count(report, written, allowed, "MiB", &why.join(", "));
}

fn inodes(report: &mut Report, folder: &str, most: u64, allowed: u64) {
    report.tried(format!("{most} files, and begun"));
    report.tell();
    let _ = fs::create_dir_all(folder);
    let mut had = 0;
    let mut why = String::from("as many as it wanted");
    while had < most {
        if let Err(error) = fs::File::create(format!("{folder}/{had}")) {
            why = error.to_string();
            break;
        }
        had += 1;
    }
    count(report, had, allowed, "files", &why);
}

/// So many MiB of noise, then the report.
fn log(report: &mut Report, mib: u64) {
    let line = [b'n'; 1023];
    let mut out = std::io::stdout().lock();
    for _ in 0..mib * 1024 {
        if out
            .write_all(&line)
            .and_then(|()| out.write_all(b"\n"))
            .is_err()
        {
            break;
        }
    }
    drop(out);
    report.tried(format!("{mib} MiB of log"));
}

fn open_files(report: &mut Report, most: u64, allowed: u64) {
    let mut files = Vec::new();
    let mut why = String::from("as many as it wanted");
    while (files.len() as u64) < most {
        match fs::File::open("/hostile") {
            Ok(file) => files.push(file),
            Err(error) => {
                why = error.to_string();
                break;
            }
        }
    }
    count(report, files.len() as u64, allowed, "open files", &why);
}

/// Watches on files are counted for a user, and each has memory of the kernel.
fn watches(report: &mut Report, most: u64, allowed: u64) {
    let mut had = 0;
    let mut why = String::from("as many as it wanted");
    while had < most {
        if unsafe { libc::inotify_init1(0) } < 0 {
            why = std::io::Error::last_os_error().to_string();
            break;
        }
        had += 1;
    }
    count(report, had, allowed, "watchers", &why);
}

/// Message queues live in the kernel until somebody removes them.
fn queues(report: &mut Report, most: u64, allowed: u64) {
    let mut had = 0;
    let mut why = String::from("as many as it wanted");
    for number in 0..most {
        let queue = unsafe {
            libc::msgget(
                i32::try_from(number).unwrap_or(0) + 0x5000,
                libc::IPC_CREAT | 0o600,
            )
        };
        if queue < 0 {
            why = std::io::Error::last_os_error().to_string();
            break;
        }
        had += 1;
    }
    count(report, had, allowed, "queues", &why);
}

/// Computes on `threads` threads for two seconds; `allowed` is in percent of one core.
fn hog(report: &mut Report, threads: u64, allowed: u64) {
    let begun = Instant::now();
    let time = Duration::from_secs(2);
    let workers: Vec<_> = (0..threads)
        .map(|_| {
            std::thread::spawn(move || {
                while begun.elapsed() < time {
                    std::hint::black_box(begun);
                }
            })
        })
        .collect();
    for worker in workers {
        let _ = worker.join();
    }
    let wall = begun.elapsed().as_secs_f64();
    let mut used: libc::timespec = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut used) };
    let cpu = used.tv_sec as f64 + used.tv_nsec as f64 / 1e9;
    let percent = (100.0 * cpu / wall).round() as u64;
    count(
        report,
        percent,
        allowed,
        "percent of a core",
        "for two seconds",
    );
}

/// Lets nothing but SIGKILL end it, and says so; then it sits there.
fn ignore(report: &mut Report, seconds: u64) {
    for signal in 1..32 {
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    report.tried("every signal is ignored");
    report.tell();
    std::thread::sleep(Duration::from_secs(seconds));
    report.got("to run on to its own end");
}

fn raise(report: &mut Report) {
    for (name, what) in [
        ("open files", libc::RLIMIT_NOFILE),
        ("the size of a file", libc::RLIMIT_FSIZE),
        ("core dumps", libc::RLIMIT_CORE),
        ("real-time priority", libc::RLIMIT_RTPRIO),
    ] {
        let mut now = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        unsafe { libc::getrlimit(what, &raw mut now) };
        if now.rlim_max == libc::RLIM_INFINITY {
            report.got(format!("{name} without a limit"));
            continue;
        }
        let more = libc::rlimit {
            rlim_cur: now.rlim_max + 1,
            rlim_max: now.rlim_max + 1,
        };
        let set = unsafe { libc::setrlimit(what, &raw const more) };
        report.call(&format!("a higher limit on {name}"), set.into());
    }
}

/// A crash that would leave its memory as a file, or hand it to a program of the host.
fn core(report: &mut Report) {
    let child = unsafe { libc::fork() };
    if child == 0 {
        unsafe {
            libc::chdir(c"/tmp".as_ptr());
            libc::abort();
        }
    }
    let mut status = 0;
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    report.tried(format!("a crash by signal {}", libc::WTERMSIG(status)));
    if libc::WCOREDUMP(status) {
        report.got("a core dump was written");
    }
    for entry in fs::read_dir("/tmp").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.contains("core") {
            report.got(format!("/tmp/{name}"));
        }
    }
}
