//! Where the sources of this machine are looked for. Tests put other places in.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Places and names, as they were when the agent started.
#[derive(Debug, Clone)]
pub(in crate::sensors::presence) struct Surroundings {
    /// The display that this process was given.
    pub display: Option<String>,
    /// Where the sockets of X servers lie.
    pub x11_sockets: PathBuf,
    /// Files that may hold the key to a display; folders stand for the files in them that are named like one.
    pub x11_keys: Vec<PathBuf>,
    /// The Wayland display that this process was given: a name in `runtime`, or a path.
    pub wayland_display: Option<OsString>,
    /// The folder of this user's sockets.
    pub runtime: Option<PathBuf>,
    /// The address of the bus of this user's session, where the process was told.
    pub session_bus: Option<String>,
    /// The address of the system's bus.
    pub system_bus: String,
    /// The list of the machine's input devices, which is the host's also inside a container.
    pub input_list: PathBuf,
    /// Where device files lie.
    pub dev: PathBuf,
    /// Who is logged in, where the system keeps such a list.
    pub logins: PathBuf,
}

impl Surroundings {
    /// As this process finds them.
    pub fn of_this_process() -> Self {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let text = |name| set(name).and_then(|value| value.into_string().ok());
        let user = rustix::process::geteuid().as_raw();
        let runtime = set("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(format!("/run/user/{user}"))));
        let mut x11_keys: Vec<PathBuf> = set("XAUTHORITY").map(PathBuf::from).into_iter().collect();
        x11_keys.extend(set("HOME").map(|home| Path::new(&home).join(".Xauthority")));
        if let Some(runtime) = &runtime {
            x11_keys.extend([runtime.clone(), runtime.join("gdm")]);
        }
        Self {
            display: text("DISPLAY"),
            x11_sockets: PathBuf::from("/tmp/.X11-unix"),
            x11_keys,
            wayland_display: set("WAYLAND_DISPLAY"),
            runtime,
            session_bus: text("DBUS_SESSION_BUS_ADDRESS"),
            system_bus: text("DBUS_SYSTEM_BUS_ADDRESS")
                .unwrap_or_else(|| "unix:path=/run/dbus/system_bus_socket".into()),
            input_list: PathBuf::from("/proc/bus/input/devices"),
            dev: PathBuf::from("/dev"),
            logins: PathBuf::from("/run/utmp"),
        }
    }

    /// The address of the bus of this user's session; it may have begun after this process.
    pub fn bus_of_session(&self) -> Option<String> {
        let usual = || {
            let socket = self.runtime.as_ref()?.join("bus");
            socket
                .exists()
                .then(|| format!("unix:path={}", socket.display()))
        };
        self.session_bus.clone().or_else(usual)
    }
}
