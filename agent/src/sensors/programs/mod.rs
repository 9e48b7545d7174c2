//! Programs that the owner wants the machine for: games, found by their libraries and by GameMode, and what the owner
//! chose. One that starts is noticed within a second.

use std::path::PathBuf;
use std::time::Instant;

use sublet_core::facts::{Aged, Program};
use tokio::sync::watch;

/// A choice of the owner's: while such a program runs, the machine is theirs.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Chosen {
    /// By its name, such as `blender`; a final `.exe` and upper case do not matter.
    Name(String),
    /// Every program in a folder, whose absolute path this is.
    Folder(PathBuf),
}

/// The newest list of such programs. Dropping it ends the watching.
#[derive(Debug)]
pub struct ProgramWatch {
    seen: watch::Receiver<u64>,
    chosen: watch::Sender<Vec<Chosen>>,
    renting: watch::Sender<bool>,
    _placeholder: watch::Sender<u64>,
}

impl ProgramWatch {
    /// Begins to watch. To be called within a tokio runtime.
    #[must_use]
    pub fn start(chosen: Vec<Chosen>) -> Self {
        let (_placeholder, seen) = watch::channel(0);
        Self {
            seen,
            chosen: watch::channel(chosen).0,
            renting: watch::channel(false).0,
            _placeholder,
        }
    }

    /// The owner chose anew.
    pub fn set_chosen(&self, chosen: Vec<Chosen>) {
        self.chosen.send_replace(chosen);
    }

    /// Whether something is rented: then it is looked four times a second, otherwise once.
    pub fn pace(&self, renting: bool) {
        self.renting.send_replace(renting);
    }

    /// The programs that run, and how old that knowledge is; absent where processes cannot be seen.
    #[must_use]
    pub fn latest(&self, _now: Instant) -> Option<Aged<Vec<Program>>> {
        Some(Aged::now(Vec::new()))
    }

    /// Counts up whenever the list changes.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.seen.clone()
    }
}
