//! A student's laptop.

use super::{Card, Change, DAY, DAYS, HOUR, Weeks, card, weekend};
use crate::facts::{InputKind, Watching, WatchingHow};

pub(super) fn live(weeks: &mut Weeks) -> (&'static str, Vec<Card>) {
    for day in 0..DAYS {
        let opens = day * DAY + 8 * HOUR + weeks.chance.between(0, 90);
        weeks.at(
            opens,
            Change {
                on: Some(true),
                using: Some(Some(InputKind::Desk)),
                ..Change::default()
            },
        );
        let mut now = opens + weeks.chance.between(20, 60);
        if !weekend(day) {
            now = away_from_home(weeks, now);
        }
        evening(weeks, now.max(day * DAY + 15 * HOUR));
        let sleeps = day * DAY + 23 * HOUR + weeks.chance.between(0, 50);
        // Half of the nights its lid is closed.
        let closed = weeks.chance.of(50);
        weeks.at(
            sleeps,
            Change {
                using: Some(None),
                watching: Some(Vec::new()),
                on: closed.then_some(false),
                ..Change::default()
            },
        );
    }
    weeks.market(6, 14, 25);
    let gpus = card("GPU-laptop", "GeForce RTX 4060 Laptop", [115, 60, 95], 0.52);
    ("Laptop", gpus.into_iter().collect())
}

/// Lectures: on battery, on the telephone's network, in use for most of the time.
fn away_from_home(weeks: &mut Weeks, from: u64) -> u64 {
    let arrives = from + weeks.chance.between(20, 40);
    weeks.at(
        from,
        Change {
            on: Some(false),
            using: Some(None),
            battery: Some(Some(100)),
            ..Change::default()
        },
    );
    weeks.at(
        arrives,
        Change {
            on: Some(true),
            metered: Some(true),
            using: Some(Some(InputKind::Desk)),
            ..Change::default()
        },
    );
    let mut percent = 100;
    let mut now = arrives;
    for _ in 0..weeks.chance.between(2, 4) {
        now += weeks.chance.between(40, 80);
        percent -= 15;
        // A break in which it lies there unused.
        weeks.at(
            now,
            Change {
                using: Some(None),
                battery: Some(Some(percent)),
                ..Change::default()
            },
        );
        now += weeks.chance.between(15, 45);
        weeks.at(
            now,
            Change {
                using: Some(Some(InputKind::Desk)),
                ..Change::default()
            },
        );
    }
    now += weeks.chance.between(20, 60);
    weeks.at(
        now,
        Change {
            using: Some(None),
            battery: Some(None),
            metered: Some(false),
            ..Change::default()
        },
    );
    now
}

/// At home, on mains: it stands there, is used for a while, and shows a series.
fn evening(weeks: &mut Weeks, from: u64) {
    let uses = from + weeks.chance.between(60, 150);
    weeks.at(
        uses,
        Change {
            using: Some(Some(InputKind::Desk)),
            ..Change::default()
        },
    );
    let watches = uses + weeks.chance.between(40, 120);
    let series = Watching {
        program: "Firefox".to_owned(),
        how: WatchingHow::FullScreen,
    };
    weeks.at(
        watches,
        Change {
            using: Some(None),
            watching: Some(vec![series]),
            ..Change::default()
        },
    );
    let ends = watches + weeks.chance.between(40, 100);
    weeks.at(
        ends,
        Change {
            using: Some(Some(InputKind::Desk)),
            watching: Some(Vec::new()),
            ..Change::default()
        },
    );
}
