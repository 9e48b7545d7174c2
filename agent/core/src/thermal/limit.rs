//! Moving the power limit: down at once, by what the excess asks for; up slowly, and only in calm.

use super::quiet::{ceiling_mw, percent_mw};
use super::{Act, BETWEEN_CHANGES_MS, Changed, Turn, same};
use crate::facts::PowerRange;

/// Power comes back only this far below the target.
pub(super) const CALM_BELOW_C: i32 = 2;
/// A fan answers slowly: the least time between two cuts for its sake, in ms.
const BETWEEN_FAN_CUTS_MS: u64 = 15_000;
/// The least time after any change before power comes back, in ms.
const BEFORE_RAISE_MS: u64 = 20_000;
/// What a cut takes for each °C above the target, in per cent of the factory's limit.
const CUT_PERCENT_A_DEGREE: i64 = 3;
/// The most that one cut takes, likewise.
const MOST_CUT_PERCENT: i64 = 20;
/// The most that one raise gives, likewise; it gives one for each °C of calm.
const MOST_RAISE_PERCENT: i64 = 5;

#[derive(Clone, Copy)]
pub(super) struct Limits {
    range: PowerRange,
    before_mw: u32,
    pub now_mw: u32,
    /// The most that we give.
    highest_mw: u32,
    pub lowest_mw: u32,
}

impl Turn {
    /// The bounds of the power limit, where it may be changed and what was before is known.
    pub(super) fn limits(&mut self) -> Option<Limits> {
        let range = self.range.filter(|_| !self.governor.refused)?;
        let shown = self.governor.shown_mw(&self.sensed, self.now);
        if let (Some(changed), Some(shown)) = (&mut self.governor.changed, shown)
            && !same(shown, changed.set_mw)
        {
            // Somebody else set it, or the driver came back with its own: that is what will be put back.
            *changed = Changed {
                before_mw: shown,
                set_mw: shown,
            };
        }
        let (before_mw, now_mw) = match self.governor.changed {
            Some(changed) => (changed.before_mw, changed.set_mw),
            None => (shown?, shown?),
        };
        let highest_mw = self
            .quiet
            .map_or(before_mw, |quiet| before_mw.min(ceiling_mw(&quiet, range)));
        Some(Limits {
            range,
            before_mw,
            now_mw,
            highest_mw,
            // An owner who set a limit below the card's official range keeps it.
            lowest_mw: range.lowest_mw.min(highest_mw),
        })
    }

    /// Moves the power limit; true where it was lowered.
    pub(super) fn limit(
        &mut self,
        limits: Limits,
        excess_c: Option<i32>,
        loud: bool,
        calm: bool,
    ) -> bool {
        let rested = self.governor.rested_ms(self.now);
        if rested < BETWEEN_CHANGES_MS {
            return false;
        }
        let step = |percent: i64| percent_mw(limits.range, percent);
        let wanted = if limits.now_mw > limits.highest_mw {
            limits.highest_mw
        } else if let Some(excess) = excess_c {
            let percent = (i64::from(excess) * CUT_PERCENT_A_DEGREE).min(MOST_CUT_PERCENT);
            self.drawn_mw(limits).saturating_sub(step(percent))
        } else if loud && rested >= BETWEEN_FAN_CUTS_MS {
            self.drawn_mw(limits)
                .saturating_sub(step(CUT_PERCENT_A_DEGREE))
        } else if calm && !self.governor.duty.active() && rested >= BEFORE_RAISE_MS {
            let track = &self.governor.track;
            let calm_c = self.target_c - track.latest_c().unwrap_or(self.target_c);
            let percent = i64::from(calm_c - CALM_BELOW_C + 1).clamp(1, MOST_RAISE_PERCENT);
            limits.now_mw.saturating_add(step(percent))
        } else {
            limits.now_mw
        };
        let mut wanted = wanted.clamp(limits.lowest_mw, limits.highest_mw);
        if same(wanted, limits.before_mw) {
            wanted = limits.before_mw;
        }
        if same(wanted, limits.now_mw) {
            return false;
        }
        self.governor.changed = Some(Changed {
            before_mw: limits.before_mw,
            set_mw: wanted,
        });
        self.governor.changed_at_ms = Some(self.now.mono_ms);
        self.acts.push(if wanted == limits.before_mw {
            Act::RestorePowerLimit { limit_mw: wanted }
        } else {
            Act::SetPowerLimit { limit_mw: wanted }
        });
        wanted < limits.now_mw
    }

    /// From where a cut counts: a limit far above what the card draws slows nothing. One cut halves at most.
    fn drawn_mw(&self, limits: Limits) -> u32 {
        let drawn = self.sensed.power_mw.unwrap_or(limits.now_mw);
        drawn.clamp(limits.now_mw / 2, limits.now_mw)
    }
}
