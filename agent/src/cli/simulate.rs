//! `sublet simulate`: what would these settings have made of these weeks?

use super::command::SimulateArgs;
use super::exit::CliError;
use super::look::{self, Look};
use super::page::{Align, Cell, Page, Table};
use super::words;
use crate::settings::{self, FILE_NAME, KnownGpu};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use sublet_core::Settings;
use sublet_core::facts::PowerRange;
use sublet_core::simulate::{Card, EXAMPLES, Example, GpuReport, Report, Sums, Trace, simulate};
use sublet_protocol::money::MicroUsd;
use sublet_protocol::reason::{ReasonCode, RigState};

/// Reads a kind of owner.
pub fn example(text: &str) -> Result<Example, String> {
    let mut examples = EXAMPLES.into_iter();
    examples
        .find(|example| example.name() == text)
        .ok_or_else(|| {
            let names = EXAMPLES.map(Example::name).join(", ");
            format!("there are {names}")
        })
}

/// Replays the trace that the arguments name, or `recorded`, which the agent told. `data` is where the owner's own
/// settings lie.
pub fn replay(
    args: &SimulateArgs,
    recorded: Option<String>,
    data: &Path,
) -> Result<Report, CliError> {
    let trace = match (recorded, &args.trace) {
        (Some(text), _) => Trace::parse(&text)
            .map_err(|error| anyhow::anyhow!("what the agent recorded does not read: {error}"))?,
        (None, Some(path)) => Trace::parse(&read(path)?)
            .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?,
        (None, None) => {
            let needed = "--trace FILE names the weeks to replay; --recorded takes your own, --example gamer makes some up";
            return Err(CliError::Usage(needed.to_owned()));
        }
    };
    let settings = settings(args.settings.as_deref(), data, &trace)?;
    Ok(simulate(&trace, &settings))
}

fn read(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path)
        .map_err(|error| anyhow::anyhow!("{} could not be read: {error}", path.display()).into())
}

/// The settings of a file, read by the one parser that there is; the owner's own where none is named.
fn settings(named: Option<&Path>, data: &Path, trace: &Trace) -> Result<Settings, CliError> {
    let own = data.join(FILE_NAME);
    let path: PathBuf = match named {
        Some(path) => path.to_owned(),
        None if own.exists() => own,
        None => return Ok(Settings::default()),
    };
    let known: Vec<KnownGpu> = trace.head.gpus.iter().map(known).collect();
    match settings::parse_text(&read(&path)?, &known) {
        Ok(parsed) => Ok(parsed.choices.settings),
        Err(faults) => {
            let faults: Vec<String> = faults
                .iter()
                .map(|fault| format!("{}: {fault}", path.display()))
                .collect();
            Err(anyhow::anyhow!("{}", faults.join("\n")).into())
        }
    }
}

fn known(card: &Card) -> KnownGpu {
    KnownGpu {
        id: card.id.clone(),
        name: card.name.clone(),
        slowdown_c: None,
        power: card.lowest_w.map(|lowest_w| PowerRange {
            lowest_mw: lowest_w * 1_000,
            highest_mw: card.limit_w * 1_000,
            default_mw: card.limit_w * 1_000,
        }),
    }
}

/// The page; `days` draws the line of time.
pub fn render(report: &Report, days: bool, look: &Look) -> String {
    let net = report.total.net;
    let sentence = format!(
        "{}: in {} these settings would have earned {} to {}.",
        report.name,
        span(report.to_ms - report.from_ms),
        dollars(net.low),
        dollars(net.high)
    );
    let mut page = Page::led_by(look, &sentence);
    let [least, most] = report.demand_percent;
    page.quiet(&format!(
        "That is after the fee and electricity, if {least} to {most} % of the hours in which an order paid enough had become yours."
    ));
    page.quiet("All other figures are for all of those hours. The rest of the machine's electricity is not in them.");
    if report.total.electricity == MicroUsd::ZERO && report.total.energy_wh > 0 {
        page.quiet("Electricity is reckoned as free: these settings name no price for it.");
    }
    page.space();
    page.table(&money(report));
    page.space();
    page.table(&hours(&report.total));
    if days {
        for gpu in &report.gpus {
            page.space();
            page.line(&format!("{}, half an hour each:", gpu.name));
            page.table(&line_of_time(report, gpu));
        }
        page.space();
        page.quiet(&legend());
    }
    if report.total.rented_ms == 0 {
        page.hint("Nothing would have been rented: the hours above say why.");
    } else if !days {
        page.hint("`--days` draws the days, `--json` has everything.");
    }
    page.finish()
}

