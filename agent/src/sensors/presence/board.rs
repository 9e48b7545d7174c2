//! What every source saw last. Sources write it, the daemon reads it; nobody waits for anybody.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sublet_core::facts::{InputKind, Watching};
use tokio::sync::watch;

/// Two readings of one touch differ by less than this: sources tell idle time in ms of their own clocks.
const SAME_TOUCH: Duration = Duration::from_millis(100);

/// One source, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceView {
    /// What it is called.
    pub name: &'static str,
    /// Whether it helps.
    pub state: SourceState,
    /// Somebody at this machine's own keyboard, mouse or screen could not be missed by it.
    pub covers_desk: bool,
    /// Whether it shows a place to sit at; absent where it does not look for one.
    pub seat: Option<bool>,
}

/// How a source stands. Texts are whole sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceState {
    /// It has not answered yet.
    Looking,
    /// This machine does not have it, and why that is known.
    NotHere(String),
    /// It works, and what it sees.
    Works(String),
    /// It is there and cannot be used, and why.
    Fails(String),
}

/// What one source saw last.
#[derive(Debug, Clone)]
pub(super) struct Sight {
    pub name: &'static str,
    pub state: SourceState,
    pub touch: Option<TouchSeen>,
    pub session: Option<SessionSeen>,
    pub watching: Option<WatchingSeen>,
    pub seat: Option<SeatSeen>,
}

/// The last input that a source knows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TouchSeen {
    pub read_at: Instant,
    /// When it was; where only a bound is known, not later than this.
    pub last: Instant,
    pub by: InputKind,
    /// Whether input at the desk cannot pass this source by. Others only make the picture fresher.
    pub covers_desk: bool,
}

/// What a source knows of the session; absent what it cannot tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SessionSeen {
    pub read_at: Instant,
    pub locked: Option<bool>,
    pub remote: Option<bool>,
    pub display_off: Option<bool>,
}

impl SessionSeen {
    #[cfg(any(target_os = "linux", test))]
    pub fn nothing(read_at: Instant) -> Self {
        Self {
            read_at,
            locked: None,
            remote: None,
            display_off: None,
        }
    }
}

/// What is watched, as far as one source can see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WatchingSeen {
    pub read_at: Instant,
    pub what: Vec<Watching>,
}

/// Whether there is a place to sit at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SeatSeen {
    pub read_at: Instant,
    /// Something to sit at: an input device, a display, a graphical session.
    pub there: bool,
}

impl Sight {
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            state: SourceState::Looking,
            touch: None,
            session: None,
            watching: None,
            seat: None,
        }
    }

    pub fn view(&self) -> SourceView {
        SourceView {
            name: self.name,
            state: self.state.clone(),
            covers_desk: self.touch.is_some_and(|touch| touch.covers_desk),
            seat: self.seat.map(|seat| seat.there),
        }
    }
}

/// Where all sources write.
#[derive(Debug)]
pub(super) struct Board {
    sights: Mutex<Vec<Sight>>,
    touched: watch::Sender<u64>,
    listening: AtomicBool,
}

impl Board {
    pub fn new() -> Self {
        Self {
            sights: Mutex::new(Vec::new()),
            touched: watch::channel(0).0,
            listening: AtomicBool::new(false),
        }
    }

    /// A place for one more source.
    pub fn post(self: &Arc<Self>, name: &'static str) -> Post {
        let mut sights = self.lock();
        sights.push(Sight::new(name));
        Post {
            board: Arc::clone(self),
            index: sights.len() - 1,
        }
    }

    pub fn sights(&self) -> Vec<Sight> {
        self.lock().clone()
    }

    pub fn touched(&self) -> watch::Receiver<u64> {
        self.touched.subscribe()
    }

    pub fn listen(&self, on: bool) {
        self.listening.store(on, Ordering::Relaxed);
    }

    /// A source that crashed half-way through a line has still left whole values.
    fn lock(&self) -> MutexGuard<'_, Vec<Sight>> {
        self.sights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One source's place on the board.
#[derive(Debug, Clone)]
pub(super) struct Post {
    board: Arc<Board>,
    index: usize,
}

impl Post {
    /// It answers, and sees this.
    pub fn works(&self, sees: impl Into<String>) {
        let sees = SourceState::Works(sees.into());
        self.change(|sight| sight.state = sees);
    }

    /// It is there and does not answer: what it told grows old.
    pub fn fails(&self, why: impl Into<String>) {
        let why = SourceState::Fails(why.into());
        self.change(|sight| sight.state = why);
    }

    /// It is not there, or has gone. What it told of sessions and films is over; that somebody touched something
    /// stays true.
    #[cfg(target_os = "linux")]
    pub fn not_here(&self, why: impl Into<String>) {
        let why = SourceState::NotHere(why.into());
        self.change(|sight| {
            sight.state = why;
            sight.session = None;
            sight.watching = None;
            sight.seat = None;
        });
    }

    /// The last input, as just read. While listening, one that is new is told at once.
    pub fn touch(&self, last: Instant, by: InputKind, covers_desk: bool) {
        let read_at = Instant::now();
        let new = self.change(|sight| {
            let before = sight.touch.map(|touch| touch.last);
            // Never back: a source may have heard of a touch before it can tell its time.
            let newest = match before {
                Some(before) if last < before + SAME_TOUCH => before,
                _ => last,
            };
            sight.touch = Some(TouchSeen {
                read_at,
                last: newest,
                by,
                covers_desk,
            });
            before.is_some_and(|before| newest > before)
        });
        if new {
            self.tell();
        }
    }

    /// Input, this very moment.
    pub fn heard(&self, by: InputKind) {
        let now = Instant::now();
        self.change(|sight| {
            let covers_desk = sight.touch.is_some_and(|touch| touch.covers_desk);
            sight.touch = Some(TouchSeen {
                read_at: now,
                last: now,
                by,
                covers_desk,
            });
        });
        self.tell();
    }

    pub fn session(&self, seen: SessionSeen) {
        self.change(|sight| sight.session = Some(seen));
    }

    pub fn watching(&self, what: Vec<Watching>) {
        let seen = WatchingSeen {
            read_at: Instant::now(),
            what,
        };
        self.change(|sight| sight.watching = Some(seen));
    }

    pub fn seat(&self, there: bool) {
        let seen = SeatSeen {
            read_at: Instant::now(),
            there,
        };
        self.change(|sight| sight.seat = Some(seen));
    }

    fn tell(&self) {
        if self.board.listening.load(Ordering::Relaxed) {
            self.board
                .touched
                .send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    fn change<R>(&self, how: impl FnOnce(&mut Sight) -> R) -> R {
        how(&mut self.board.lock()[self.index])
    }
}
