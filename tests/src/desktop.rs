//! The desktop shell in a session of its own, with a marketplace, and a rig whose one card is played by the simulator.
//! Nobody but the shell starts the agent.

use crate::containers;
use crate::market::{BRISK, Market};
use crate::program::{Running, Said, run, sublet, sublet_desktop};
use crate::rig::{HEADLESS, prepare};
use crate::session::Session;
use crate::simulated::calm;
use crate::wait::until;
use crate::webdriver::Driven;
use crate::windows::Window;
use nvml_sim::{Gpu, Scenario, Stage};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A debug build on a busy machine.
pub const SOON: Duration = Duration::from_secs(40);

/// Everything but the shell.
pub struct Desktop {
    /// Where the renter is.
    pub market: Market,
    /// What the owner sees.
    pub session: Session,
    stage: Stage,
    folder: PathBuf,
    data: PathBuf,
}

impl Desktop {
    /// Sets it up: a session without a panel, settings that rent always, and an agent's program that rents a
    /// simulated card.
    #[track_caller]
    pub fn set_up(folder: &Path) -> Self {
        let market = Market::start(&folder.join("market"), BRISK, "1.00");
        let session = Session::start(folder);
        let data = folder.join("share").join("sublet");
        prepare(
            &data,
            &format!("{HEADLESS}[market]\nurl = \"{}\"\n", market.url),
        );
        let nvml = folder.join("nvml");
        std::fs::create_dir_all(&nvml).unwrap();
        let stage = nvml_sim::stage(&nvml, &Scenario::with_gpus([calm()]))
            .unwrap_or_else(|error| panic!("{error}"));
        let desktop = Self {
            market,
            session,
            stage,
            folder: folder.to_owned(),
            data,
        };
        // What only tests may say is said here, and which process it is.
        desktop.script(
            "agent",
            &format!(
                "if [ \"$1\" = run ]; then\n  echo $$ > '{0}/agent.pid'\n  while [ -e '{0}/held' ]; do sleep 0.1; done\n  set -- \"$@\" --simulated-score 1000\nfi\nexec '{1}' \"$@\"",
                folder.display(),
                sublet().display()
            ),
        );
        desktop.script(
            "xdg-open",
            &format!("echo \"$1\" >> '{}/opened'", folder.display()),
        );
        desktop
    }

    fn script(&self, name: &str, text: &str) {
        let path = self.folder.join("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn dress(&self, command: &mut Command) {
        self.session.dress(command);
        command
            .env("SUBLET_AGENT", self.folder.join("bin").join("agent"))
            .env("SUBLET_NVML_LIBRARY", self.stage.library())
            .env(
                "CREDENTIALS_DIRECTORY",
                self.data.with_file_name("credentials"),
            );
    }

    /// The command that starts the shell.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(sublet_desktop());
        command.args(words);
        self.dress(&mut command);
        command
    }

    /// Starts the shell.
    #[track_caller]
    pub fn start(&self, words: &[&str]) -> Running {
        Running::start(self.command(words), &self.folder.join("shell.log"))
    }

    /// Starts the shell with its window in the hands of a driver.
    #[track_caller]
    pub fn drive(&self) -> Driven {
        Driven::start(&self.folder, &sublet_desktop(), |command| {
            self.dress(command)
        })
    }

    /// An owner's command.
    pub fn run(&self, words: &[&str]) -> Said {
        run(Command::new(sublet())
            .args(words)
            .arg("--data")
            .arg(&self.data))
    }

    /// Waits until the agent's status is as wanted.
    #[track_caller]
    pub fn until_status(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        until(what, SOON, || {
            let said = self.run(&["status", "--json"]);
            if !said.answered() {
                return Err(said.err);
            }
            let status = said.json();
            if wanted(&status) {
                Ok(status)
            } else {
                Err(status.to_string())
            }
        })
    }

    /// Which process the agent was when it was started last.
    pub fn agent(&self) -> Option<Pid> {
        let text = std::fs::read_to_string(self.folder.join("agent.pid")).ok()?;
        Pid::from_raw(text.trim().parse().ok()?)
    }

    /// Ends the agent as a power cut would.
    #[track_caller]
    pub fn kill_agent(&self) -> Pid {
        let pid = self.agent().unwrap();
        kill_process(pid, Signal::KILL).unwrap();
        pid
    }

    /// Keeps the next agent from coming up, or lets it.
    #[track_caller]
    pub fn hold_agent(&self, hold: bool) {
        let held = self.folder.join("held");
        if hold {
            std::fs::write(held, "").unwrap();
        } else {
            std::fs::remove_file(held).unwrap();
        }
    }

    /// What the browser was asked to open.
    pub fn opened(&self) -> String {
        std::fs::read_to_string(self.folder.join("opened")).unwrap_or_default()
    }

    /// Shows the card so.
    #[track_caller]
    pub fn show(&self, gpu: Gpu) {
        self.stage.set(&Scenario::with_gpus([gpu])).unwrap();
    }

    /// The shell's window, where it is there.
    pub fn window(&self) -> Option<Window> {
        let mut windows = self.session.screen.windows().into_iter();
        windows.find(|window| window.title.ends_with("Sublet"))
    }

    /// Waits until the window can be used: it is shown, and its title tells the state, which the page knows from the
    /// agent.
    #[track_caller]
    pub fn until_window(&self, state: &str) -> Window {
        let title = format!("{state} · Sublet");
        let screen = &self.session.screen;
        screen.until_window(&title, SOON, |window| window.shown && window.title == title)
    }

    /// Waits until there is no window.
    #[track_caller]
    pub fn until_no_window(&self) {
        until("no window", SOON, || match self.window() {
            None => Ok(()),
            Some(window) => Err(format!("{window:?}")),
        });
    }
}

/// Nobody but us ends the agent: that is its nature.
impl Drop for Desktop {
    fn drop(&mut self) {
        let left = || match self.run(&["status", "--json"]) {
            said if said.answered() => {
                let rig = said.json()["rig"].as_str().map(str::to_owned);
                rig.map(|rig| containers::of_rig(&rig)).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        if !std::thread::panicking() {
            until("nothing left of the rig's jobs", SOON, || match left() {
                left if left.is_empty() => Ok(()),
                left => Err(format!("{left:?}")),
            });
        }
        if let Some(pid) = self.agent() {
            // One that is gone is ended already.
            let _ = kill_process(pid, Signal::TERM);
            let gone = || match test_kill_process(pid) {
                Err(_) => Ok(()),
                Ok(()) if is_dead(pid) => Ok(()),
                Ok(()) => Err("it still runs".to_owned()),
            };
            if std::thread::panicking() {
                let _ = kill_process(pid, Signal::KILL);
            } else {
                until("the agent's end", SOON, gone);
            }
        }
    }
}

/// Whether it ended, and nobody has asked how.
pub fn is_dead(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.is_ok_and(|stat| {
        stat.rsplit(") ")
            .next()
            .is_some_and(|rest| rest.starts_with('Z'))
    })
}
