//! The sources of Windows, on one thread with a window that nobody sees.
//!
//! At rest Windows is asked once a second when it last had input, and one report of each gamepad is read; while
//! listening every keyboard, mouse, screen and gamepad is heard as raw input.
#![expect(
    unsafe_code,
    reason = "Windows has no safe interface for any of this; each call stands with what makes it sound"
)]

mod desktop;
mod gamepad;
mod raw_input;
#[cfg(test)]
mod tests;
mod window;

use std::sync::Arc;
use std::time::{Duration, Instant};

use sublet_core::facts::InputKind;
use tokio::sync::watch;

use super::board::{Board, Post, SessionSeen};
use raw_input::{Heard, RawInput};
pub(super) use window::Ringer;
use window::Window;

/// Everything that must be asked is asked so often.
const PULSE: Duration = Duration::from_secs(1);
/// After input was heard, this long nothing more needs to be.
const DEAF: Duration = Duration::from_millis(100);
/// What changes seldom is asked once in so many beats.
const SELDOM: u64 = 5;

/// Starts the thread. It ends once the other side of `ears` is gone and it is rung.
pub(super) fn start(board: &Arc<Board>, ears: watch::Receiver<bool>) -> Option<Ringer> {
    let posts = Posts {
        input: board.post("Windows input"),
        pads: board.post("Gamepads"),
        session: board.post("Windows session"),
        watching: board.post("Display kept on"),
    };
    let input = posts.input.clone();
    let (rung, ringer) = std::sync::mpsc::channel();
    let started = std::thread::Builder::new()
        .name("presence".into())
        .spawn(move || match Window::open() {
            Ok(window) => {
                // Nobody may be waiting any more.
                let _ = rung.send(window.ringer());
                run(&window, &posts, &ears);
            }
            Err(error) => posts
                .input
                .fails(format!("Windows gives no window to listen with: {error}.")),
        });
    match started {
        Ok(_) => ringer.recv().ok(),
        Err(error) => {
            input.fails(format!("Windows gives no thread to watch with: {error}."));
            None
        }
    }
}

struct Posts {
    input: Post,
    pads: Post,
    session: Post,
    watching: Post,
}

fn run(window: &Window, posts: &Posts, ears: &watch::Receiver<bool>) {
    let mut raw = RawInput::new(window);
    let mut beats = 0u64;
    let mut next = Instant::now();
    let mut deaf_until: Option<Instant> = None;
    // The sender is dropped with the watch.
    while ears.has_changed().is_ok() {
        let listening = *ears.borrow();
        let now = Instant::now();
        deaf_until = deaf_until.filter(|end| *end > now);
        if now >= next {
            look(posts, beats);
            beats += 1;
            next = now + PULSE;
            if !listening {
                // One report of each gamepad in a second, not its every tremble.
                raw.wish(Wish::Pads);
            }
        }
        if listening {
            raw.wish(if deaf_until.is_some() {
                Wish::Nothing
            } else {
                Wish::Everything
            });
        } else if raw.wish == Wish::Everything {
            raw.wish(Wish::Nothing);
        }
        let wake = deaf_until.map_or(next, |end| end.min(next));
        for heard in window.wait(wake.saturating_duration_since(Instant::now()), &mut raw) {
            match (heard, listening) {
                (Heard::Desk, true) => posts.input.heard(desktop::hands()),
                (Heard::PadMoved, true) => posts.pads.heard(InputKind::Gamepad),
                (Heard::PadMoved, false) => {
                    posts.pads.touch(Instant::now(), InputKind::Gamepad, false);
                    raw.wish(Wish::Nothing);
                }
                (Heard::PadStill, false) => raw.wish(Wish::Nothing),
                (Heard::PadStill, true) | (Heard::Desk, false) => {}
            }
            if listening && heard != Heard::PadStill {
                deaf_until = Some(Instant::now() + DEAF);
            }
        }
    }
    raw.wish(Wish::Nothing);
}

/// What is to be told as it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Nothing,
    Pads,
    Everything,
}

fn look(posts: &Posts, beats: u64) {
    match desktop::last_input() {
        Ok(idle) => {
            let now = Instant::now();
            let last = now.checked_sub(idle).unwrap_or(now);
            let covers_desk = desktop::is_on_this_screen();
            posts.input.seat(true);
            posts.input.touch(last, desktop::hands(), covers_desk);
            let mut said = format!("Last input {} s ago.", idle.as_secs());
            if !covers_desk {
                said.push_str(
                    " The screen shows another session, so what is done there is not known.",
                );
            }
            posts.input.works(said);
        }
        Err(why) => posts.input.fails(why),
    }
    posts
        .pads
        .works("Gamepads and wheels are heard once they are connected.");
    if beats.is_multiple_of(SELDOM) {
        let session = SessionSeen {
            read_at: Instant::now(),
            locked: desktop::locked(),
            remote: Some(desktop::hands() == InputKind::Remote),
            display_off: window::display_off(),
        };
        posts.session.session(session);
        posts.session.works(match session.locked {
            Some(true) => "The screen is locked.",
            Some(false) => "The screen is not locked.",
            None => "Windows does not tell whether the screen is locked.",
        });
    }
    let watching = desktop::watching();
    posts.watching.works(match watching.first() {
        Some(film) => format!("{} is shown.", film.program),
        None => "No program fills the screen or keeps the display on.".into(),
    });
    posts.watching.watching(watching);
}
