//! A Wayland compositor: it tells when input ends and when it begins again. Nothing is polled.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use sublet_core::facts::InputKind;
use tokio::time::timeout;
use wayland_client::backend::WaylandError;
use wayland_client::{Connection, EventQueue};

use super::wayland_seats::{IDLE_AFTER, Seats};
use super::x11::arrived;
use super::{ANSWER_WITHIN, LOOK_AGAIN, Senses, Surroundings};
use crate::sensors::presence::board::Post;

pub(super) async fn run(post: Post, here: Arc<Surroundings>, mut senses: Senses) {
    loop {
        match Compositor::open(&here).await {
            Ok(mut compositor) => {
                let why = compositor.follow(&post, &mut senses).await;
                post.fails(format!("The compositor does not answer: {why}."));
                senses.beats(1).await;
                continue;
            }
            Err(NoCompositor::None) => {
                post.not_here("No Wayland compositor runs here for this user.")
            }
            Err(NoCompositor::Useless(why)) => {
                post.seat(true);
                post.fails(why);
            }
        }
        senses.beats(LOOK_AGAIN).await;
    }
}

enum NoCompositor {
    None,
    Useless(String),
}

type Problem = Box<dyn std::error::Error>;

struct Compositor {
    name: String,
    socket: tokio::net::UnixStream,
    queue: EventQueue<Seats>,
    seats: Seats,
    /// Without it nothing is heard.
    _connection: Connection,
}

impl Compositor {
    /// The display that this process was given, or else any of this user's.
    async fn open(here: &Surroundings) -> Result<Self, NoCompositor> {
        let mut useless = None;
        for path in sockets(here) {
            // A socket that nobody listens on is what a crashed compositor left behind.
            let Ok(stream) = UnixStream::connect(&path) else {
                continue;
            };
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let opened = timeout(ANSWER_WITHIN * 2, Self::on(stream, name.to_string())).await;
            let why = match opened {
                Ok(Ok(found)) if found.seats.can_tell() => return Ok(found),
                Ok(Ok(_)) => "it has no protocol that tells idle time".into(),
                Ok(Err(why)) => why.to_string(),
                Err(_) => "it does not answer".into(),
            };
            useless.get_or_insert(format!("The compositor at {name} cannot be used: {why}."));
        }
        Err(useless.map_or(NoCompositor::None, NoCompositor::Useless))
    }

    async fn on(stream: UnixStream, name: String) -> Result<Self, Problem> {
        let waiting = stream.try_clone()?;
        waiting.set_nonblocking(true)?;
        let connection = Connection::from_socket(stream)?;
        let queue = connection.new_event_queue();
        let handle = queue.handle();
        connection.display().get_registry(&handle, ());
        connection.display().sync(&handle, ());
        let mut this = Self {
            name,
            socket: tokio::net::UnixStream::from_std(waiting)?,
            queue,
            seats: Seats::default(),
            _connection: connection,
        };
        while !this.seats.complete {
            this.turn().await?;
        }
        this.seats.watch(&handle);
        this.queue.flush().or_else(later)?;
        Ok(this)
    }

    /// Until something was told, or could have been.
    async fn turn(&mut self) -> Result<(), Problem> {
        self.queue.flush().or_else(later)?;
        if self.queue.dispatch_pending(&mut self.seats)? > 0 {
            return Ok(());
        }
        let Some(reading) = self.queue.prepare_read() else {
            return Ok(());
        };
        self.socket.readable().await?;
        match reading.read() {
            Ok(_) => {
                self.queue.dispatch_pending(&mut self.seats)?;
                Ok(())
            }
            Err(error) => {
                arrived(&self.socket);
                later(error).map_err(Into::into)
            }
        }
    }

    /// Until it fails; why it did.
    async fn follow(&mut self, post: &Post, senses: &mut Senses) -> String {
        loop {
            if std::mem::take(&mut self.seats.resumed) {
                post.heard(InputKind::Desk);
            }
            let turned = tokio::select! {
                _ = senses.pulse.changed() => {
                    self.report(post);
                    Ok(())
                }
                turned = self.turn() => turned,
            };
            if let Err(why) = turned {
                return why.to_string();
            }
        }
    }

    fn report(&self, post: &Post) {
        let last = self.seats.last_input().unwrap_or_else(Instant::now);
        post.seat(true);
        post.touch(last, InputKind::Desk, true);
        let told = match self.seats.last_input() {
            Some(last) => format!("last input {} s ago", last.elapsed().as_secs()),
            None if self.seats.heeds_inhibitors => format!(
                "input within the last {} s, or a program keeps the display on",
                IDLE_AFTER.as_secs()
            ),
            None => format!("input within the last {} s", IDLE_AFTER.as_secs()),
        };
        post.works(format!("Compositor {}: {told}.", self.name));
    }
}

/// What is full now is sent, and what is not there yet is read, the next time.
fn later(error: WaylandError) -> Result<(), WaylandError> {
    match error {
        WaylandError::Io(io) if io.kind() == std::io::ErrorKind::WouldBlock => Ok(()),
        other => Err(other),
    }
}

fn sockets(here: &Surroundings) -> Vec<PathBuf> {
    let given = here.wayland_display.as_deref().map(Path::new);
    let given = given.map(|name| match &here.runtime {
        Some(runtime) => runtime.join(name),
        None => name.to_owned(),
    });
    let is_socket = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_prefix("wayland-"));
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    let folder = here.runtime.iter().flat_map(std::fs::read_dir);
    let mut others: Vec<PathBuf> = folder
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| is_socket(path) && Some(path) != given.as_ref())
        .collect();
    others.sort_unstable();
    given.into_iter().chain(others).collect()
}
