//! The programs under test, and one that runs.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What an environment variable of the test set-up says.
///
/// # Panics
/// Where it is not set: the tests were not started by `cargo xtask test system`.
#[track_caller]
pub fn given(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set; run the tests with `cargo xtask test system`")
    })
}

/// The agent's program.
pub fn sublet() -> PathBuf {
    given("SUBLET_BIN").into()
}

/// The marketplace's program.
pub fn sublet_market() -> PathBuf {
    given("SUBLET_MARKET_BIN").into()
}

/// The desktop shell's program.
pub fn sublet_desktop() -> PathBuf {
    given("SUBLET_DESKTOP_BIN").into()
}

/// A program that runs until the test ends it, or ends itself.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts it, its output in `log`.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} could not be started: {error}"));
        Self {
            child,
            log: log.to_owned(),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends it without a chance to tidy up, as a power cut would.
    pub fn kill_dead(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Asks it to end and tidy up after itself; one that does not within this time is killed.
    pub fn end_in_order(&mut self, within: Duration) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        self.signal(rustix::process::Signal::TERM);
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && begun.elapsed() < within {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks it to end, and waits until it has.
    pub fn signal_and_wait(mut self) -> std::process::ExitStatus {
        self.signal(rustix::process::Signal::TERM);
        self.child.wait().unwrap()
    }

    /// Whether it ended, and how.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that ended by itself cannot be killed, and need not be.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let said = self.said();
            let from = said.len().saturating_sub(6_000);
            let tail = said.get(from..).unwrap_or(&said);
            eprintln!("--- the end of {} ---\n{tail}", self.log.display());
        }
    }
}

/// What a command that ended said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code; -1 where a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Said {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Said {
    /// Whether there is an answer: see the exit codes in `sublet --help`.
    pub fn answered(&self) -> bool {
        matches!(self.code, 0 | 4)
    }

    /// Its output as JSON.
    ///
    /// # Panics
    /// When it ended with another code than 0 (or 4, which says that the owner is needed, beside the answer), or
    /// the output is no JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        assert!(self.answered(), "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