fn money(report: &Report) -> Table {
    let mut table = Table::new(&[
        ("", Align::Left),
        ("rentable", Align::Point),
        ("rented", Align::Point),
        ("energy", Align::Point),
        ("gross", Align::Point),
        ("fee", Align::Point),
        ("electricity", Align::Point),
        ("longest wait", Align::Right),
        ("for", Align::Left),
        ("", Align::Left),
    ]);
    let several = report.gpus.len() > 1;
    for gpu in &report.gpus {
        let wait = gpu.longest_wait;
        let mut cells = figures(&gpu.name, &gpu.sums);
        cells.push(Cell::from(
            wait.map(|wait| words::duration(wait.to_ms - wait.from_ms))
                .unwrap_or_default(),
        ));
        cells.push(Cell::from(wait.map_or("", |wait| cause(wait.mostly))));
        if several {
            cells.push(Cell::styled(gpu.gpu.as_str(), look::QUIET));
        }
        table.row(cells);
    }
    if several {
        table.row(figures("together", &report.total));
    }
    table
}

fn figures(name: &str, sums: &Sums) -> Vec<Cell> {
    let amount =
        |amount: MicroUsd| Cell::from(dollars(i64::try_from(amount.0).unwrap_or(i64::MAX)));
    vec![
        Cell::from(name),
        Cell::from(in_hours(sums.rentable_ms)),
        Cell::from(in_hours(sums.rented_ms)),
        Cell::from(format!(
            "{}.{} kWh",
            sums.energy_wh / 1_000,
            sums.energy_wh % 1_000 / 100
        )),
        amount(sums.gross),
        amount(sums.fee),
        amount(sums.electricity),
    ]
}

/// Where the hours went, the most first.
fn hours(sums: &Sums) -> Table {
    let mut table = Table::new(&[
        ("", Align::Left),
        ("where the hours went", Align::Left),
        ("", Align::Point),
        ("", Align::Right),
    ]);
    let mut line = |state: RigState, name: &str, ms: u64| {
        let share = format!("{} %", (ms * 100 + sums.time_ms / 2) / sums.time_ms.max(1));
        let style = look::hue(state);
        table.row([
            Cell::styled(look::glyph(state), style),
            Cell::from(name),
            Cell::from(in_hours(ms)),
            Cell::from(share),
        ]);
    };
    line(RigState::Renting, "rented", sums.rented_ms);
    for (state, by_reason) in [
        (RigState::Ready, &sums.waited_ms),
        (RigState::Yours, &sums.barred_ms),
    ] {
        for (code, ms) in most_first(by_reason) {
            line(state, cause(code), ms);
        }
    }
    table
}

fn most_first(by_reason: &BTreeMap<ReasonCode, u64>) -> Vec<(ReasonCode, u64)> {
    let mut lines: Vec<_> = by_reason.iter().map(|(code, ms)| (*code, *ms)).collect();
    lines.sort_by_key(|(code, ms)| (std::cmp::Reverse(*ms), *code));
    lines
}

const HOUR_MS: u64 = 3_600_000;
const HALF_HOUR_MS: u64 = HOUR_MS / 2;
const DAY_MS: u64 = 24 * HOUR_MS;

/// One line a day, one shape for each half hour: what it did for most of it.
fn line_of_time(report: &Report, gpu: &GpuReport) -> Table {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    let local = |ms: u64| ms.saturating_add_signed(i64::from(report.utc_offset_s) * 1_000);
    let mut day = local(report.from_ms) / DAY_MS * DAY_MS;
    while day < local(report.to_ms) {
        let shapes: String = (0..48)
            .map(|half| {
                let from = day + half * HALF_HOUR_MS;
                mostly(gpu, local, from, from + HALF_HOUR_MS).map_or(' ', look::glyph)
            })
            .collect();
        table.row([Cell::styled(date(day), look::QUIET), Cell::from(shapes)]);
        day += DAY_MS;
    }
    table
}

