//! The last readings of a GPU's warmth, and where it will be in a moment.

/// How long readings are kept, in ms.
const KEPT_MS: u64 = 8_000;
/// How far ahead is looked, in ms: a reading is up to a second old, it is looked at once a second, and what is then
/// done shows a little later.
const AHEAD_MS: i64 = 3_000;
/// The most that looking ahead may add, in °C. A core leaps by ten degrees when work begins and stays there; only
/// close to the target is such a leap worth a guess.
const MOST_AHEAD_C: i64 = 5;

/// Readings of the last seconds, the oldest first: when, in ms of the monotonic clock, and °C.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Track(Vec<(u64, i32)>);

impl Track {
    /// Takes a reading in; one that was taken in already changes nothing.
    pub fn add(&mut self, at_ms: u64, celsius: i32) {
        if self.0.last().is_some_and(|(last, _)| *last >= at_ms) {
            return;
        }
        self.0.push((at_ms, celsius));
        self.0.retain(|(then, _)| at_ms - then <= KEPT_MS);
    }

    /// The last reading.
    pub fn latest_c(&self) -> Option<i32> {
        self.0.last().map(|(_, celsius)| *celsius)
    }

    /// Where it will be in a moment, in °C, if it goes on rising as it certainly did: sensors tell whole degrees, so
    /// one degree of every difference may be none. A card that heats towards a balance, with a time constant of 20 s
    /// or more, is never foretold above that balance by more than its sensor rounds.
    pub fn ahead_c(&self, warmth: i32) -> i32 {
        let Some((latest_ms, latest)) = self.0.last().copied() else {
            return warmth;
        };
        let rises = self.0.iter().filter(|(then, _)| *then < latest_ms);
        let rise = rises
            .map(|(then, celsius)| {
                let sure = i64::from(latest - celsius - 1).max(0);
                sure * AHEAD_MS / i64::try_from(latest_ms - then).unwrap_or(i64::MAX)
            })
            .max();
        let rise = rise.unwrap_or(0).min(MOST_AHEAD_C);
        warmth + i32::try_from(rise).unwrap_or(0)
    }

    /// Whether it is cooler than at some time in the last seconds, and not rising again.
    pub fn falls(&self) -> bool {
        let Some(latest) = self.latest_c() else {
            return false;
        };
        let before = self.0.len().checked_sub(2).map(|at| self.0[at].1);
        self.0.iter().any(|(_, celsius)| *celsius > latest)
            && before.is_none_or(|before| before >= latest)
    }
}
