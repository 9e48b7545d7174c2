//! One upload of a kind at a time: the newest one. A connection that nobody is left at must not hold up whoever comes
//! back, so the older one is told to end, and the newer one waits until it did.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

/// Who writes to which file.
#[derive(Debug, Default)]
pub(super) struct Turns(Arc<Mutex<HashMap<PathBuf, Newest>>>);

#[derive(Debug, Clone)]
struct Newest {
    gate: Arc<tokio::sync::Mutex<()>>,
    over: CancellationToken,
    waiting: usize,
}

/// The right to write, until it is dropped.
pub(super) struct Turn {
    turns: Arc<Mutex<HashMap<PathBuf, Newest>>>,
    file: PathBuf,
    over: CancellationToken,
    _gate: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits for its turn; none where an even newer one came meanwhile.
    pub(super) async fn begin(&self, file: &Path) -> Option<Turn> {
        let (gate, mut turn) = {
            let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let newest = files.entry(file.to_owned()).or_insert_with(|| Newest {
                gate: Arc::default(),
                over: CancellationToken::new(),
                waiting: 0,
            });
            newest.over.cancel();
            newest.over = CancellationToken::new();
            newest.waiting += 1;
            let turn = Turn {
                turns: self.0.clone(),
                file: file.to_owned(),
                over: newest.over.clone(),
                _gate: None,
            };
            (newest.gate.clone(), turn)
        };
        let held = tokio::select! {
            held = gate.lock_owned() => held,
            () = turn.over.cancelled() => return None,
        };
        turn._gate = Some(held);
        Some(turn)
    }
}

impl Turn {
    /// Returns once a newer upload wants its turn.
    pub(super) async fn is_over(&self) {
        self.over.cancelled().await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut files = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(newest) = files.get_mut(&self.file) {
            newest.waiting -= 1;
            if newest.waiting == 0 {
                files.remove(&self.file);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_newest_has_the_turn_and_nothing_is_left_behind() {
        let turns = Turns::default();
        let file = Path::new("a");
        let first = turns.begin(file).await.unwrap();
        let ended = async {
            first.is_over().await;
            drop(first);
        };
        let (second, ()) = tokio::join!(turns.begin(file), ended);
        drop(second.unwrap());
        assert!(turns.0.lock().unwrap().is_empty());
    }
}
