//! A desktop session without a screen: a display, a bus, a window manager, and a panel with a tray.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};

use super::x_input::free_display;
use crate::ground::Ground;
use crate::packages::program;
use crate::process::wait_until;
use crate::run::said;

const UP_WITHIN: Duration = Duration::from_secs(30);
const WATCHER: [&str; 3] = [
    "org.kde.StatusNotifierWatcher",
    "/StatusNotifierWatcher",
    "org.kde.StatusNotifierWatcher",
];
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

pub struct Session {
    folder: PathBuf,
    display: String,
}

impl Session {
    /// Starts all of it on the ground, and waits until the panel takes icons.
    pub fn start(ground: &mut Ground) -> anyhow::Result<Session> {
        let folder = ground.run_folder().join("session");
        for part in ["home/.config", "cache", "share", "run"] {
            fs::create_dir_all(folder.join(part))?;
        }
        let number = free_display()?;
        let session = Session {
            folder,
            display: format!(":{number}"),
        };
        let command = |name: &str| {
            let path = program(name).with_context(|| format!("{name} is not installed"))?;
            let mut command = Command::new(path);
            session.dress(&mut command);
            anyhow::Ok(command)
        };
        let mut display = command("Xvfb")?;
        display
            .arg(&session.display)
            .args(["-screen", "0", "1280x900x24", "-noreset"])
            .args(["-nolisten", "tcp", "-ac"]);
        ground.start("session-display", display)?;
        let socket = PathBuf::from(format!("/tmp/.X11-unix/X{number}"));
        wait_until("the display", UP_WITHIN, || {
            Ok(UnixStream::connect(&socket).ok())
        })?;
        let mut bus = command("dbus-daemon")?;
        bus.args(["--session", "--nofork", "--nopidfile", "--address"])
            .arg(session.bus());
        ground.start("session-bus", bus)?;
        let socket = session.folder.join("bus");
        wait_until("the session bus", UP_WITHIN, || {
            Ok(UnixStream::connect(&socket).ok())
        })?;
        let mut manager = command("openbox")?;
        manager.arg("--sm-disable");
        ground.start("session-windows", manager)?;
        let mut panel = command("xfce4-panel")?;
        // Otherwise it asks which panel is wanted.
        panel
            .arg("--disable-wm-check")
            .env("XFCE_PANEL_MIGRATE_DEFAULT", "1");
        ground.start("session-panel", panel)?;
        wait_until("a place for tray icons", UP_WITHIN, || {
            let there = session.property(WATCHER, "IsStatusNotifierHostRegistered");
            Ok(there.ok().filter(|there| there.contains("true")))
        })?;
        Ok(session)
    }

    fn bus(&self) -> String {
        format!("unix:path={}", self.folder.join("bus").display())
    }

    /// Puts a command into the session.
    pub fn dress(&self, command: &mut Command) {
        let part = |name: &str| self.folder.join(name);
        command
            .env("DISPLAY", &self.display)
            .env("DBUS_SESSION_BUS_ADDRESS", self.bus())
            .env("HOME", part("home"))
            .env("XDG_CONFIG_HOME", part("home/.config"))
            .env("XDG_CACHE_HOME", part("cache"))
            .env("XDG_DATA_HOME", part("share"))
            .env("XDG_RUNTIME_DIR", part("run"))
            .env("LANG", "C.UTF-8")
            .env("NO_AT_BRIDGE", "1")
            .env_remove("LANGUAGE")
            .env_remove("LC_ALL")
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("XAUTHORITY");
    }

    /// The shown window whose title this pattern finds.
    pub fn window(&self, title: &str) -> anyhow::Result<Option<String>> {
        let mut search = Command::new(program("xdotool").context("xdotool is not installed")?);
        search.args(["search", "--onlyvisible", "--name", title]);
        self.dress(&mut search);
        // It fails where nothing is found.
        let output = search.output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().next().map(str::to_owned))
    }

    /// Asks a window to close, as its close button does.
    pub fn close(&self, window: &str) -> anyhow::Result<()> {
        let mut close = Command::new(program("xdotool").context("xdotool is not installed")?);
        close.args(["windowclose", window]);
        self.dress(&mut close);
        said(&mut close).map(drop)
    }

    /// Where the one icon in the tray is, for [`Session::click`].
    pub fn icon(&self) -> anyhow::Result<[String; 2]> {
        let item = wait_until("an icon in the tray", UP_WITHIN, || {
            let items = self.property(WATCHER, "RegisteredStatusNotifierItems")?;
            Ok(items.split('\'').nth(1).map(str::to_owned))
        })?;
        let Some(at) = item.find('/') else {
            bail!("the tray names its icon otherwise than expected: {item}");
        };
        Ok([item[..at].to_owned(), item[at..].to_owned()])
    }

    /// Clicks on an icon in the tray.
    pub fn click(&self, [name, path]: &[String; 2]) -> anyhow::Result<()> {
        let item = [name.as_str(), path.as_str(), "org.kde.StatusNotifierItem"];
        self.call(item, "Activate", &["0", "0"]).map(drop)
    }

    fn property(&self, [name, path, interface]: [&str; 3], of: &str) -> anyhow::Result<String> {
        self.call([name, path, PROPERTIES], "Get", &[interface, of])
    }

    fn call(
        &self,
        [name, path, interface]: [&str; 3],
        method: &str,
        words: &[&str],
    ) -> anyhow::Result<String> {
        let mut call = Command::new(program("gdbus").context("gdbus is not installed")?);
        call.args(["call", "--session", "--timeout", "5", "--dest", name])
            .args(["--object-path", path, "--method"])
            .arg(format!("{interface}.{method}"))
            .arg("--")
            .args(words);
        self.dress(&mut call);
        said(&mut call)
    }
}
