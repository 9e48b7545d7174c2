//! Billable time: how long a job ran. Counts on the monotonic clock, so a clock that is set does not matter.

use crate::facts::Moment;
use serde::{Deserialize, Serialize};

/// Counts the time in which a container runs. Never shrinks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meter {
    counted_ms: u64,
    /// How long the container was frozen in all, in ms: the engine's account of a run has this in it.
    #[serde(default)]
    frozen_ms: u64,
    /// When it was brought up to date last, on the clock on the wall: a restart ends what the other clocks know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settled_wall_ms: Option<u64>,
    /// Since when it counts; meaningless after a restart, so never stored.
    #[serde(skip)]
    since_mono_ms: Option<u64>,
    /// Since when it is frozen, if it is.
    #[serde(skip)]
    frozen_mono_ms: Option<u64>,
}

/// How far Docker's own account of a run may exceed ours before ours stands: the time in which an event travels.
const TRAVEL_MS: u64 = 2_000;

impl Meter {
    /// Time counted up to now, in ms.
    pub fn used_ms(&self, now: Moment) -> u64 {
        let running = self
            .since_mono_ms
            .map_or(0, |since| now.mono_ms.saturating_sub(since));
        self.counted_ms.saturating_add(running)
    }

    /// Whether it counts.
    pub fn is_running(&self) -> bool {
        self.since_mono_ms.is_some()
    }

    /// Begins, or goes on, counting.
    pub fn start(&mut self, now: Moment) {
        if let Some(since) = self.frozen_mono_ms.take() {
            self.frozen_ms += now.mono_ms.saturating_sub(since);
        }
        self.since_mono_ms.get_or_insert(now.mono_ms);
    }

    /// Stops counting, because the container is frozen: to be started again.
    pub fn freeze(&mut self, now: Moment) {
        if self.is_running() {
            self.stop(now);
            self.frozen_mono_ms = Some(now.mono_ms);
        }
    }

    /// Brings the stored count up to now, so that a crash loses no more than the time since.
    pub fn settle(&mut self, now: Moment) {
        self.counted_ms = self.used_ms(now);
        self.settled_wall_ms = Some(now.wall_ms);
        if let Some(since) = &mut self.since_mono_ms {
            *since = now.mono_ms;
        }
    }

    /// Stops counting.
    pub fn stop(&mut self, now: Moment) {
        self.settle(now);
        self.since_mono_ms = None;
    }

    /// Stops counting with the engine's own account of the whole run.
    pub fn stop_with(&mut self, now: Moment, engine_ms: Option<u64>) {
        let known_live = self.is_running();
        self.stop(now);
        if let (true, Some(engine_ms)) = (known_live, engine_ms) {
            let ran_ms = engine_ms.saturating_sub(self.frozen_ms);
            self.counted_ms = self.counted_ms.max(ran_ms.min(self.counted_ms + TRAVEL_MS));
        }
    }

    /// After a restart: the container ran on without us, for `engine_ms` in all since its start. What was counted
    /// before stands: the engine goes by the clock on the wall, which may have been set since the start, and so it
    /// only says what came after.
    pub fn catch_up(&mut self, now: Moment, engine_ms: u64) {
        let ran_ms = engine_ms.saturating_sub(self.frozen_ms);
        let most_ms = self.settled_wall_ms.map_or(u64::MAX, |settled| {
            let away_ms = now.wall_ms.saturating_sub(settled);
            self.counted_ms.saturating_add(away_ms)
        });
        self.counted_ms = self.counted_ms.max(ran_ms.min(most_ms));
    }

    /// After a restart: the container is frozen, `engine_ms` after its start. What was counted before stands.
    pub fn found_frozen(&mut self, now: Moment, engine_ms: u64) {
        self.frozen_ms = engine_ms.saturating_sub(self.counted_ms);
        self.frozen_mono_ms = Some(now.mono_ms);
    }

