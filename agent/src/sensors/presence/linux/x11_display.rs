//! One connection to an X server, and the questions it is asked. No answer takes longer than
//! [`ANSWER_WITHIN`](super::ANSWER_WITHIN).

use std::io::{self, ErrorKind, IoSlice};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sublet_core::facts::{Watching, WatchingHow};
use x11rb::connection::{Connection as _, RequestConnection as _};
use x11rb::errors::{ConnectError, ReplyError};
use x11rb::protocol::dpms::{self, ConnectionExt as _};
use x11rb::protocol::screensaver::{self, ConnectionExt as _};
use x11rb::protocol::xinput::{self, ConnectionExt as _, EventMask, XIEventMask};
use x11rb::protocol::xproto::{Atom, AtomEnum, ConnectionExt as _, Window};
use x11rb::rust_connection::{DefaultStream, PollMode, RustConnection, Stream};
use x11rb::utils::RawFdContainer;

use super::x11::Seen;
use super::x11_reach::Reach;
use super::{ANSWER_WITHIN, Surroundings, xauthority};

/// A display that answers.
pub(super) struct Display {
    pub connection: RustConnection<Bounded>,
    /// As people write it, such as `:0`.
    pub name: String,
    pub reach: Reach,
    root: Window,
    power: bool,
    /// Raw input can be asked for.
    input: bool,
    atoms: Atoms,
}

/// Why there is none. Whole sentences.
#[derive(Debug)]
pub(super) enum NoDisplay {
    None(String),
    Refused(String),
}

struct Atoms {
    active_window: Atom,
    state: Atom,
    full_screen: Atom,
}

impl Display {
    /// The display that this process was given while it is there; else the first on this machine that lets it in.
    pub fn open(here: &Surroundings) -> Result<Self, NoDisplay> {
        let given = here.display.as_deref();
        let ours = given.and_then(local);
        let mut refused = None;
        for number in numbers(here, ours) {
            let socket = here.x11_sockets.join(format!("X{number}"));
            match connect(&socket, number, here) {
                Ok(display) => return Ok(display),
                // A socket that nobody listens on is what a crashed server left behind.
                Err(why) if gone(&*why) => {}
                Err(why) => {
                    refused.get_or_insert(format!("Display :{number} cannot be used: {why}."));
                    // Somebody may sit at ours, whatever happens on another.
                    if Some(number) == ours {
                        break;
                    }
                }
            }
        }
        Err(match refused {
            Some(why) => NoDisplay::Refused(why),
            None if given.is_some() && ours.is_none() => {
                NoDisplay::None("The display of this session is on another machine.".into())
            }
            None => NoDisplay::None("No X server runs here.".into()),
        })
    }

    /// The socket, to wait on.
    pub fn socket(&self) -> io::Result<UnixStream> {
        self.connection.stream().socket.try_clone()
    }

    /// Whether touches are told as they happen.
    pub fn select_input(&self, on: bool) -> Result<(), ReplyError> {
        if !self.input {
            return Ok(());
        }
        let all = XIEventMask::RAW_KEY_PRESS
            | XIEventMask::RAW_BUTTON_PRESS
            | XIEventMask::RAW_MOTION
            | XIEventMask::RAW_TOUCH_BEGIN
            | XIEventMask::RAW_TOUCH_UPDATE;
        let mask = EventMask {
            deviceid: xinput::Device::ALL.into(),
            mask: vec![if on { all } else { XIEventMask::from(0u32) }],
        };
        self.connection
            .xinput_xi_select_events(self.root, &[mask])?
            .check()
    }

    pub fn look(&self) -> Result<Seen, ReplyError> {
        let c = &self.connection;
        // Asked together, so that there is one wait.
        let idle = c.screensaver_query_info(self.root)?;
        let power = self.power.then(|| c.dpms_info()).transpose()?;
        let active = c.get_property(
            false,
            self.root,
            self.atoms.active_window,
            AtomEnum::WINDOW,
            0,
            1,
        )?;
        let idle = idle.reply()?;
        let power = power.map(|cookie| cookie.reply()).transpose()?;
        let active = active.reply()?;
        let window = active.value32().and_then(|mut windows| windows.next());
        Ok(Seen {
            idle: Duration::from_millis(idle.ms_since_user_input.into()),
            off: power.map(|power| power.state && power.power_level != dpms::DPMSMode::ON),
            full_screen: match window.filter(|window| *window != x11rb::NONE) {
                Some(window) => self.full_screen(window)?,
                None => None,
            },
        })
    }

    /// The program of this window, if it fills the screen. A window that has just closed is no error.
    fn full_screen(&self, window: Window) -> Result<Option<Watching>, ReplyError> {
        let c = &self.connection;
        let state = c.get_property(false, window, self.atoms.state, AtomEnum::ATOM, 0, 64)?;
        let class = c.get_property(false, window, AtomEnum::WM_CLASS, AtomEnum::STRING, 0, 256)?;
        let (state, class) = match (state.reply(), class.reply()) {
            (Ok(state), Ok(class)) => (state, class),
            (Err(ReplyError::X11Error(_)), _) | (_, Err(ReplyError::X11Error(_))) => {
                return Ok(None);
            }
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        let mut states = state.value32().into_iter().flatten();
        let fills = states.any(|atom| atom == self.atoms.full_screen);
        Ok(fills.then(|| Watching {
            program: program(&class.value),
            how: WatchingHow::FullScreen,
        }))
    }
}

/// Of a class property (an instance's name, a class's name, each ended by a zero) the class.
fn program(class: &[u8]) -> String {
    let mut names = class
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty());
    let first = names.next();
    let name = names.next().or(first);
    name.map_or_else(
        || "A program".into(),
        |name| String::from_utf8_lossy(name).into_owned(),
    )
}

