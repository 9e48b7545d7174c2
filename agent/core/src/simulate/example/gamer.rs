//! A gamer's weeks.

use super::{Card, Change, DAY, DAYS, HOUR, Weeks, card, used_by, weekend};
use crate::facts::{InputKind, Program, ProgramKind, Watching, WatchingHow};

const GPU: &str = "GPU-4070";
const GAMES: [&str; 4] = ["Factorio", "Hades II", "Baldur's Gate 3", "Rocket League"];

pub(super) fn live(weeks: &mut Weeks) -> (&'static str, Vec<Card>) {
    for day in 0..DAYS {
        if weekend(day) {
            let late_morning = day * DAY + 10 * HOUR + weeks.chance.between(0, 90);
            sit_down(weeks, late_morning, 150);
        }
        let evening = day * DAY + 18 * HOUR + weeks.chance.between(0, 75);
        let leaves = sit_down(weeks, evening, 210);
        // Some nights it is switched off until the next afternoon.
        if weeks.chance.of(25) {
            weeks.at(leaves + 5, on(false));
            weeks.at((day + 1) * DAY + 9 * HOUR, on(true));
        }
    }
    weeks.market(10, 24, 12);
    let gpus = card(GPU, "GeForce RTX 4070", [200, 100, 170], 0.27);
    ("Weeknight gamer", gpus.into_iter().collect())
}

fn on(on: bool) -> Change {
    Change {
        on: Some(on),
        ..Change::default()
    }
}

/// Mail first, then a game of up to `longest` minutes, then perhaps a film; the minute at which they leave.
fn sit_down(weeks: &mut Weeks, from: u64, longest: u64) -> u64 {
    weeks.at(
        from,
        Change {
            using: Some(Some(InputKind::Desk)),
            locked: Some(false),
            display_off: Some(false),
            ..Change::default()
        },
    );
    let plays = from + weeks.chance.between(10, 40);
    let game = GAMES[(weeks.chance.next() % 4) as usize];
    let pad = weeks.chance.of(40);
    weeks.at(
        plays,
        Change {
            using: Some(Some(if pad {
                InputKind::Gamepad
            } else {
                InputKind::Desk
            })),
            programs: Some(vec![Program {
                name: game.to_owned(),
                kind: ProgramKind::Game,
            }]),
            gpus: used_by(GPU, Some((game, 190))),
            ..Change::default()
        },
    );
    let ends = plays + weeks.chance.between(45, longest);
    weeks.at(
        ends,
        Change {
            using: Some(Some(InputKind::Desk)),
            programs: Some(Vec::new()),
            gpus: used_by(GPU, None),
            ..Change::default()
        },
    );
    let mut leaves = ends + weeks.chance.between(3, 20);
    if weeks.chance.of(35) {
        let film = Watching {
            program: "mpv".to_owned(),
            how: WatchingHow::Inhibits,
        };
        weeks.at(
            leaves,
            Change {
                using: Some(None),
                watching: Some(vec![film]),
                ..Change::default()
            },
        );
        leaves += weeks.chance.between(80, 130);
        weeks.at(
            leaves,
            Change {
                watching: Some(Vec::new()),
                ..Change::default()
            },
        );
    } else {
        weeks.at(
            leaves,
            Change {
                using: Some(None),
                ..Change::default()
            },
        );
    }
    weeks.at(
        leaves + 15,
        Change {
            display_off: Some(true),
            ..Change::default()
        },
    );
    leaves
}
