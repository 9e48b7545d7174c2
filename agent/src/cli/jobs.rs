//! `sublet jobs`: what ran here, what it may reach, what it earned.

use super::look::{self, Look};
use super::page::{Align, Cell, Page, Table};
use super::words;
use sublet_protocol::lease::{EndCode, LeaseState};
use sublet_protocol::local::{Jobs, LeaseView};

/// The page.
pub fn render(jobs: &Jobs, look: &Look) -> String {
    let mut page = Page::led_by(look, &sentence(&jobs.leases));
    if jobs.leases.is_empty() {
        page.quiet("One comes when a renter's order fits your GPUs and your prices.");
        page.hint("`sublet status` says whether your GPUs are on offer.");
        return page.finish();
    }
    page.space();
    page.table(&table(&jobs.leases, look));
    page.hint("`sublet jobs --log LEASE` shows what a job wrote.");
    page.finish()
}

fn sentence(leases: &[LeaseView]) -> String {
    let over = leases.iter().filter(|lease| is_over(lease)).count();
    let open = leases.len() - over;
    match (open, over) {
        (0, 0) => "No job ran here yet.".to_owned(),
        (0, _) => format!(
            "No job runs now; {} ran before.",
            words::count(over, "job", "jobs")
        ),
        (_, 0) => format!("{} here now.", words::count(open, "job", "jobs")),
        _ => format!(
            "{} here now; {over} ran before.",
            words::count(open, "job", "jobs")
        ),
    }
}

fn is_over(lease: &LeaseView) -> bool {
    lease.ending.is_some() || lease.state.is_over_for_rig()
}

fn table(leases: &[LeaseView], look: &Look) -> Table {
    let mut table = Table::new(&[
        ("job", Align::Left),
        ("lease", Align::Left),
        ("state", Align::Left),
        ("began", Align::Left),
        ("done", Align::Right),
        ("used", Align::Right),
        ("price", Align::Point),
        ("earned", Align::Point),
    ]);
    for lease in leases {
        let progress = lease
            .progress_permille
            .map(|done| words::permille(done.into()));
        let cells = [
            Cell::from(&lease.name),
            Cell::from(&lease.lease),
            Cell::styled(lease.state.name(), hue(lease.state)),
            Cell::from(words::moment(lease.granted_at_ms, look)),
            Cell::from(progress.unwrap_or_default()),
            Cell::from(words::duration(lease.used_ms)),
            Cell::from(lease.price),
            Cell::from(lease.earned),
        ];
        table.row_with_notes(cells, notes(lease));
    }
    table
}

fn hue(state: LeaseState) -> anstyle::Style {
    use sublet_protocol::reason::RigState::{NeedsYou, Renting};
    match state {
        LeaseState::Running => look::hue(Renting),
        LeaseState::Failed | LeaseState::Lost => look::hue(NeedsYou),
        _ => anstyle::Style::new(),
    }
}

/// While it is here, what it may reach; afterwards, why it ended, unless it simply was done.
fn notes(lease: &LeaseView) -> Vec<String> {
    match &lease.ending {
        Some(ending) if ending.code == EndCode::Completed => Vec::new(),
        Some(ending) => vec![match &lease.reason {
            Some(reason) => format!("why it ended: {}", reason.text),
            None => ending.message.clone(),
        }],
        None if lease.may_reach.is_empty() || is_over(lease) => Vec::new(),
        None => vec![format!("reaches: {}", lease.may_reach.join(", "))],
    }
}