/// What it did for most of a time, in local ms.
fn mostly(gpu: &GpuReport, local: impl Fn(u64) -> u64, from: u64, to: u64) -> Option<RigState> {
    let begins = gpu
        .timeline
        .partition_point(|span| local(span.to_ms) <= from);
    let mut sums: Vec<(RigState, u64)> = Vec::new();
    for span in gpu.timeline.iter().skip(begins) {
        if local(span.from_ms) >= to {
            break;
        }
        let ms = local(span.to_ms).min(to) - local(span.from_ms).max(from);
        match sums.iter_mut().find(|(state, _)| *state == span.state) {
            Some((_, sum)) => *sum += ms,
            None => sums.push((span.state, ms)),
        }
    }
    sums.into_iter()
        .max_by_key(|(_, ms)| *ms)
        .map(|(state, _)| state)
}

fn date(local_ms: u64) -> String {
    let at = i64::try_from(local_ms).ok();
    at.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map(|at| {
            at.to_zoned(jiff::tz::TimeZone::UTC)
                .strftime("%a %m-%d")
                .to_string()
        })
        .unwrap_or_default()
}

fn legend() -> String {
    [
        RigState::Renting,
        RigState::Ready,
        RigState::Yours,
        RigState::Waiting,
        RigState::NeedsYou,
    ]
    .map(|state| format!("{} {}", look::glyph(state), look::word(state)))
    .join("   ")
}

/// `28 days`, `36 hours`.
fn span(ms: u64) -> String {
    match ms % DAY_MS {
        0 => words::count(
            usize::try_from(ms / DAY_MS).unwrap_or(usize::MAX),
            "day",
            "days",
        ),
        _ => words::duration(ms),
    }
}

/// `381.3 h`
fn in_hours(ms: u64) -> String {
    let tenths = (ms * 10 + HOUR_MS / 2) / HOUR_MS;
    format!("{}.{} h", tenths / 10, tenths % 10)
}

/// `$13.17`, `-$0.42`: to the cent below.
fn dollars(micros: i64) -> String {
    let cents = micros.div_euclid(10_000);
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}${}.{:02}", cents / 100, cents % 100)
}

/// A reason in a few words, as something that takes hours.
fn cause(code: ReasonCode) -> &'static str {
    use ReasonCode as C;
    match code {
        C::AgentAway => "the machine was off",
        C::PausedByOwner => "you paused it",
        C::SwitchedOff => "switched off for renting",
        C::NotSetUp => "not set up",
        C::SettingsUnreadable => "settings did not read",
        C::NeedsOwner => "something needed you",
        C::LedgerUnwritable => "the ledger could not be written",
        C::GpuLost => "the GPU was gone",
        C::MemoryHeld => "its memory was held",
        C::ReadingUnknown => "a reading was missing",
        C::ProgramRuns => "a game or chosen program ran",
        C::OwnerPresent => "you were at the machine",
        C::Watching => "something was watched",
        C::GpuInUse => "the GPU was in use",
        C::Returning => "its memory was being freed",
        C::TooHot => "too hot",
        C::OnBattery => "on battery",
        C::MeteredNetwork => "on a metered network",
        C::OutsideHours => "outside the hours you chose",
        C::Settling => "settling",
        C::SoftwareGpu => "only software renders",
        C::NotBenchmarked => "not measured",
        C::DockerUnavailable => "Docker did not answer",
        C::MarketUnreachable => "the marketplace did not answer",
        C::BelowCost => "orders paid less than electricity",
        C::BelowFloor => "orders paid less than your floor",
        C::NoDemand => "no order waited",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(dollars(13_171_983), "$13.17");
        assert_eq!(dollars(-1), "-$0.01");
        assert_eq!(in_hours(1_372_755_000), "381.3 h");
        assert_eq!(
            (span(28 * DAY_MS), span(DAY_MS)),
            ("28 days".into(), "1 day".into())
        );
        assert_eq!(date(1_793_577_600_000), "Mon 11-02");
    }

    #[test]
    fn every_example_has_its_name() {
        for kind in EXAMPLES {
            assert_eq!(example(kind.name()), Ok(kind));
        }
        assert_eq!(
            example("miner"),
            Err("there are gamer, studio, farm, laptop".to_owned())
        );
    }
}
