//! `sublet history`: what the GPUs did over the last days, and what that earned.

use super::look::{self, Look};
use super::page::{Align, Cell, Page, Table};
use super::words;
use sublet_protocol::local::history::{Electricity, History, Segment, SegmentKind, Total};
use sublet_protocol::money::MicroUsd;
use sublet_protocol::reason::RigState;

const HOUR_MS: u64 = 3_600_000;

/// The page; `all` lists every piece of the timeline.
pub fn render(history: &History, all: bool, look: &Look) -> String {
    let mut page = Page::led_by(look, &sentence(history));
    if let Some(problem) = &history.problem {
        page.line(&format!("Recording stands still: {problem}"));
    }
    if history.recorded_from_ms.is_none() {
        page.hint("The agent records what each GPU does, minute by minute; come back in a while.");
        return page.finish();
    }
    page.space();
    page.table(&days(history, look));
    let took = history.days.iter().filter_map(|day| day.electricity);
    for note in unknown(took) {
        page.quiet(&note);
    }
    if all {
        for gpu in &history.gpus {
            page.space();
            page.line(&format!("{}:", gpu.name));
            page.table(&pieces(&gpu.segments, look));
        }
        return page.finish();
    }
    page.hint("`--all` lists what each GPU did and why, `--json` has everything.");
    page.finish()
}

fn sentence(history: &History) -> String {
    let sum = |kind| -> u64 {
        let days = history.days.iter();
        days.filter_map(|day| day.hours_ms.get(&kind)).sum()
    };
    let days = words::count(history.days.len(), "day", "days");
    let net: MicroUsd = history.days.iter().map(|day| day.net).sum();
    match (history.recorded_from_ms, sum(SegmentKind::Renting)) {
        (None, _) => "Nothing was recorded yet.".to_owned(),
        (Some(_), 0) => format!("In the last {days} nothing was rented."),
        (Some(_), ms) => format!(
            "In the last {days} your GPUs were rented for {} and earned {net}.",
            words::duration(ms)
        ),
    }
}

/// A line a day; kinds that did not happen have no column.
fn days(history: &History, look: &Look) -> Table {
    let mut columns = vec![("day", Align::Left)];
    columns.extend(SegmentKind::ALL.map(|kind| (name(kind), Align::Point)));
    columns.extend([
        ("gross", Align::Point),
        ("fee", Align::Point),
        ("electricity", Align::Point),
        ("left", Align::Point),
    ]);
    let mut table = Table::new(&columns);
    for day in &history.days {
        let mut cells = vec![Cell::from(words::date(day.from_ms, look))];
        cells.extend(SegmentKind::ALL.map(|kind| hours(day, kind)));
        cells.extend(money(day));
        table.row(cells);
    }
    table
}

fn hours(day: &Total, kind: SegmentKind) -> Cell {
    let text = day.hours_ms.get(&kind).map(|ms| {
        let tenths = (ms * 10 + HOUR_MS / 2) / HOUR_MS;
        format!("{}.{} h", tenths / 10, tenths % 10)
    });
    Cell::styled(text.unwrap_or_default(), look::hue(state(kind)))
}

fn money(day: &Total) -> [Cell; 4] {
    let shown = |amount: MicroUsd| match amount {
        MicroUsd::ZERO => Cell::from(""),
        amount => Cell::from(amount),
    };
    let took = day.electricity.filter(|took| took.rented_ms > 0);
    let electricity = match took {
        Some(_) if day.left.is_none() => Cell::styled("unknown", look::QUIET),
        Some(took) => Cell::from(took.cost),
        None => Cell::from(""),
    };
    let left = match (took, day.left) {
        (Some(_), Some(left)) => Cell::from(words::signed(left)),
        _ => Cell::from(""),
    };
    [shown(day.gross), shown(day.fee), electricity, left]
}

/// What of the electricity is not known.
fn unknown(took: impl Iterator<Item = Electricity>) -> Vec<String> {
    let (mut unmeasured_ms, mut unpriced_ms) = (0, 0);
    for took in took {
        unmeasured_ms += took.unmeasured_ms;
        unpriced_ms += took.unpriced_ms;
    }
    let mut notes = Vec::new();
    if unpriced_ms > 0 {
        notes.push(format!(
            "For {} of renting no price of electricity was set: `sublet settings set price.electricity 0.30` sets it.",
            words::duration(unpriced_ms)
        ));
    }
    if unmeasured_ms > 0 {
        notes.push(format!(
            "For {} of renting the power was not measured; its electricity is not in these figures.",
            words::duration(unmeasured_ms)
        ));
    }
    notes
}

fn pieces(segments: &[Segment], look: &Look) -> Table {
    let mut table = Table::new(&[
        ("", Align::Left),
        ("from", Align::Left),
        ("for", Align::Right),
        ("what", Align::Left),
        ("why", Align::Left),
    ]);
    for segment in segments {
        let state = state(segment.kind);
        let why = match (&segment.reason, &segment.lease) {
            (Some(reason), _) => reason.text.clone(),
            (None, Some(lease)) => format!("lease {lease}"),
            (None, None) => String::new(),
        };
        table.row([
            Cell::styled(look::glyph(state), look::hue(state)),
            Cell::from(words::moment(segment.from_ms, look)),
            Cell::from(words::duration(segment.to_ms - segment.from_ms)),
            Cell::styled(name(segment.kind), look::hue(state)),
            Cell::styled(why, look::QUIET),
        ]);
    }
    table
}

fn name(kind: SegmentKind) -> &'static str {
    match kind {
        SegmentKind::Renting => "renting",
        SegmentKind::NoDemand => "no demand",
        SegmentKind::BelowFloor => "below floor",
        SegmentKind::InUse => "in use",
        SegmentKind::TooHot => "too hot",
        SegmentKind::Paused => "paused",
        SegmentKind::Off => "off",
        SegmentKind::BySettings => "by settings",
        SegmentKind::Settling => "settling",
        SegmentKind::Unavailable => "unavailable",
        SegmentKind::Unknown => "unknown",
        SegmentKind::NotRunning => "not running",
    }
}

/// The shape and hue that go with it.
fn state(kind: SegmentKind) -> RigState {
    match kind {
        SegmentKind::Renting => RigState::Renting,
        SegmentKind::NoDemand | SegmentKind::BelowFloor => RigState::Ready,
        SegmentKind::InUse
        | SegmentKind::Paused
        | SegmentKind::Off
        | SegmentKind::BySettings
        | SegmentKind::NotRunning => RigState::Yours,
        SegmentKind::TooHot | SegmentKind::Settling | SegmentKind::Unknown => RigState::Waiting,
        SegmentKind::Unavailable => RigState::NeedsYou,
    }
}
