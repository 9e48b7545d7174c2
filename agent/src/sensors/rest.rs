//! When to read cards that could sleep, and when to let them alone. See docs/decisions/ for the reasons.
//!
//! A question to a sleeping card wakes it, and one asked every few seconds never lets it fall asleep. Whether it sleeps
//! is told by the kernel without asking the card. So while nothing is rented: a card that sleeps is not asked, since
//! nobody uses it and it only cools; one that could sleep and does nothing is let alone for a while; and one that then
//! did not fall asleep is kept awake by somebody else, and read like any other.

use std::path::Path;
use std::time::{Duration, Instant};

use super::{GpuTelemetry, PciAddress, Reading, SensorError};

/// How long a card gets to fall asleep. NVIDIA's driver takes about ten seconds after the last question.
const WINDOW: Duration = Duration::from_secs(20);
/// How long a card that did not is read like any other.
const AWAKE_FOR: Duration = Duration::from_secs(600);

/// How a card stands to sleep.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sleep {
    /// It does not sleep.
    Never,
    /// It is awake, and may fall asleep when it is let alone.
    May,
    /// It sleeps.
    Asleep,
}

/// By the kernel's account at `sys`, which does not wake it.
pub(super) fn sleep_of(sys: &Path, pci: PciAddress) -> Sleep {
    let power = sys
        .join("bus/pci/devices")
        .join(pci.to_string())
        .join("power");
    let text = |name: &str| std::fs::read_to_string(power.join(name)).unwrap_or_default();
    match text("runtime_status").trim() {
        "suspended" | "suspending" => Sleep::Asleep,
        _ if text("control").trim() == "auto" => Sleep::May,
        _ => Sleep::Never,
    }
}

/// What to do with a group of cards that are read together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Look {
    /// Read those that are awake.
    Read,
    /// Leave them be; the last readings grow old.
    LetAlone,
    /// All of them sleep.
    Asleep,
}

/// One group of cards.
#[derive(Debug, Default)]
pub(super) struct Rest {
    alone_since: Option<Instant>,
    awake_until: Option<Instant>,
    slept: bool,
}

impl Rest {
    /// `cards`: how each stands, and whether it did nothing for anybody when it was last read.
    pub(super) fn decide(&mut self, now: Instant, renting: bool, cards: &[(Sleep, bool)]) -> Look {
        let all = |wanted: &[Sleep]| cards.iter().all(|(sleep, _)| wanted.contains(sleep));
        let slept = std::mem::take(&mut self.slept);
        if renting || cards.is_empty() || !all(&[Sleep::May, Sleep::Asleep]) {
            self.alone_since = None;
            return Look::Read;
        }
        if all(&[Sleep::Asleep]) {
            *self = Self {
                slept: true,
                ..Self::default()
            };
            return Look::Asleep;
        }
        // Somebody woke it: who?
        let in_use = |(sleep, idle): &(Sleep, bool)| *sleep == Sleep::May && !idle;
        if slept || cards.iter().any(in_use) {
            self.alone_since = None;
            return Look::Read;
        }
        if self.awake_until.is_some_and(|until| now < until) {
            return Look::Read;
        }
        let since = *self.alone_since.get_or_insert(now);
        if now.saturating_duration_since(since) < WINDOW {
            return Look::LetAlone;
        }
        self.alone_since = None;
        self.awake_until = Some(now + AWAKE_FOR);
        Look::Read
    }
}

impl GpuTelemetry {
    /// Nobody uses it.
    pub(super) fn is_idle(&self) -> bool {
        self.utilization_percent.value == Ok(0)
            && self.users.value.as_ref().is_ok_and(Vec::is_empty)
    }

    /// What is known of a card that fell asleep after `self` was read.
    pub(super) fn asleep(&self, at: Instant) -> Self {
        let none = || Err(SensorError::Asleep);
        Self {
            temperature_c: Reading::new(self.temperature_c.value.clone(), at),
            hotspot_c: Reading::new(self.hotspot_c.value.clone(), at),
            power_limit_mw: Reading::new(self.power_limit_mw.value.clone(), at),
            utilization_percent: Reading::new(Ok(0), at),
            heat_throttled: Reading::new(Ok(false), at),
            processes: Reading::new(Ok(Vec::new()), at),
            users: Reading::new(Ok(Vec::new()), at),
            power_draw_mw: Reading::new(none(), at),
            energy_mj: Reading::new(Err(SensorError::Asleep), at),
            fan_percent: Reading::new(none(), at),
            graphics_clock_mhz: Reading::new(none(), at),
            memory_clock_mhz: Reading::new(none(), at),
            memory: Reading::new(Err(SensorError::Asleep), at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_card_that_cannot_sleep_and_a_rented_one_are_always_read() {
        let now = Instant::now();
        let mut rest = Rest::default();
        for second in [0, 5, 30, 900] {
            let at = now + seconds(second);
            assert_eq!(rest.decide(at, false, &[(Sleep::Never, true)]), Look::Read);
            assert_eq!(rest.decide(at, true, &[(Sleep::Asleep, true)]), Look::Read);
            assert_eq!(rest.decide(at, false, &[]), Look::Read);
        }
    }

    #[test]
    fn a_card_that_does_nothing_is_let_alone_until_it_sleeps_and_read_when_it_wakes() {
        let now = Instant::now();
        let mut rest = Rest::default();
        let mut at =
            |second, sleep, idle| rest.decide(now + seconds(second), false, &[(sleep, idle)]);
        assert_eq!(at(0, Sleep::May, false), Look::Read);
        assert_eq!(at(5, Sleep::May, true), Look::LetAlone);
        assert_eq!(at(10, Sleep::May, true), Look::LetAlone);
        assert_eq!(at(15, Sleep::Asleep, true), Look::Asleep);
        assert_eq!(at(3600, Sleep::Asleep, true), Look::Asleep);
        assert_eq!(at(3605, Sleep::May, true), Look::Read, "who woke it?");
        assert_eq!(at(3610, Sleep::May, false), Look::Read, "a game did");
        assert_eq!(at(7000, Sleep::May, true), Look::LetAlone);
    }

    #[test]
    fn a_card_that_others_keep_awake_is_read_like_any_other_for_a_while() {
        let now = Instant::now();
        let mut rest = Rest::default();
        let mut let_alone = Vec::new();
        for second in (0..1300).step_by(5) {
            let look = rest.decide(now + seconds(second), false, &[(Sleep::May, true)]);
            if look == Look::LetAlone {
                let_alone.push(second);
            }
        }
        assert_eq!(
            let_alone,
            [0, 5, 10, 15, 620, 625, 630, 635, 1240, 1245, 1250, 1255]
        );
    }
}
