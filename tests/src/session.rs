//! A desktop session of the test's own: a display, a bus, a window manager, and a panel where one is wanted.

use crate::bus::Bus;
use crate::program::Running;
use crate::screen::Screen;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const WIDTH: u16 = 1280;
const HEIGHT: u16 = 900;

/// A session. Whoever is dressed for it finds its display and its bus, and nothing of the session that the test
/// itself runs in.
pub struct Session {
    // In the order of ending.
    panel: Option<Running>,
    notifications: Option<Running>,
    _manager: Running,
    /// Its bus.
    pub bus: Bus,
    /// Its display.
    pub screen: Screen,
    folder: PathBuf,
}

impl Session {
    /// Starts one without a panel.
    #[track_caller]
    pub fn start(folder: &Path) -> Self {
        for part in ["home/.config", "cache", "share", "bin"] {
            std::fs::create_dir_all(folder.join(part)).unwrap();
        }
        let run = folder.join("run");
        std::fs::create_dir_all(&run).unwrap();
        std::fs::set_permissions(&run, std::fs::Permissions::from_mode(0o700)).unwrap();
        let screen = Screen::of_size(folder, WIDTH, HEIGHT);
        let bus = Bus::start(folder, |command| dress(command, folder, &screen.name));
        let mut manager = Command::new("openbox");
        manager.arg("--sm-disable");
        dress(&mut manager, folder, &screen.name);
        let manager = Running::start(manager, &folder.join("manager.log"));
        Self {
            panel: None,
            notifications: None,
            _manager: manager,
            bus,
            screen,
            folder: folder.to_owned(),
        }
    }

    /// Adds a panel with a tray, and waits for the tray.
    #[track_caller]
    pub fn add_panel(&mut self) {
        let mut panel = Command::new("xfce4-panel");
        panel
            .arg("--disable-wm-check")
            // Otherwise it asks which panel is wanted.
            .env("XFCE_PANEL_MIGRATE_DEFAULT", "1");
        self.dress(&mut panel);
        self.panel = Some(Running::start(panel, &self.folder.join("panel.log")));
        self.bus.until_tray_host();
    }

    /// Adds a service that shows notifications and writes down each.
    #[track_caller]
    pub fn add_notifications(&mut self) {
        let mut service = Command::new("dunst");
        service.arg("-print");
        self.dress(&mut service);
        let log = self.folder.join("notifications.log");
        self.notifications = Some(Running::start(service, &log));
        let names = ["org.freedesktop.DBus", "/", "org.freedesktop.DBus"];
        crate::wait::until(
            "the notification service",
            std::time::Duration::from_secs(20),
            || {
                let words = ["org.freedesktop.Notifications"];
                let said = self.bus.call(names, "NameHasOwner", &words)?;
                if said.contains("true") {
                    Ok(())
                } else {
                    Err(said)
                }
            },
        );
    }

    /// Every notification that was shown.
    pub fn notified(&self) -> String {
        std::fs::read_to_string(self.folder.join("notifications.log")).unwrap_or_default()
    }

    /// Puts a command into the session.
    pub fn dress(&self, command: &mut Command) {
        dress(command, &self.folder, &self.screen.name);
    }
}

fn dress(command: &mut Command, folder: &Path, display: &str) {
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .env("DISPLAY", display)
        .env(
            "DBUS_SESSION_BUS_ADDRESS",
            format!("unix:path={}", folder.join("bus").display()),
        )
        .env("HOME", folder.join("home"))
        .env("XDG_CONFIG_HOME", folder.join("home/.config"))
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env("XDG_DATA_HOME", folder.join("share"))
        .env("XDG_RUNTIME_DIR", folder.join("run"))
        .env("XDG_CURRENT_DESKTOP", "XFCE")
        // Stand-ins, such as the one for a browser, come first.
        .env("PATH", format!("{}:{path}", folder.join("bin").display()))
        .env("LANG", "C.UTF-8")
        .env("NO_AT_BRIDGE", "1")
        .env_remove("LANGUAGE")
        .env_remove("LC_ALL")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("XAUTHORITY");
}
