//! A studio's weeks, on one of its workstations.

use super::{Card, Change, DAY, DAYS, HOUR, Weeks, card, used_by, weekend};
use crate::facts::InputKind;

const VIEW: &str = "GPU-a";
const RENDER: &str = "GPU-b";

pub(super) fn live(weeks: &mut Weeks) -> (&'static str, Vec<Card>) {
    for day in (0..DAYS).filter(|day| !weekend(*day)) {
        let morning = day * DAY + 9 * HOUR + weeks.chance.between(0, 40);
        let lunch = day * DAY + 12 * HOUR + weeks.chance.between(15, 60);
        let back = lunch + weeks.chance.between(35, 60);
        let evening = day * DAY + 17 * HOUR + weeks.chance.between(30, 120);
        work(weeks, morning, lunch);
        work(weeks, back, evening);
        // Now and then a render takes both cards into the night, and over the weekend.
        let friday = day % 7 == 4;
        if weeks.chance.of(if friday { 70 } else { 40 }) {
            let longest = if friday { 14 } else { 8 } * HOUR;
            let ends = evening + weeks.chance.between(90, longest);
            render(weeks, evening, ends, VIEW);
            render(weeks, evening, ends, RENDER);
        }
    }
    // The router was replaced; Docker was updated.
    weeks.at(9 * DAY + 20 * HOUR, market(false));
    weeks.at(9 * DAY + 22 * HOUR + 25, market(true));
    weeks.at(16 * DAY + 6 * HOUR, docker(false));
    weeks.at(16 * DAY + 6 * HOUR + 4, docker(true));
    weeks.market(24, 48, 8);
    let cards = [VIEW, RENDER].map(|id| card(id, "GeForce RTX 4090", [450, 150, 380], 0.13));
    ("Studio workstation", cards.into_iter().flatten().collect())
}

fn market(market: bool) -> Change {
    Change {
        market: Some(market),
        ..Change::default()
    }
}

fn docker(docker: bool) -> Change {
    Change {
        docker: Some(docker),
        ..Change::default()
    }
}

/// Somebody models at the desk: the first card draws, the second renders a test now and then.
fn work(weeks: &mut Weeks, from: u64, to: u64) {
    weeks.at(
        from,
        Change {
            using: Some(Some(InputKind::Desk)),
            locked: Some(false),
            gpus: used_by(VIEW, Some(("Blender", 160))),
            ..Change::default()
        },
    );
    let mut test = from + weeks.chance.between(20, 90);
    while test + 40 < to {
        let ends = test + weeks.chance.between(5, 35);
        render(weeks, test, ends, RENDER);
        test = ends + weeks.chance.between(30, 120);
    }
    weeks.at(
        to,
        Change {
            using: Some(None),
            locked: Some(true),
            gpus: used_by(VIEW, None),
            ..Change::default()
        },
    );
}

fn render(weeks: &mut Weeks, from: u64, to: u64, gpu: &str) {
    weeks.at(
        from,
        Change {
            gpus: used_by(gpu, Some(("Blender", 400))),
            ..Change::default()
        },
    );
    weeks.at(
        to,
        Change {
            gpus: used_by(gpu, None),
            ..Change::default()
        },
    );
}
