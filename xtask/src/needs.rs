//! The system packages that the chores need.

/// What the packages are for. A chore names the purposes it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Build,
    /// Containers, the registry and a GPU made of software.
    Run,
    Test,
    Pages,
    Bench,
    /// A display without a screen, on which a test's hand moves the mouse.
    Display,
    /// The desktop shell and a session to show it in.
    Desktop,
    /// A download to be measured beside.
    Transfer,
}

/// What shows that a need is met.
#[derive(Clone, Copy, Debug)]
pub enum Sign {
    /// Any of these programs; another package, or none, may have brought it.
    Program(&'static [&'static str]),
    /// The package itself.
    Installed,
}

/// One package, what it is for, and how to see that it is there.
pub struct Need {
    pub purpose: Purpose,
    pub package: &'static str,
    pub sign: Sign,
    pub why: &'static str,
}

const CHROMIUM: &[&str] = &[
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

const fn need(purpose: Purpose, package: &'static str, sign: Sign, why: &'static str) -> Need {
    Need {
        purpose,
        package,
        sign,
        why,
    }
}

/// All that the chores need of the system.
pub const NEEDS: &[Need] = {
    use Purpose::{Bench, Build, Desktop, Display, Pages, Run, Test, Transfer};
    use Sign::{Installed, Program};
    &[
        need(Build, "gcc", Program(&["gcc"]), "compiles and links"),
        need(
            Build,
            "libc6-dev",
            Installed,
            "what every program links with",
        ),
        need(
            Build,
            "pkg-config",
            Program(&["pkg-config"]),
            "finds libraries to link with",
        ),
        need(Run, "ca-certificates", Installed, "checks who a server is"),
        need(
            Run,
            "docker.io",
            Program(&["dockerd"]),
            "runs a renter's container",
        ),
        need(
            Run,
            "docker-registry",
            Program(&["docker-registry"]),
            "serves images on loopback",
        ),
        need(
            Run,
            "iptables",
            Program(&["iptables"]),
            "keeps containers off the network",
        ),
        need(
            Run,
            "iproute2",
            Program(&["ip"]),
            "takes networks away again",
        ),
        need(Run, "libvulkan1", Installed, "reaches GPUs"),
        need(
            Run,
            "mesa-vulkan-drivers",
            Installed,
            "a GPU made of software, where there is no other",
        ),
        need(
            Test,
            "dbus",
            Program(&["dbus-daemon"]),
            "the bus that the keyring answers on",
        ),
        need(
            Test,
            "dbus-x11",
            Program(&["dbus-launch"]),
            "a bus without a desktop",
        ),
        need(
            Test,
            "gnome-keyring",
            Program(&["gnome-keyring-daemon"]),
            "the keyring that tests use",
        ),
        need(
            Test,
            "libsecret-tools",
            Program(&["secret-tool"]),
            "looks into the keyring",
        ),
        need(
            Test,
            "openbox",
            Program(&["openbox"]),
            "fills the screen of a display that is watched",
        ),
        need(
            Test,
            "runsc",
            Program(&["runsc"]),
            "gVisor, in which jobs run where it works",
        ),
        need(
            Test,
            "sway",
            Program(&["sway"]),
            "a Wayland session that is watched",
        ),
        need(
            Test,
            "wtype",
            Program(&["wtype"]),
            "types into a Wayland session",
        ),
        need(
            Test,
            "xdotool",
            Program(&["xdotool"]),
            "types into an X display",
        ),
        need(
            Test,
            "xvfb",
            Program(&["Xvfb"]),
            "an X display that is watched",
        ),
        need(
            Pages,
            "chromium",
            Program(CHROMIUM),
            "shows the pages to their tests",
        ),
        need(
            Pages,
            "sqlite3",
            Program(&["sqlite3"]),
            "puts weeks into the record that the pages are tested with",
        ),
        need(
            Pages,
            "fonts-inter",
            Installed,
            "what the pages' pictures are set in",
        ),
        need(
            Pages,
            "fonts-noto-cjk",
            Installed,
            "what the pages' pictures in Chinese are set in",
        ),
        need(Pages, "nodejs", Program(&["node"]), "builds the pages"),
        need(
            Pages,
            "npm",
            Program(&["npm"]),
            "fetches what the pages are built with",
        ),
        need(
            Display,
            "xvfb",
            Program(&["Xvfb"]),
            "a display without a screen, for input that a test makes",
        ),
        need(
            Desktop,
            "libwebkit2gtk-4.1-dev",
            Installed,
            "the window's web view",
        ),
        need(
            Desktop,
            "webkit2gtk-driver",
            Program(&["WebKitWebDriver"]),
            "drives the window",
        ),
        need(
            Desktop,
            "libglib2.0-bin",
            Program(&["gdbus"]),
            "speaks to the tray",
        ),
        need(
            Desktop,
            "xdotool",
            Program(&["xdotool"]),
            "looks for the window that is measured",
        ),
        need(
            Desktop,
            "xfce4-panel",
            Program(&["xfce4-panel"]),
            "a panel with a tray",
        ),
        need(
            Desktop,
            "xfconf",
            Installed,
            "what that panel keeps its settings in",
        ),
        need(Desktop, "dunst", Program(&["dunst"]), "shows notifications"),
        need(
            Desktop,
            "dbus",
            Program(&["dbus-daemon"]),
            "the bus of a session",
        ),
        need(
            Desktop,
            "openbox",
            Program(&["openbox"]),
            "the windows of a session",
        ),
        need(
            Desktop,
            "xvfb",
            Program(&["Xvfb"]),
            "the display of a session",
        ),
        need(
            Desktop,
            "fonts-dejavu-core",
            Installed,
            "what a session is set in",
        ),
        need(
            Bench,
            "boinc-client",
            Program(&["boinc"]),
            "the peer that figures are held against",
        ),
        need(
            Transfer,
            "curl",
            Program(&["curl"]),
            "the download that ours is held against",
        ),
    ]
};
