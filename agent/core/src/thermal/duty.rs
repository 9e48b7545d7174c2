//! Freezing a job for a part of each ten seconds: the power limit of those who may not set one.

use crate::settings::Quiet;

/// The seconds of a period.
pub(super) const ALL: u8 = 10;
/// The least that a job runs of them; where that is too much, it is stopped.
const LEAST: u8 = 1;
/// The length of a tenth, in ms.
const TENTH_MS: u64 = 1_000;
/// The shortest freeze, in ms: long enough for a reading to show it.
const SHORTEST_FREEZE_MS: u64 = 2_000;

/// How many tenths of the time quiet bounds leave where no power limit can be set.
pub(super) fn most_tenths(quiet: &Quiet) -> u8 {
    (quiet.power_percent / 10).clamp(LEAST, ALL)
}

/// The state of the duty cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Duty {
    tenths: u8,
    frozen: bool,
    /// When it froze or thawed last.
    since_ms: u64,
}

impl Default for Duty {
    fn default() -> Self {
        Self {
            tenths: ALL,
            frozen: false,
            since_ms: 0,
        }
    }
}

/// What the governor sees.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// It will be too hot in a moment.
    pub danger: bool,
    /// It is above its target, and no power limit will mend it.
    pub over: bool,
    /// By how much, in °C.
    pub excess_c: i32,
    /// It is at its target or below.
    pub cool: bool,
    /// It is well below its target.
    pub calm: bool,
    /// The most tenths that it may run.
    pub most_tenths: u8,
}

impl Duty {
    pub fn frozen(&self) -> bool {
        self.frozen
    }

    pub fn tenths(&self) -> u8 {
        self.tenths
    }

    /// Whether it slows the job at all.
    pub fn active(&self) -> bool {
        self.frozen || self.tenths < ALL
    }

    /// One second; true where it freezes, false where it thaws, none where it goes on as it is.
    pub fn tick(&mut self, now_ms: u64, look: Look) -> Option<bool> {
        self.tenths = self.tenths.min(look.most_tenths);
        let spent_ms = now_ms.saturating_sub(self.since_ms);
        if self.frozen {
            let rest_ms = u64::from(ALL - self.tenths) * TENTH_MS;
            let rested = spent_ms >= rest_ms.max(SHORTEST_FREEZE_MS);
            return (rested && look.cool && !look.danger).then(|| self.turn(now_ms, false));
        }
        if look.danger {
            self.lower(2);
        } else if look.over && self.tenths == ALL {
            self.lower(u8::try_from(look.excess_c).unwrap_or(1).clamp(1, 5));
        } else if self.tenths < ALL && spent_ms >= u64::from(self.tenths) * TENTH_MS {
            if look.over {
                self.lower(u8::try_from(look.excess_c).unwrap_or(1).clamp(1, 3));
            } else if look.calm {
                self.tenths = (self.tenths + 1).min(look.most_tenths);
            }
        } else {
            return None;
        }
        (self.tenths < ALL).then(|| self.turn(now_ms, true))
    }

    /// One second without a reading: it may freeze as it was going to, and never thaws. True where it freezes.
    pub fn blind(&mut self, now_ms: u64) -> bool {
        let spent_ms = now_ms.saturating_sub(self.since_ms);
        let due = self.tenths < ALL && spent_ms >= u64::from(self.tenths) * TENTH_MS;
        let freezes = due && !self.frozen;
        if freezes {
            self.turn(now_ms, true);
        }
        freezes
    }

    fn lower(&mut self, by: u8) {
        self.tenths = self.tenths.saturating_sub(by).max(LEAST);
    }

    fn turn(&mut self, now_ms: u64, frozen: bool) -> bool {
        self.frozen = frozen;
        self.since_ms = now_ms;
        frozen
    }
}
