//! A farm's weeks, on one of its rigs.

use super::{Card, CardChange, Change, DAY, DAYS, HOUR, Weeks, card, on_gpu};

const GPUS: [&str; 6] = ["GPU-0", "GPU-1", "GPU-2", "GPU-3", "GPU-4", "GPU-5"];
/// Its fan is worn out.
const WORN: usize = 3;

pub(super) fn live(weeks: &mut Weeks) -> (&'static str, Vec<Card>) {
    weeks.at(
        0,
        Change {
            seat: Some(false),
            ..Change::default()
        },
    );
    for day in 0..DAYS {
        let warm = weeks.chance.between(34, 44);
        for (hour, celsius) in [
            (2, 22),
            (8, 26),
            (11, (22 + warm) / 2),
            (13, warm),
            (18, 30),
            (22, 25),
        ] {
            let ambient_c = i32::try_from(celsius).ok();
            weather(weeks, day * DAY + hour * HOUR, ambient_c);
        }
    }
    // A riser worked loose on a Wednesday and was seen to on Friday; maintenance on a Sunday; the line was down once.
    lost(weeks, 9 * DAY + 3 * HOUR + 12, true);
    lost(weeks, 11 * DAY + 10 * HOUR, false);
    for (minute, on) in [
        (13 * DAY + 8 * HOUR, false),
        (13 * DAY + 9 * HOUR + 20, true),
    ] {
        let change = Change {
            on: Some(on),
            ..Change::default()
        };
        weeks.at(minute, change);
    }
    for (minute, market) in [(20 * DAY + HOUR, false), (20 * DAY + HOUR + 41, true)] {
        let change = Change {
            market: Some(market),
            ..Change::default()
        };
        weeks.at(minute, change);
    }
    weeks.market(9, 22, 5);
    let cards = GPUS.iter().enumerate().map(|(at, id)| {
        let c_per_w = if at == WORN { 0.21 } else { 0.13 };
        card(id, "GeForce RTX 3090", [350, 100, 320], c_per_w)
    });
    ("Farm rig", cards.flatten().collect())
}

fn weather(weeks: &mut Weeks, minute: u64, ambient_c: Option<i32>) {
    let mut change = Change::default();
    for gpu in GPUS {
        let room = CardChange {
            ambient_c,
            ..CardChange::default()
        };
        change.gpus.extend(on_gpu(gpu, room));
    }
    weeks.at(minute, change);
}

fn lost(weeks: &mut Weeks, minute: u64, lost: bool) {
    let change = CardChange {
        lost: Some(lost),
        ..CardChange::default()
    };
    weeks.at(
        minute,
        Change {
            gpus: on_gpu(GPUS[5], change),
            ..Change::default()
        },
    );
}
