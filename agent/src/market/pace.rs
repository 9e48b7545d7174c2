//! When to say the next thing: pure reckoning, with time and chance as arguments.

use std::time::Duration;
use tokio::time::Instant;

/// The first pause after a failure.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The longest pause between two tries.
pub(super) const LAST_RETRY: Duration = Duration::from_secs(30);
/// Heartbeats are at least so far apart, however much changes.
pub(super) const GAP: Duration = Duration::from_millis(100);

/// The pause after the `failures`-th failure in a row (1 is the first): a second, doubling up to `most`, of
/// which `chance` (0 to 1) takes away up to a fifth, so that rigs do not come back all at once.
pub(super) fn backoff(failures: u32, most: Duration, chance: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let full = FIRST_RETRY
        .saturating_mul(1 << doublings)
        .min(most.max(FIRST_RETRY));
    full.mul_f64(1.0 - 0.2 * chance.clamp(0.0, 1.0))
}

/// The longest pause between two tries to open a session: however often the marketplace went away of late, several
/// tries fit into the silence after which jobs are stopped.
pub(super) fn longest_retry(fence_ms: u64) -> Duration {
    LAST_RETRY.min(Duration::from_millis(fence_ms / 4))
}

/// An interval made up to a tenth shorter or longer by `chance` (0 to 1).
pub(super) fn jittered(interval: Duration, chance: f64) -> Duration {
    interval.mul_f64(0.9 + 0.2 * chance.clamp(0.0, 1.0))
}

/// The interval that a reply dictates, kept where it neither floods the marketplace nor lets the rig fence
/// itself between two heartbeats.
pub(super) fn dictated(next_ms: u64, fence_ms: u64) -> Duration {
    let low = 100;
    let high = (fence_ms / 3).max(low);
    Duration::from_millis(next_ms.clamp(low, high))
}

/// A number from 0 to 1. Where the system has no randomness to give, the middle will do.
pub(super) fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |n| f64::from(n) / f64::from(u32::MAX))
}

/// When heartbeats are due, within one session.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    interval: Duration,
    fence_ms: u64,
    /// When the last one was sent.
    sent: Option<Instant>,
    /// When the next one is due though nothing presses.
    next: Instant,
    failures: u32,
}

impl Pace {
    /// A session begins: the first heartbeat is due at once.
    pub(super) fn new(now: Instant, heartbeat_ms: u64, fence_ms: u64) -> Self {
        Self {
            interval: dictated(heartbeat_ms, fence_ms),
            fence_ms,
            sent: None,
            next: now,
            failures: 0,
        }
    }

    /// When to send, where `pressing` says that something changed which should not wait. After a failure
    /// nothing presses: the marketplace is away, and more calls would not bring it back.
    pub(super) fn due(&self, pressing: bool) -> Instant {
        match self.sent {
            Some(sent) if pressing && self.failures == 0 => self.next.min(sent + GAP),
            _ => self.next,
        }
    }

    /// One was sent at `sent` and answered.
    pub(super) fn answered(&mut self, sent: Instant, next_ms: u64, chance: f64) {
        self.failures = 0;
        self.sent = Some(sent);
        self.interval = dictated(next_ms, self.fence_ms);
        self.next = sent + jittered(self.interval, chance).max(GAP);
    }

    /// One was sent at `sent` and failed at `now`. Tries are never rarer than heartbeats would be.
    pub(super) fn failed(&mut self, sent: Instant, now: Instant, chance: f64) {
        self.failures = self.failures.saturating_add(1);
        self.sent = Some(sent);
        let most = self.interval.min(LAST_RETRY);
        self.next = now + backoff(self.failures, most, chance);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn pauses_double_from_a_second_to_half_a_minute() {
        let full = |failures| backoff(failures, LAST_RETRY, 0.0).as_secs();
        assert_eq!(
            (1..=7).map(full).collect::<Vec<_>>(),
            [1, 2, 4, 8, 16, 30, 30]
        );
        assert_eq!(full(u32::MAX), 30);
        assert_eq!(backoff(3, LAST_RETRY, 1.0), ms(3200));
        // A marketplace that wants a heartbeat every 10 s is not left alone for longer.
        assert_eq!(backoff(9, ms(10_000), 0.0), ms(10_000));
        // Nor is one asked more than once a second while it is away.
        assert_eq!(backoff(9, ms(200), 0.0), ms(1_000));
    }

    #[test]
    fn a_session_is_sought_several_times_before_jobs_are_stopped() {
        assert_eq!(longest_retry(72_000), ms(18_000));
        assert_eq!(longest_retry(6_400), ms(1_600));
        assert_eq!(longest_retry(3_600_000), LAST_RETRY);
    }

    #[test]
    fn an_interval_is_spread_by_a_tenth_either_way() {
        assert_eq!(jittered(ms(1000), 0.0), ms(900));
        assert_eq!(jittered(ms(1000), 0.5), ms(1000));
        assert_eq!(jittered(ms(1000), 1.0), ms(1100));
    }

    #[test]
    fn a_reply_cannot_dictate_a_flood_or_a_silence_past_the_fence() {
        assert_eq!(dictated(0, 60_000), ms(100));
        assert_eq!(dictated(15_000, 60_000), ms(15_000));
        assert_eq!(dictated(u64::MAX, 60_000), ms(20_000));
        assert_eq!(dictated(1_000, 0), ms(100));
    }

    #[test]
    fn a_change_is_told_at_once_but_never_twice_within_the_gap() {
        let start = Instant::now();
        let mut pace = Pace::new(start, 15_000, 60_000);
        assert_eq!(pace.due(false), start);
        pace.answered(start, 15_000, 0.5);
        assert_eq!(pace.due(false), start + ms(15_000));
        assert_eq!(pace.due(true), start + GAP);
    }

    #[test]
    fn after_a_failure_changes_wait_for_the_next_try() {
        let start = Instant::now();
        let mut pace = Pace::new(start, 15_000, 60_000);
        pace.answered(start, 4_000, 0.5);
        let late = start + ms(10_000);
        pace.failed(start + ms(4_000), late, 0.0);
        assert_eq!(pace.due(true), late + ms(1_000));
        for _ in 0..5 {
            pace.failed(late, late, 0.0);
        }
        assert_eq!(pace.due(true), late + ms(4_000));
        pace.answered(late, 4_000, 0.5);
        assert_eq!(pace.due(true), late + GAP);
    }
}