    /// Holds the count at a bound that both sides know.
    pub fn cap(&mut self, most_ms: u64) {
        self.counted_ms = self.counted_ms.min(most_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono_ms: u64) -> Moment {
        Moment {
            mono_ms,
            boot_ms: mono_ms,
            wall_ms: mono_ms,
        }
    }

    #[test]
    fn it_counts_running_time_only() {
        let mut meter = Meter::default();
        meter.start(at(100));
        meter.start(at(150));
        assert_eq!(meter.used_ms(at(400)), 300);
        meter.stop(at(400));
        assert_eq!(meter.used_ms(at(9_000)), 300);
        meter.start(at(9_000));
        assert_eq!(meter.used_ms(at(9_010)), 310);
    }

    #[test]
    fn a_crash_loses_nothing_that_was_settled_and_docker_fills_the_gap() {
        let mut meter = Meter::default();
        meter.start(at(0));
        meter.settle(at(1_000));
        let stored = serde_json::to_string(&meter).unwrap();
        let mut again: Meter = serde_json::from_str(&stored).unwrap();
        assert!(!again.is_running());
        let now = Moment {
            wall_ms: 5_500,
            ..at(77)
        };
        again.catch_up(now, 5_000);
        assert_eq!(again.used_ms(now), 5_000);
        again.catch_up(now, 10);
        assert_eq!(again.used_ms(now), 5_000);
    }

    #[test]
    fn hours_by_which_the_clock_was_set_are_nobodys() {
        const HOURS_8: u64 = 8 * 3_600_000;
        let on_wall = |mono_ms, wall_ms| Moment {
            wall_ms,
            ..at(mono_ms)
        };
        let mut meter = Meter::default();
        meter.start(on_wall(0, HOURS_8));
        meter.settle(on_wall(1_000, HOURS_8 + 1_000));
        // The clock is set forward, and the agent is away for two seconds.
        meter.settle(on_wall(2_000, 2 * HOURS_8 + 2_000));
        let stored = serde_json::to_string(&meter).unwrap();
        let mut again: Meter = serde_json::from_str(&stored).unwrap();
        again.catch_up(on_wall(0, 2 * HOURS_8 + 4_000), HOURS_8 + 4_000);
        assert_eq!(again.used_ms(at(0)), 4_000);
        // Or back: what was counted stands, and what nobody can tell is not counted.
        let mut again: Meter = serde_json::from_str(&stored).unwrap();
        again.catch_up(on_wall(0, HOURS_8), 0);
        assert_eq!(again.used_ms(at(0)), 2_000);
        // An earlier version stored no such time.
        let mut old: Meter = serde_json::from_str(r#"{"counted_ms":1000}"#).unwrap();
        old.catch_up(on_wall(0, HOURS_8), 5_000);
        assert_eq!(old.used_ms(at(0)), 5_000);
    }

    #[test]
    fn frozen_time_is_not_counted_whoever_reckons_it() {
        let mut meter = Meter::default();
        meter.start(at(0));
        meter.freeze(at(1_000));
        meter.freeze(at(2_000));
        assert_eq!(meter.used_ms(at(5_000)), 1_000);
        meter.start(at(6_000));
        meter.stop_with(at(7_000), Some(7_100));
        assert_eq!(meter.used_ms(at(9_000)), 2_100);

        let mut meter = Meter::default();
        meter.start(at(0));
        meter.freeze(at(1_000));
        let stored = serde_json::to_string(&meter).unwrap();
        let mut again: Meter = serde_json::from_str(&stored).unwrap();
        again.found_frozen(at(0), 9_000);
        again.start(at(500));
        again.stop_with(at(1_500), Some(10_500));
        assert_eq!(again.used_ms(at(1_500)), 2_000);
    }

    #[test]
    fn dockers_account_counts_within_reason() {
        for (engine, expected) in [
            (Some(1_200), 1_200),
            (Some(900), 1_000),
            (Some(99_000), 3_000),
            (None, 1_000),
        ] {
            let mut meter = Meter::default();
            meter.start(at(0));
            meter.stop_with(at(1_000), engine);
            assert_eq!(meter.used_ms(at(5_000)), expected);
        }
    }
}
