//! A session bus of the test's own, and the icon in a tray as the desktop sees it: over D-Bus, without a mouse.

use crate::program::Running;
use crate::wait::until;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);
const WATCHER: [&str; 3] = [
    "org.kde.StatusNotifierWatcher",
    "/StatusNotifierWatcher",
    "org.kde.StatusNotifierWatcher",
];

/// A session bus.
pub struct Bus {
    /// `unix:path=…`
    pub address: String,
    _daemon: Running,
}

impl Bus {
    /// Starts one, on which nobody is but who is started, and what the panel keeps its settings in: not whatever the
    /// machine would start for a user. `dress` makes its environment.
    pub fn start(folder: &Path, dress: impl Fn(&mut Command)) -> Self {
        let socket = folder.join("bus");
        let address = format!("unix:path={}", socket.display());
        let mut daemon = Command::new("dbus-daemon");
        let settings = folder.join("bus.conf");
        std::fs::write(&settings, configuration(&address, folder)).unwrap();
        daemon
            .args(["--nofork", "--nopidfile", "--config-file"])
            .arg(&settings);
        dress(&mut daemon);
        let daemon = Running::start(daemon, &folder.join("bus.log"));
        until("the session bus", SOON, || {
            std::os::unix::net::UnixStream::connect(&socket).map_err(|error| error.to_string())
        });
        Self {
            address,
            _daemon: daemon,
        }
    }

    /// Calls a method; the answer is in GVariant's text form.
    ///
    /// # Errors
    /// What the other side, or `gdbus`, says.
    pub fn call(
        &self,
        [name, path, interface]: [&str; 3],
        method: &str,
        words: &[&str],
    ) -> Result<String, String> {
        let output = Command::new("gdbus")
            .args(["call", "--session", "--timeout", "5", "--dest", name])
            .args(["--object-path", path, "--method"])
            .arg(format!("{interface}.{method}"))
            .arg("--")
            .args(words)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address)
            .output()
            .unwrap();
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    fn property(&self, [name, path, interface]: [&str; 3], of: &str) -> Result<String, String> {
        let properties = [name, path, "org.freedesktop.DBus.Properties"];
        self.call(properties, "Get", &[interface, of])
    }

    /// Waits until the desktop has a place for icons.
    #[track_caller]
    pub fn until_tray_host(&self) {
        until("a place for tray icons", SOON, || {
            let there = self.property(WATCHER, "IsStatusNotifierHostRegistered")?;
            if there.contains("true") {
                Ok(())
            } else {
                Err(there)
            }
        });
    }

    /// Waits for the one icon in the tray.
    #[track_caller]
    pub fn tray(&self, within: Duration) -> Tray<'_> {
        let item = until("an icon in the tray", within, || {
            let items = self.property(WATCHER, "RegisteredStatusNotifierItems")?;
            items.split('\'').nth(1).map(str::to_owned).ok_or(items)
        });
        let at = item.find('/').unwrap_or(item.len());
        let (name, path) = item.split_at(at);
        let path = if path.is_empty() {
            "/StatusNotifierItem"
        } else {
            path
        };
        let mut tray = Tray {
            bus: self,
            name: name.to_owned(),
            path: path.to_owned(),
            menu: String::new(),
        };
        tray.menu = until("the icon's menu", SOON, || {
            let menu = self.property(tray.item(), "Menu")?;
            menu.split('\'').nth(1).map(str::to_owned).ok_or(menu)
        });
        tray
    }
}

fn configuration(address: &str, folder: &Path) -> String {
    const SERVICE: &str = "org.xfce.Xfconf.service";
    let services = folder.join("services");
    std::fs::create_dir_all(&services).unwrap();
    let service = Path::new("/usr/share/dbus-1/services").join(SERVICE);
    std::fs::copy(&service, services.join(SERVICE))
        .unwrap_or_else(|error| panic!("{}: {error}", service.display()));
    format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>{address}</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{}</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#,
        services.display()
    )
}

/// An icon in the tray.
pub struct Tray<'a> {
    bus: &'a Bus,
    name: String,
    path: String,
    menu: String,
}

/// A line of its menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    id: String,
    /// What it says.
    pub label: String,
    /// Whether it can be chosen.
    pub enabled: bool,
}

impl Tray<'_> {
    fn item(&self) -> [&str; 3] {
        [&self.name, &self.path, "org.kde.StatusNotifierItem"]
    }

    fn menu(&self) -> [&str; 3] {
        [&self.name, &self.menu, "com.canonical.dbusmenu"]
    }

    /// The menu's lines with a text, from the top.
    pub fn lines(&self) -> Result<Vec<Line>, String> {
        let layout = self
            .bus
            .call(self.menu(), "GetLayout", &["0", "-1", "[]"])?;
        Ok(lines_of(&layout))
    }

    /// Waits until the menu is as wanted.
    #[track_caller]
    pub fn until_lines(&self, what: &str, wanted: impl Fn(&[Line]) -> bool) -> Vec<Line> {
        until(what, SOON, || {
            let lines = self.lines()?;
            if wanted(&lines) {
                Ok(lines)
            } else {
                Err(format!("{lines:#?}"))
            }
        })
    }

    /// Chooses a line, as a click does.
    #[track_caller]
    pub fn choose(&self, label: &str) {
        let wanted = |line: &Line| line.label == label && line.enabled;
        let lines = self.until_lines(label, |lines| lines.iter().any(wanted));
        let line = lines.into_iter().find(wanted).unwrap();
        let words = [line.id.as_str(), "clicked", "<0>", "0"];
        match self.bus.call(self.menu(), "Event", &words) {
            Err(error) if !error.contains("without replying") => panic!("{label}: {error}"),
            // A program that quits need not stay for an answer.
            _ => {}
        }
    }

    /// Clicks on the icon.
    #[track_caller]
    pub fn click(&self) {
        self.bus.call(self.item(), "Activate", &["0", "0"]).unwrap();
    }

    /// The icon's pixels, as the bus has them: they differ where the icon does.
    #[track_caller]
    pub fn icon(&self) -> String {
        self.bus.property(self.item(), "IconPixmap").unwrap()
    }

    /// What is shown where the mouse rests on the icon.
    #[track_caller]
    pub fn tooltip(&self) -> String {
        self.bus.property(self.item(), "ToolTip").unwrap()
    }
}

/// Reads `(7, {'label': <'Quit'>, 'enabled': <false>}, …)`, wherever in a layout it stands.
fn lines_of(layout: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    for piece in layout.split("<(").skip(1) {
        let (id, rest) = piece.split_once(", {").unwrap_or((piece, ""));
        let Some(at) = rest.find("'label': <") else {
            continue;
        };
        let text = &rest[at + "'label': <".len()..];
        let quote = text.chars().next().unwrap_or('\'');
        let label = text[1..].split(quote).next().unwrap_or_default();
        lines.push(Line {
            id: id.to_owned(),
            label: label.to_owned(),
            enabled: !rest.contains("'enabled': <false>"),
        });
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_is_read() {
        let layout = r#"(uint32 1, (0, {'children-display': <'submenu'>}, [<(1, {'label': <'Ready'>, 'enabled': <false>}, @av [])>, <(2, {'type': <'separator'>}, @av [])>, <(12, {'label': <"It's today">}, @av [])>]))"#;
        let line = |id: &str, label: &str, enabled| Line {
            id: id.into(),
            label: label.into(),
            enabled,
        };
        assert_eq!(
            lines_of(layout),
            [line("1", "Ready", false), line("12", "It's today", true)]
        );
    }
}
