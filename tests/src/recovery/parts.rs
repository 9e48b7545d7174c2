//! Who can be struck, and how.

use super::moments::At;
use std::fmt;

/// A program that names its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// `sublet run`
    Agent,
    /// `sublet-market serve`
    Market,
}

/// One that can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    /// The agent.
    Agent,
    /// The marketplace.
    Market,
    /// The Docker daemon, where the scene has one of its own.
    Docker,
}

/// What happens while a program stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// These are killed (-9), all at once.
    Kill(&'static [Victim]),
    /// The disk of that program is full from now on, for a while.
    FillDisk(Program),
}

/// One blow at one moment.
#[derive(Debug, Clone)]
pub struct Case {
    /// Who stands still.
    pub who: Program,
    /// Where.
    pub at: At,
    /// What happens there.
    pub blow: Blow,
    /// How long who was killed stays away, in ms.
    pub away_ms: u64,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            who,
            at,
            blow,
            away_ms,
        } = self;
        write!(
            f,
            "{who:?} at {} for the {}. time: {blow:?}, back after {away_ms} ms",
            at.step, at.nth
        )
    }
}
