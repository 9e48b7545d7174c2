//! The watch over real displays, buses and devices. Services of other people are stood in for at the bus; nothing of
//! ours is.

mod buses;
mod compositor;
mod devices;
mod wayland;
mod x11;

use super::*;
use linux::Surroundings;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use sublet_core::facts::Touch;

const SOON: Duration = Duration::from_secs(40);

/// A machine that has nothing at all, with its files in `folder`.
fn bare(folder: &Path) -> Surroundings {
    Surroundings {
        display: None,
        x11_sockets: folder.join("x11"),
        x11_keys: Vec::new(),
        wayland_display: None,
        runtime: Some(folder.join("run")),
        session_bus: None,
        system_bus: format!("unix:path={}", folder.join("no-bus").display()),
        input_list: folder.join("input-list"),
        dev: folder.join("dev"),
        logins: folder.join("no-utmp"),
    }
}

/// A program that runs beside the test, and ends with it.
struct Beside(Child);

impl Beside {
    fn start(command: &mut Command) -> Self {
        let started = command.stdin(Stdio::null()).spawn();
        Self(started.unwrap_or_else(|why| panic!("{command:?} must be installed: {why}")))
    }

    /// The first line that it prints.
    fn line(&mut self) -> String {
        let mut line = String::new();
        let out = self.0.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "{:?} ended at once", self.0);
        line.trim().to_owned()
    }
}

/// One that is simply killed leaves its sockets and locks behind.
impl Drop for Beside {
    fn drop(&mut self) {
        let end = Instant::now() + Duration::from_secs(5);
        let pid = i32::try_from(self.0.id()).ok();
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw)
            && matches!(self.0.try_wait(), Ok(None))
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Looks until what is looked for is there.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + SOON;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "not within {SOON:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl PresenceWatch {
    fn state(&self, name: &str) -> SourceState {
        let sources = self.sources();
        let found = sources.into_iter().find(|source| source.name == name);
        found.unwrap().state
    }

    /// What a source says once it works and says that.
    fn until_says(&self, name: &str, part: &str) {
        until(&format!("{name}: {part}; {:?}", self.sources()), || {
            let (SourceState::Works(said) | SourceState::Fails(said) | SourceState::NotHere(said)) =
                self.state(name)
            else {
                return None;
            };
            said.contains(part).then_some(())
        });
    }

    /// How long ago the last touch is, by the watch's last reading.
    fn idle(&self) -> Option<(Duration, sublet_core::facts::InputKind)> {
        match self.latest(Instant::now()).touch?.value {
            Touch::Ago { idle_ms, by } => Some((Duration::from_millis(idle_ms), by)),
            Touch::NoSeat => None,
        }
    }

    /// The next touch, told as it happens.
    fn until_touched(&self, after: u64) -> u64 {
        until("a touch", || {
            let count = *self.touched().borrow();
            (count != after).then_some(count)
        })
    }
}
