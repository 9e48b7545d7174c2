//! A display without a screen, with a hand on its mouse, and films that fill it.

use crate::program::Running;
use crate::wait::until;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{
    AtomEnum, ConnectionExt as _, CreateWindowAux, MOTION_NOTIFY_EVENT, PropMode, WindowClass,
};
use x11rb::protocol::xtest::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

const WIDTH: u16 = 640;
const HEIGHT: u16 = 480;

/// An X server of the test's own.
pub struct Screen {
    /// `:190`
    pub name: String,
    pub(crate) connection: RustConnection,
    pub(crate) root: u32,
    moves: i16,
    server: Running,
    _claim: UnixListener,
}

impl Screen {
    /// Starts one on a free display.
    #[track_caller]
    pub fn start(folder: &Path) -> Self {
        Self::of_size(folder, WIDTH, HEIGHT)
    }

    /// The same, so many pixels wide and high.
    #[track_caller]
    pub fn of_size(folder: &Path, width: u16, height: u16) -> Self {
        // Tests run side by side, each in a process of its own.
        let first = 200 + std::process::id() % 800;
        let (number, claim) = (first..first + 100)
            .filter(|number| !Path::new(&format!("/tmp/.X11-unix/X{number}")).exists())
            .find_map(|number| Some((number, claim(number)?)))
            .expect("no display is free");
        let name = format!(":{number}");
        let mut server = Command::new("Xvfb");
        server.arg(&name).args([
            "-screen",
            "0",
            &format!("{width}x{height}x24"),
            // What is on it stays when the last program leaves.
            "-noreset",
            "-nolisten",
            "tcp",
            "-ac",
        ]);
        let server = Running::start(server, &folder.join("display.log"));
        let (connection, at) = until("the display", Duration::from_secs(20), || {
            x11rb::connect(Some(&name)).map_err(|error| error.to_string())
        });
        let root = connection.setup().roots[at].root;
        Self {
            name,
            connection,
            root,
            moves: 0,
            server,
            _claim: claim,
        }
    }

    /// The mouse moves, as if by hand.
    #[track_caller]
    pub fn touch(&mut self) {
        self.moves = self.moves % 300 + 1;
        self.connection
            .xtest_fake_input(MOTION_NOTIFY_EVENT, 0, 0, self.root, self.moves, 10, 0)
            .unwrap()
            .check()
            .unwrap();
    }

    /// A window fills the screen, as a film does, and says whose it is. It goes with the answer.
    #[track_caller]
    pub fn film(&self, program: &str) -> Film<'_> {
        let window = self.connection.generate_id().unwrap();
        self.connection
            .create_window(
                x11rb::COPY_DEPTH_FROM_PARENT,
                window,
                self.root,
                0,
                0,
                WIDTH,
                HEIGHT,
                0,
                WindowClass::INPUT_OUTPUT,
                x11rb::COPY_FROM_PARENT,
                &CreateWindowAux::new(),
            )
            .unwrap();
        let atom = |name: &str| {
            let cookie = self.connection.intern_atom(false, name.as_bytes()).unwrap();
            cookie.reply().unwrap().atom
        };
        let (state, full, active) = (
            atom("_NET_WM_STATE"),
            atom("_NET_WM_STATE_FULLSCREEN"),
            atom("_NET_ACTIVE_WINDOW"),
        );
        let class = format!("{program}\0{program}\0");
        self.connection
            .change_property8(
                PropMode::REPLACE,
                window,
                AtomEnum::WM_CLASS,
                AtomEnum::STRING,
                class.as_bytes(),
            )
            .unwrap();
        self.connection
            .change_property32(PropMode::REPLACE, window, state, AtomEnum::ATOM, &[full])
            .unwrap();
        self.connection.map_window(window).unwrap();
        // What a window manager says of the window in front.
        self.connection
            .change_property32(
                PropMode::REPLACE,
                self.root,
                active,
                AtomEnum::WINDOW,
                &[window],
            )
            .unwrap();
        self.connection.sync().unwrap();
        Film {
            screen: self,
            window,
            active,
        }
    }
}

/// A server that is simply killed leaves its lock and its socket where all displays have theirs.
impl Drop for Screen {
    fn drop(&mut self) {
        self.server.end_in_order(Duration::from_secs(5));
    }
}

/// Takes a display's number among our tests: between two that look for a free one at once, neither server is up yet.
fn claim(number: u32) -> Option<UnixListener> {
    let name = format!("sublet-tests-display-{number}");
    let address = SocketAddr::from_abstract_name(name).unwrap();
    UnixListener::bind_addr(&address).ok()
}

/// A window that fills the screen.
pub struct Film<'a> {
    screen: &'a Screen,
    window: u32,
    active: u32,
}

impl Drop for Film<'_> {
    fn drop(&mut self) {
        let connection = &self.screen.connection;
        let _ = connection.delete_property(self.screen.root, self.active);
        let _ = connection.destroy_window(self.window);
        let _ = connection.sync();
    }
}
