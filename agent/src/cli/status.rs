//! `sublet status`: is the GPU mine or rented, why, and what did it earn.

use super::look::{self, Look};
use super::page::{Align, Cell, Page, Table};
use super::{gpus, words};
use sublet_protocol::local::{GpuView, LeaseView, MarketView, Status};
use sublet_protocol::reason::{Reason, ReasonCode, RigState};

/// The page.
pub fn render(status: &Status, look: &Look) -> String {
    let mut page = Page::led_by(look, &status.sentence);
    let shared = shared_reasons(&status.gpus);
    for reason in shared
        .iter()
        .filter(|reason| !said(&status.sentence, reason))
    {
        page.quiet(&sentence_of(reason));
    }
    if !status.gpus.is_empty() {
        page.space();
        page.table(&gpu_table(&status.gpus, &shared));
    }
    if !status.leases.is_empty() {
        page.space();
        page.table(&lease_table(&status.leases));
    }
    page.space();
    page.table(&figures(status, look));
    if let Some(hint) = hint(status) {
        page.hint(hint);
    }
    page.finish()
}

/// The reasons that hold for every GPU; they are said once.
fn shared_reasons(gpus: &[GpuView]) -> Vec<Reason> {
    let Some((first, rest)) = gpus.split_first() else {
        return Vec::new();
    };
    let everywhere = |reason: &&Reason| rest.iter().all(|gpu| gpu.reasons.contains(reason));
    first.reasons.iter().filter(everywhere).cloned().collect()
}

/// The first reason is usually what the sentence is made of.
fn said(sentence: &str, reason: &Reason) -> bool {
    sentence.contains(reason.text.trim_end_matches('.')) && sentence.contains(&reason.remedy)
}

fn sentence_of(reason: &Reason) -> String {
    format!("{} {}", reason.text, reason.remedy)
        .trim_end()
        .to_owned()
}

/// One line per GPU: shape, name, state, readings, floor. Readings that nobody has take no room.
fn gpu_table(gpus: &[GpuView], shared: &[Reason]) -> Table {
    let mut table = Table::new(&[
        ("", Align::Left),
        ("", Align::Left),
        ("", Align::Left),
        ("", Align::Right),
        ("", Align::Right),
        ("", Align::Right),
        ("", Align::Right),
        ("", Align::Point),
    ]);
    for gpu in gpus {
        let style = look::hue(gpu.state);
        let seen = gpu.telemetry.as_ref();
        let memory = seen.and_then(|seen| seen.memory_used_bytes).map(|used| {
            let all = gpu.info.memory_bytes.map(words::memory);
            let all = all.map(|all| format!(" of {all}")).unwrap_or_default();
            words::memory(used) + &all
        });
        let figure = |figure: Option<String>| Cell::from(figure.unwrap_or_default());
        let cells = [
            Cell::styled(look::glyph(gpu.state), style),
            Cell::from(gpus::name(&gpu.info)),
            Cell::styled(look::word(gpu.state), style),
            figure(
                seen.and_then(|seen| seen.temperature_c)
                    .map(|c| format!("{c} °C")),
            ),
            figure(
                seen.and_then(|seen| seen.power_mw)
                    .map(|mw| format!("{} W", mw / 1000)),
            ),
            figure(
                seen.and_then(|seen| seen.load_percent)
                    .map(|load| format!("{load} %")),
            ),
            figure(memory),
            Cell::from(format!("from {}", gpu.floor)),
        ];
        let own = gpu.reasons.iter().filter(|reason| !shared.contains(reason));
        let mut notes: Vec<String> = own.map(sentence_of).collect();
        notes.extend(seen.and_then(|seen| seen.problem.clone()));
        table.row_with_notes(cells, notes);
    }
    table
}

fn lease_table(leases: &[LeaseView]) -> Table {
    let mut table = Table::new(&[
        ("job", Align::Left),
        ("lease", Align::Left),
        ("state", Align::Left),
        ("done", Align::Right),
        ("used", Align::Right),
        ("price", Align::Point),
        ("earned", Align::Point),
    ]);
    for lease in leases {
        let progress = match &lease.transfer {
            Some(transfer) => Some(words::transfer(transfer)),
            None => lease
                .progress_permille
                .map(|done| words::permille(done.into())),
        };
        table.row([
            Cell::from(&lease.name),
            Cell::from(&lease.lease),
            Cell::from(lease.state.name()),
            Cell::from(progress.unwrap_or_default()),
            Cell::from(words::duration(lease.used_ms)),
            Cell::from(lease.price),
            Cell::from(lease.earned),
        ]);
    }
    table
}

fn figures(status: &Status, look: &Look) -> Table {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    let mut line = |name: &str, figure: String| {
        table.row([Cell::styled(name, look::QUIET), Cell::from(figure)]);
    };
    let fee = status
        .market
        .fee
        .map(|fee| format!(" after the marketplace's {fee}"));
    line(
        "Today",
        format!("{}{}", status.today, fee.unwrap_or_default()),
    );
    if let Some(pause) = &status.pause {
        let until = pause
            .until_ms
            .map(|until| format!("until {}", words::moment(until, look)));
        line(
            "Paused",
            until.unwrap_or_else(|| "until you resume".to_owned()),
        );
    }
    // Where a reason above already says what is wrong, once is enough.
    let mut reasons = status.gpus.iter().flat_map(|gpu| &gpu.reasons);
    let explained = reasons.any(|reason| reason.code == ReasonCode::MarketUnreachable);
    line("Market", market(&status.market, explained, look));
    table
}

fn market(market: &MarketView, explained: bool, look: &Look) -> String {
    let last = market.last_answer_ms.map(|at| words::ago(at, look));
    let talk = match (market.connected, last) {
        (true, Some(last)) => format!("answered {last}"),
        (true, None) => "connected".to_owned(),
        (false, Some(last)) => format!("not connected, last answered {last}"),
        (false, None) => "not connected yet".to_owned(),
    };
    let problem = market.problem.as_ref().filter(|_| !explained);
    let problem = problem.map(|problem| format!(": {problem}"));
    format!("{}, {talk}{}", market.url, problem.unwrap_or_default())
}

/// The command that is most likely wanted next.
fn hint(status: &Status) -> Option<&'static str> {
    let stands = |code| {
        let mut reasons = status.gpus.iter().flat_map(|gpu| &gpu.reasons);
        reasons.any(|reason| reason.code == code)
    };
    if status.pause.is_some() {
        Some("`sublet resume` ends the pause.")
    } else if stands(ReasonCode::NotSetUp) {
        Some("`sublet settings preset gamer` is one choice; `sublet settings` shows all four.")
    } else if stands(ReasonCode::NotBenchmarked) {
        Some("`sublet bench` measures your GPUs.")
    } else if status.state == RigState::NeedsYou || status.gpus.is_empty() {
        Some("`sublet doctor` looks at everything that renting needs.")
    } else if !status.leases.is_empty() {
        Some("`sublet jobs` shows what each job may reach.")
    } else if status.today.0 > 0 {
        Some("`sublet wallet` shows what was earned, and what proves it.")
    } else {
        None
    }
}
