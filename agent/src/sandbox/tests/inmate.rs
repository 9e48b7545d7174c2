//! The program inside the tests' containers. It tries what a job might try, and tells what came of it, one line
//! each: `WHAT: RESULT`. Compiled by the tests with nothing but the standard library, linked statically, since its
//! image holds no other file. Each argument is one thing to do: words apart by blanks.

use std::ffi::{CString, c_char, c_int, c_long, c_ulong};
use std::io::{Error, Write};
use std::time::{Duration, Instant};

unsafe extern "C" {
    fn mkfifo(path: *const c_char, mode: u32) -> c_int;
    fn mknod(path: *const c_char, mode: u32, device: c_ulong) -> c_int;
    fn mount(
        source: *const c_char,
        target: *const c_char,
        kind: *const c_char,
        flags: c_ulong,
        data: *const c_char,
    ) -> c_int;
    fn setuid(user: u32) -> c_int;
    fn signal(number: c_int, handler: usize) -> usize;
    fn syscall(number: c_long, ...) -> c_long;
    fn unshare(flags: c_int) -> c_int;
}

fn main() {
    for deed in std::env::args().skip(1) {
        let words: Vec<&str> = deed.split(' ').collect();
        act(&words);
        let _ = std::io::stdout().flush();
    }
}

fn act(words: &[&str]) {
    match words {
        ["say", text] => println!("{text}"),
        ["complain", text] => eprintln!("{text}"),
        ["show", path] => print!(
            "{}",
            std::fs::read_to_string(path).unwrap_or_else(|e| format!("{path}: {e}\n"))
        ),
        ["names", path] => names(path),
        ["environment"] => std::env::vars().for_each(|(name, value)| println!("{name}={value}")),
        ["write", path, text] => tell(&format!("write {path}"), std::fs::write(path, text)),
        ["append-forever", path] => append_forever(path),
        ["fill", path, mib] => fill(path, mib.parse().unwrap()),
        ["symlink", target, path] => tell("symlink", std::os::unix::fs::symlink(target, path)),
        ["hardlink", target, path] => tell("hardlink", std::fs::hard_link(target, path)),
        ["remove", path] => tell("remove", std::fs::remove_file(path)),
        ["folder", path] => tell("folder", std::fs::create_dir(path)),
        ["sparse", path, mib] => tell(
            "sparse",
            std::fs::File::create(path).and_then(|f| f.set_len(mib.parse::<u64>().unwrap() << 20)),
        ),
        ["pipe", path] => call("pipe", || unsafe { mkfifo(text(path).as_ptr(), 0o666) }),
        ["dial", address] => {
            let address = address.parse().unwrap();
            let outcome = std::net::TcpStream::connect_timeout(&address, Duration::from_secs(2));
            tell("dial", outcome.map(drop));
        }
        ["children", most] => children(most.parse().unwrap()),
        ["eat", mib] => eat(mib.parse().unwrap()),
        ["open", most] => open(most.parse().unwrap()),
        ["escape"] => escape(),
        ["sleep", ms] => std::thread::sleep(Duration::from_millis(ms.parse().unwrap())),
        ["spin", ms] => spin(Duration::from_millis(ms.parse().unwrap())),
        ["tick", count] => tick(count.parse().unwrap()),
        ["exit", code] => std::process::exit(code.parse().unwrap()),
        other => panic!("unknown deed {other:?}"),
    }
}

fn text(word: &str) -> CString {
    CString::new(word).unwrap()
}

fn tell(what: &str, outcome: std::io::Result<()>) {
    match outcome {
        Ok(()) => println!("{what}: done"),
        Err(error) => println!(
            "{what}: {:?}",
            error.raw_os_error().ok_or(error.to_string())
        ),
    }
}

fn call(what: &str, outcome: impl FnOnce() -> c_int) {
    tell(
        what,
        if outcome() == 0 {
            Ok(())
        } else {
            Err(Error::last_os_error())
        },
    );
}

fn names(folder: &str) {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    println!("names {folder}: {}", names.join(" "));
}

/// What only a privileged process may do.
fn escape() {
    let (proc, folder, empty) = (text("proc"), text("/tmp"), text(""));
    call("mount", || unsafe {
        mount(
            proc.as_ptr(),
            folder.as_ptr(),
            proc.as_ptr(),
            0,
            empty.as_ptr(),
        )
    });
    call("device", || unsafe {
        mknod(text("/tmp/disk").as_ptr(), 0o060_666, 0x0801)
    });
    call("user namespace", || unsafe { unshare(0x1000_0000) });
    call("setuid", || unsafe { setuid(0) });
    // keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING) needs no privilege, only a filter forbids it.
    #[cfg(target_arch = "x86_64")]
    const KEYCTL: c_long = 250;
    #[cfg(target_arch = "aarch64")]
    const KEYCTL: c_long = 219;
    call("keyring", || unsafe {
        if syscall(KEYCTL, 0, -3, 1) < 0 { -1 } else { 0 }
    });
    tell("kernel log", std::fs::read("/dev/kmsg").map(drop));
    tell(
        "kernel setting",
        std::fs::write("/proc/sys/kernel/hostname", "mine"),
    );
    tell(
        "cgroup",
        std::fs::create_dir("/sys/fs/cgroup/memory/mine")
            .or_else(|_| std::fs::create_dir("/sys/fs/cgroup/mine")),
    );
}

/// Starts copies of itself until it may not.
fn children(most: u32) {
    let mut living = Vec::new();
    for _ in 0..most {
        match std::process::Command::new("/inmate")
            .arg("sleep 60000")
            .spawn()
        {
            Ok(child) => living.push(child),
            Err(_) => break,
        }
    }
    println!("children: {}", living.len());
    for mut child in living {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Touches so much memory, and gives it back.
fn eat(mib: usize) {
    let mut pieces = Vec::new();
    for _ in 0..mib {
        let mut piece = vec![0_u8; 1 << 20];
        piece.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
        pieces.push(std::hint::black_box(piece));
    }
    println!("eat: {} MiB", pieces.len());
}

/// Opens files until it may not.
fn open(most: usize) {
    let mut files = Vec::new();
    while files.len() < most {
        match std::fs::File::open("/inmate") {
            Ok(file) => files.push(file),
            Err(_) => break,
        }
    }
    println!("open: {}", files.len());
}

/// Writes so many MiB, or as many as it may.
fn fill(path: &str, mib: usize) {
    // SIGXFSZ would end the program; ignored, the write fails instead.
    unsafe { signal(25, 1) };
    let piece = vec![7_u8; 1 << 20];
    let mut file = std::fs::File::create(path).unwrap();
    let mut written = 0;
    for _ in 0..mib {
        if let Err(error) = file.write_all(&piece) {
            println!(
                "fill {path}: {written} MiB, then {:?}",
                error.raw_os_error()
            );
            return;
        }
        written += 1;
    }
    println!("fill {path}: {written} MiB");
}

fn append_forever(path: &str) {
    let mut file = std::fs::File::create(path).unwrap();
    loop {
        file.write_all(b"more\n").unwrap();
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn spin(time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        std::hint::black_box(begun);
    }
}

fn tick(count: u32) {
    for n in 0..count {
        println!("tick {n}");
        let _ = std::io::stdout().flush();
        std::thread::sleep(Duration::from_millis(20));
    }
}