/// The given display first, then every socket there is.
fn numbers(here: &Surroundings, given: Option<u32>) -> Vec<u32> {
    let mut others: Vec<u32> = std::fs::read_dir(&here.x11_sockets)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_prefix('X')?.parse().ok())
        .filter(|number| Some(*number) != given)
        .collect();
    others.sort_unstable();
    given.into_iter().chain(others).collect()
}

/// The number of a display on this machine: `:0`, `:0.1`, `unix:0`.
fn local(name: &str) -> Option<u32> {
    let (host, number) = name.rsplit_once(':')?;
    let number = number.split('.').next()?;
    matches!(host, "" | "unix").then(|| number.parse().ok())?
}

type Problem = Box<dyn std::error::Error>;

fn gone(why: &(dyn std::error::Error + 'static)) -> bool {
    why.downcast_ref::<io::Error>().is_some_and(|error| {
        matches!(
            error.kind(),
            ErrorKind::ConnectionRefused | ErrorKind::NotFound
        )
    })
}

fn connect(socket: &PathBuf, number: u32, here: &Surroundings) -> Result<Display, Problem> {
    let given = here.display.as_deref().and_then(local) == Some(number);
    let mut keys = xauthority::keys(&here.x11_keys, number);
    // Servers that know their users otherwise want none.
    keys.push((Vec::new(), Vec::new()));
    let mut refused: Option<Problem> = None;
    for (method, key) in keys {
        let stream = Bounded::connect(socket)?;
        match RustConnection::connect_to_stream_with_auth_info(stream, 0, method, key) {
            Ok(connection) => return Display::on(connection, number, given),
            Err(ConnectError::SetupFailed(failed)) => {
                let why = String::from_utf8_lossy(&failed.reason).trim().to_owned();
                refused = Some(format!("it refuses this user ({why})").into());
            }
            Err(other) => return Err(other.into()),
        }
    }
    Err(refused.unwrap_or_else(|| "it refuses this user".into()))
}

impl Display {
    fn on(connection: RustConnection<Bounded>, number: u32, given: bool) -> Result<Self, Problem> {
        let c = &connection;
        let root = c.setup().roots.first().ok_or("it has no screen")?.root;
        let has = |name| -> Result<bool, Problem> { Ok(c.extension_information(name)?.is_some()) };
        if !has(screensaver::X11_EXTENSION_NAME)? {
            return Err("it does not tell idle time (it lacks MIT-SCREEN-SAVER)".into());
        }
        c.screensaver_query_version(1, 1)?.reply()?;
        let power = has(dpms::X11_EXTENSION_NAME)? && c.dpms_capable()?.reply()?.capable;
        let input = has(xinput::X11_EXTENSION_NAME)? && {
            let version = c.xinput_xi_query_version(2, 2)?.reply()?;
            (version.major_version, version.minor_version) >= (2, 1)
        };
        let reach = Reach::of(c, root, given)?;
        let atom = |name: &str| c.intern_atom(false, name.as_bytes());
        let asked = [
            atom("_NET_ACTIVE_WINDOW")?,
            atom("_NET_WM_STATE")?,
            atom("_NET_WM_STATE_FULLSCREEN")?,
        ];
        let [active_window, state, full_screen] = asked.map(|cookie| cookie.reply());
        let atoms = Atoms {
            active_window: active_window?.atom,
            state: state?.atom,
            full_screen: full_screen?.atom,
        };
        Ok(Self {
            name: format!(":{number}"),
            reach,
            root,
            power,
            input,
            atoms,
            connection,
        })
    }
}

/// A stream on which no wait is endless.
pub(super) struct Bounded {
    stream: DefaultStream,
    socket: UnixStream,
}

impl Bounded {
    fn connect(path: &PathBuf) -> io::Result<Self> {
        let socket = UnixStream::connect(path)?;
        let (stream, _) = DefaultStream::from_unix_stream(socket.try_clone()?)?;
        Ok(Self { stream, socket })
    }
}

impl Stream for Bounded {
    fn poll(&self, mode: PollMode) -> io::Result<()> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, mode.readable());
        flags.set(PollFlags::OUT, mode.writable());
        let limit = Timespec::try_from(ANSWER_WITHIN).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&self.socket, flags)], Some(&limit)) {
            Ok(0) => Err(ErrorKind::TimedOut.into()),
            // A signal: whoever asks looks and polls again.
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn read(&self, buffer: &mut [u8], fds: &mut Vec<RawFdContainer>) -> io::Result<usize> {
        self.stream.read(buffer, fds)
    }

    fn write(&self, buffer: &[u8], fds: &mut Vec<RawFdContainer>) -> io::Result<usize> {
        self.stream.write(buffer, fds)
    }

    fn write_vectored(
        &self,
        buffers: &[IoSlice<'_>],
        fds: &mut Vec<RawFdContainer>,
    ) -> io::Result<usize> {
        self.stream.write_vectored(buffers, fds)
    }
}
