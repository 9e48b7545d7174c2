//! Whoever says a reason in other words finds every number and name of its text in its figures.

use super::words::{span, when};
use super::{decide, outside};
use crate::custody::{Custody, Held, Holder};
use crate::facts::{
    Aged, Docker, Facts, GpuProblem, InputKind, Moment, Power, Program, ProgramKind, Touch,
    Watching, WatchingHow,
};
use crate::memory::Pause;
use crate::settings::Mode;
use crate::testing::*;
use std::collections::BTreeSet;
use sublet_protocol::money::{BasisPoints, HourlyPrice, MicroUsd};
use sublet_protocol::reason::{Figure, Reason, ReasonCode as Code};

/// Worlds that together know every reason, most of them in several forms.
fn worlds() -> Vec<World> {
    let mut worlds = Vec::new();
    let mut add = |change: &dyn Fn(&mut World)| {
        let mut world = World::new();
        change(&mut world);
        worlds.push(world);
    };
    fn facts(change: impl Fn(&mut Facts)) -> impl Fn(&mut World) {
        move |world| change(&mut world.facts)
    }
    let film = |program: &str, how| Watching {
        program: program.into(),
        how,
    };
    let program = |name: &str, kind| Program {
        name: name.into(),
        kind,
    };
    add(&|_| {});
    add(&|w| w.memory.pause = Some(Pause::UNTIL_RESUMED));
    add(&|w| w.memory.pause = Some(Pause::lasting(90 * 60_000, w.now)));
    add(&|w| w.memory.pause = Some(Pause::lasting(90 * 3_600_000, w.now)));
    add(&|w| w.memory.pause = Some(Pause::lasting(900 * 3_600_000, w.now)));
    for pause in [Pause::UNTIL_RESUMED, Pause::until(1_700_009_000_000)] {
        add(&|w| {
            w.memory.pauses.insert(gpu_id("gpu-a"), pause);
        });
    }
    add(&facts(|f| f.set_up = false));
    add(&|w| w.settings.each.mode = Mode::Off);
    add(&|w| returning(w, None));
    for (name, bytes) in [("python 3", Some(2 << 30)), ("blender 4", None)] {
        let holder = Holder {
            name: name.into(),
            pid: 4_711,
            bytes,
        };
        add(&|w| returning(w, Some(vec![holder.clone()])));
    }
    add(&|w| returning(w, Some(vec![])));
    add(&facts(|f| {
        f.settings_problem = Some("line 3: `modus` is no key".into())
    }));
    add(&facts(|f| {
        f.owner_needed = Some("The keyring is locked 2 times".into())
    }));
    add(&facts(|f| {
        f.ledger_problem = Some("disk full: 0 bytes".into())
    }));
    add(&facts(|f| {
        f.gpus[0].problem = Some(GpuProblem::Lost("XID 79".into()))
    }));
    add(&facts(|f| {
        f.gpus[0].problem = Some(GpuProblem::Unreadable("error 999".into()))
    }));
    add(&facts(|f| {
        f.gpus[0].sensed.as_mut().unwrap().age_ms = 10_001
    }));
    add(&facts(|f| f.gpus[0].sensed.as_mut().unwrap().users = None));
    add(&facts(|f| f.gpus[0].sensed = None));
    add(&facts(|f| f.programs = None));
    add(&facts(|f| f.owner.touch = None));
    add(&facts(|f| f.machine.power = None));
    add(&facts(|f| f.machine.metered = None));
    add(&facts(|f| {
        f.programs = Some(Aged::now(vec![program("Half-Life 2", ProgramKind::Game)]));
    }));
    add(&facts(|f| {
        f.programs = Some(Aged::now(vec![
            program("blender 4", ProgramKind::Chosen),
            program("Half-Life 2", ProgramKind::Game),
        ]));
    }));
    for by in [InputKind::Desk, InputKind::Gamepad, InputKind::Remote] {
        let touch = Touch::Ago {
            idle_ms: 61_000,
            by,
        };
        add(&facts(|f| f.owner.touch = Some(Aged::now(touch))));
    }
    for how in [WatchingHow::Inhibits, WatchingHow::FullScreen] {
        add(&facts(|f| {
            let (idle_ms, by) = (3_600_000, InputKind::Desk);
            f.owner.touch = Some(Aged::now(Touch::Ago { idle_ms, by }));
            f.owner.watching = Some(Aged::now(vec![film("mpv 2", how), film("vlc", how)]));
        }));
    }
    add(&facts(|f| {
        f.gpus[0].sensed.as_mut().unwrap().users = Some(vec![game(), game()])
    }));
    add(&facts(|f| {
        f.gpus[0].sensed.as_mut().unwrap().temperature_c = Some(84)
    }));
    add(&facts(|f| {
        f.gpus[0].sensed.as_mut().unwrap().hotspot_c = Some(104)
    }));
    for percent in [None, Some(64)] {
        let power = Power::Battery { percent };
        add(&facts(|f| f.machine.power = Some(Aged::now(power))));
    }
    add(&facts(|f| f.machine.metered = Some(Aged::now(true))));
    add(&|w| w.settings.each.mode = Mode::Schedule);
    for slot in [0, 200, 670] {
        add(&|w| {
            w.settings.each.mode = Mode::Schedule;
            w.facts.utc_offset_s = -3_600;
            assert!(w.settings.hours.mark(slot, slot + 1));
        });
    }
    add(&|w| w.memory.free_since_boot_ms.clear());
    add(&facts(|f| f.gpus[0] = card("sw", true)));
    add(&facts(|f| f.gpus[0].info.score = None));
    add(&facts(|f| f.docker = Docker::Unknown));
    add(&facts(|f| {
        f.docker = Docker::Away("no answer in 10 s".into())
    }));
    add(&facts(|f| f.market.connected = false));
    add(&facts(|f| {
        f.market.connected = false;
        f.market.problem = Some("error 503".into());
    }));
    for fee in [500, 10_000] {
        add(&|w| {
            w.settings.tariff.base = MicroUsd(350_000);
            w.memory.drawn_mw.insert(gpu_id("gpu-a"), 311_500);
            w.facts.market.fee = Some(BasisPoints::new(fee).unwrap());
            w.facts.market.best_order = Some(HourlyPrice(MicroUsd(50_000)));
        });
    }
    add(&|w| w.settings.tariff.base = MicroUsd(350_000));
    add(&|w| {
        w.run("l", "gpu-a");
        w.settings.tariff.base = MicroUsd(3_500_000);
        w.memory.drawn_mw.insert(gpu_id("gpu-a"), 311_500);
    });
    add(&facts(|f| {
        f.market.best_order = Some(HourlyPrice(MicroUsd(50_000)))
    }));
    worlds
}

