//! Cards that appear while the agent runs.

use crate::probe::{self, Adapter, ProbeError};
use crate::sensors::{Card, Snapshot};
use futures_util::FutureExt;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::task::JoinHandle;

type Look = JoinHandle<Result<Vec<Adapter>, ProbeError>>;

/// Notices them, and finds what can be computed on with them.
#[derive(Debug)]
pub struct Newcomers {
    graphics: PathBuf,
    /// By their identifiers: a card is new once.
    seen: BTreeSet<String>,
    looking: Option<Look>,
}

impl Newcomers {
    /// Those beside the cards that are known already. `graphics` is the program that lists adapters.
    pub fn beside(graphics: &Path, cards: &[Arc<Card>]) -> Self {
        Self {
            graphics: graphics.to_owned(),
            seen: cards.iter().map(|card| card.uuid.clone()).collect(),
            looking: None,
        }
    }

    /// The adapters of this machine, once for each time that a reading showed a new card: they are listed anew by a
    /// child process, which takes a while.
    pub fn look(&mut self, readings: &Snapshot) -> Option<Result<Vec<Adapter>, ProbeError>> {
        let before = self.seen.len();
        let cards = readings.gpus.iter().map(|reading| &reading.gpu.uuid);
        self.seen.extend(cards.cloned());
        if self.seen.len() > before {
            let graphics = self.graphics.clone();
            let look = async move { probe::run(&graphics, probe::TIMEOUT).await };
            if let Some(overtaken) = self.looking.replace(tokio::spawn(look)) {
                overtaken.abort();
            }
        }
        let listed = self.looking.as_mut()?.now_or_never()?;
        self.looking = None;
        listed.ok()
    }
}
