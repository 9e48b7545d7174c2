//! The sources of Linux, on one thread.
//!
//! A blocked X server or bus can hold up this thread for no longer than its time limit, and never the daemon.

mod bus;
mod devices;
mod inhibitors;
mod input_event;
mod input_list;
mod logind;
mod logind_sessions;
mod screen_lock;
mod session_bus;
mod surroundings;
mod terminals;
mod wayland;
mod wayland_seats;
mod x11;
mod x11_display;
mod x11_reach;
mod xauthority;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::board::{Board, Post};
pub(super) use surroundings::Surroundings;

/// At rest everything that must be asked is asked so often.
const PULSE: Duration = Duration::from_secs(1);
/// A source that is not there is looked for again so often.
const LOOK_AGAIN: u64 = 15;
/// After input was heard, this long nothing more needs to be: a mouse speaks a thousand times a second.
const DEAF: Duration = Duration::from_millis(100);
/// No answer from a display or a bus takes longer than this.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Starts the thread. It ends once the other side of `ears` is gone.
pub(super) fn start(board: &Arc<Board>, surroundings: Surroundings, ears: watch::Receiver<bool>) {
    let posts = Posts::on(board);
    let devices = posts.devices.clone();
    let started = std::thread::Builder::new()
        .name("presence".into())
        .spawn(move || run(posts, surroundings, ears));
    if let Err(error) = started {
        devices.fails(format!(
            "The system gives no thread to watch with: {error}."
        ));
    }
}

/// A place on the board for each source, taken before anything runs: the board knows from the start who has yet to
/// look.
struct Posts {
    x11: Post,
    wayland: Post,
    session: session_bus::Posts,
    logind: Post,
    devices: Post,
    pads: Post,
    terminals: Post,
}

impl Posts {
    fn on(board: &Arc<Board>) -> Self {
        Self {
            x11: board.post("X11"),
            wayland: board.post("Wayland"),
            session: session_bus::Posts {
                mutter: board.post("GNOME"),
                lock: board.post("Screen lock"),
                inhibitors: board.post("Display kept on"),
            },
            logind: board.post("logind"),
            devices: board.post("Input devices"),
            pads: board.post("Gamepads"),
            terminals: board.post("Remote terminals"),
        }
    }
}

fn run(posts: Posts, surroundings: Surroundings, mut ears: watch::Receiver<bool>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            return posts
                .devices
                .fails(format!("No input can be watched: {error}."));
        }
    };
    let here = Arc::new(surroundings);
    let (beat, pulse) = watch::channel(0);
    let senses = Senses {
        pulse,
        ears: ears.clone(),
    };
    let tasks = tokio::task::LocalSet::new();
    let place = || (Arc::clone(&here), senses.clone());
    let (at, when) = place();
    tasks.spawn_local(x11::run(posts.x11, at, when));
    let (at, when) = place();
    tasks.spawn_local(wayland::run(posts.wayland, at, when));
    let (at, when) = place();
    tasks.spawn_local(session_bus::run(posts.session, at, when));
    let (at, when) = place();
    let (sessions, terminals) = (posts.logind, posts.terminals.clone());
    tasks.spawn_local(logind::run(sessions, terminals, at, when));
    let (at, when) = place();
    tasks.spawn_local(devices::run(posts.devices, posts.pads, at, when));
    let (at, when) = place();
    tasks.spawn_local(terminals::run(posts.terminals, at, when));
    tasks.spawn_local(beat_on(beat));
    tasks.block_on(&runtime, async { while ears.changed().await.is_ok() {} });
}

async fn beat_on(beat: watch::Sender<u64>) {
    let mut interval = tokio::time::interval(PULSE);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        beat.send_modify(|count| *count += 1);
    }
}

/// What tells a source when to look.
#[derive(Debug, Clone)]
struct Senses {
    pulse: watch::Receiver<u64>,
    ears: watch::Receiver<bool>,
}

impl Senses {
    /// The next beat, the same for every source, so that the thread wakes once for all.
    async fn beat(&mut self) -> u64 {
        match self.pulse.changed().await {
            Ok(()) => *self.pulse.borrow_and_update(),
            Err(_) => std::future::pending().await,
        }
    }

    /// So many beats later.
    async fn beats(&mut self, count: u64) {
        let end = *self.pulse.borrow() + count;
        while self.beat().await < end {}
    }

    fn listening(&self) -> bool {
        *self.ears.borrow()
    }
}

/// A while before now.
fn ago(idle: Duration) -> Instant {
    let now = Instant::now();
    now.checked_sub(idle).unwrap_or(now)
}