/// A job on the first GPU ended, and maybe its memory is held.
fn returning(world: &mut World, by: Option<Vec<Holder>>) {
    let mut custody = Custody::new(lease_id("l"), None, world.now);
    if let Some(by) = by {
        let bytes = 3 << 30;
        custody.hold(Held { bytes, by }, world.now);
    }
    world.memory.custody.insert(gpu_id("gpu-a"), custody);
}

/// How a figure may read in a text.
fn readings(figure: &Figure, now: Moment, utc_offset_s: i32) -> Vec<String> {
    match figure {
        Figure::Text(name) => {
            let mut letters = name.chars();
            let first: String = letters
                .next()
                .into_iter()
                .flat_map(char::to_uppercase)
                .collect();
            vec![name.clone(), first + letters.as_str()]
        }
        Figure::Number(number) => {
            let mut all = vec![number.to_string()];
            if let Ok(number) = u64::try_from(*number) {
                all.push(span(number));
                all.push(MicroUsd(number).to_string());
                all.push(format!("{} MiB", number >> 20));
                if number > 1_000_000_000_000 {
                    all.push(when(number, now, utc_offset_s));
                }
            }
            all
        }
    }
}

/// What is left of a text without its figures, and without what is not said in figures: commands in backticks.
fn bare(reason: &Reason, now: Moment, utc_offset_s: i32) -> String {
    let mut text = format!("{} {}", reason.text, reason.remedy);
    let figures = reason.figures.values();
    let mut known: Vec<String> = figures
        .flat_map(|figure| readings(figure, now, utc_offset_s))
        .collect();
    known.sort_by_key(|reading| std::cmp::Reverse(reading.len()));
    for reading in known.iter().filter(|reading| !reading.is_empty()) {
        text = text.replace(reading, "…");
    }
    text
}

/// The code's row in the table of docs/protocol.md.
fn documented(code: Code) -> &'static str {
    const PAGE: &str = include_str!("../../../../docs/protocol.md");
    let json = serde_json::to_value(code).unwrap();
    let begins = format!("| `{}` |", json.as_str().unwrap());
    let row = PAGE.lines().find(|line| line.starts_with(&begins));
    assert!(row.is_some(), "docs/protocol.md has no row for {code:?}");
    row.unwrap()
}

#[test]
fn every_number_and_name_of_a_text_stands_in_its_figures() {
    let mut seen = BTreeSet::new();
    for world in worlds() {
        let decision = decide(&world.memory, &world.settings, &world.facts, world.now);
        for reason in &decision.gpus[0].reasons {
            seen.insert(reason.code);
            for name in reason.figures.keys() {
                let row = documented(reason.code);
                assert!(row.contains(&format!("`{name}`")), "{name} is not in {row}");
            }
            let bare = bare(reason, world.now, world.facts.utc_offset_s);
            assert!(
                !bare.contains(|c: char| c.is_ascii_digit()),
                "{bare}\n{reason:?}"
            );
            for name in [
                "RTX",
                "llvmpipe",
                "Half-Life",
                "blender",
                "mpv",
                "a-game",
                "python",
            ] {
                assert!(!bare.contains(name), "{bare}\n{reason:?}");
            }
            assert!(reason.text.ends_with(['.', '?']), "{}", reason.text);
            assert!(reason.remedy.ends_with('.'), "{}", reason.remedy);
            assert!(!bare.contains('!'), "{bare}");
        }
    }
    let missing: Vec<_> = Code::ALL
        .iter()
        // The agent cannot say that it is away itself.
        .filter(|code| !seen.contains(code) && **code != Code::AgentAway)
        .collect();
    assert!(missing.is_empty(), "no world knows {missing:?}");
}

#[test]
fn others_hear_the_code_and_nothing_of_the_owners_life() {
    for code in Code::ALL {
        let told = outside(code);
        documented(code);
        assert_eq!(told.code, code);
        assert!(told.figures.is_empty() && told.remedy.is_empty());
        assert!(told.text.ends_with('.'));
        assert!(!told.text.contains(|c: char| c.is_ascii_digit()));
    }
}
