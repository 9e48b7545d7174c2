//! Whether somebody sits at this machine, from every source that this system has.
//!
//! Each source is a file that knows one piece of the outside; [`merge`] makes one picture of what they see. On Linux
//! all of them live on one thread, which wakes once a second at rest; while something is rented input is heard as it
//! happens.

mod board;
mod merge;
mod sticks;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(windows)]
mod windows;

use std::sync::Arc;
use std::time::Instant;

use sublet_core::facts::OwnerFacts;
use tokio::sync::watch;

use board::Board;
pub use board::{SourceState, SourceView};

#[cfg(all(test, target_os = "linux"))]
mod tests;

/// Watches over the owner's presence. Dropping it ends its threads.
#[derive(Debug)]
pub struct PresenceWatch {
    board: Arc<Board>,
    listening: watch::Sender<bool>,
    /// After `listening`: its thread is woken to find that gone.
    #[cfg(windows)]
    ringer: Option<windows::Ringer>,
}

impl PresenceWatch {
    /// Looks for sources, now and from time to time again: a desktop may begin after the agent. Never fails;
    /// [`PresenceWatch::sources`] tells what came of it.
    #[must_use]
    pub fn start() -> Self {
        #[cfg(target_os = "linux")]
        return Self::start_in(linux::Surroundings::of_this_process());
        #[cfg(windows)]
        return Self::start_on_windows();
    }

    #[cfg(target_os = "linux")]
    fn start_in(surroundings: linux::Surroundings) -> Self {
        let board = Arc::new(Board::new());
        let (listening, ears) = watch::channel(false);
        linux::start(&board, surroundings, ears);
        Self { board, listening }
    }

    #[cfg(windows)]
    fn start_on_windows() -> Self {
        let board = Arc::new(Board::new());
        let (listening, ears) = watch::channel(false);
        Self {
            listening,
            ringer: windows::start(&board, ears),
            board,
        }
    }

    /// Everything that is known of the owner. What no source can tell is absent; what none tells any more grows old.
    #[must_use]
    pub fn latest(&self, now: Instant) -> OwnerFacts {
        merge::merge(&self.board.sights(), now)
    }

    /// Whether input must be heard within milliseconds (while something is rented), or a look once a second is
    /// enough.
    pub fn listen(&self, on: bool) {
        self.board.listen(on);
        self.listening
            .send_if_modified(|was| std::mem::replace(was, on) != on);
        #[cfg(windows)]
        if let Some(ringer) = &self.ringer {
            ringer.ring();
        }
    }

    /// A number that changes the moment input is noticed while listening.
    #[must_use]
    pub fn touched(&self) -> watch::Receiver<u64> {
        self.board.touched()
    }

    /// Every source, and what it sees, for people.
    #[must_use]
    pub fn sources(&self) -> Vec<SourceView> {
        self.board.sights().iter().map(board::Sight::view).collect()
    }
}
