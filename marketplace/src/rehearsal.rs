//! The steps of the marketplace's life, by name, for the recovery tests: they make it stand still at each, and kill it,
//! or somebody else, there. The names come from what can be written, so that none can be forgotten.

use crate::ledger::book::Kind;
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use sublet_protocol::heartbeat::Action;
use sublet_protocol::lease::LeaseState;
use sublet_protocol::renter::JobState;

pub use sublet_steps::{reach, rehearse, rehearses};

sublet_steps::names! {
    /// What a lease's row is called by the state that is written.
    pub fn lease(LeaseState), const LEASES;
    LeaseState::Offered => "lease-offered",
    LeaseState::Accepted => "lease-accepted",
    LeaseState::Pulling => "lease-pulling",
    LeaseState::Starting => "lease-starting",
    LeaseState::Running => "lease-running",
    LeaseState::Paused => "lease-paused",
    LeaseState::Reclaiming => "lease-reclaiming",
    LeaseState::Uploading => "lease-uploading",
    LeaseState::Finished => "lease-finished",
    LeaseState::Verified => "lease-verified",
    LeaseState::Settled => "lease-settled",
    LeaseState::Failed => "lease-failed",
    LeaseState::Refused => "lease-refused",
    LeaseState::Lost => "lease-lost",
}

sublet_steps::names! {
    /// What a job's row is called by the state that is written.
    pub fn job(JobState), const JOBS;
    JobState::Queued => "job-queued",
    JobState::Leased => "job-leased",
    JobState::Completed => "job-completed",
    JobState::Failed => "job-failed",
    JobState::Cancelled => "job-cancelled",
}

sublet_steps::names! {
    /// What an entry of the ledger is called.
    pub fn money(Kind), const MONEY;
    Kind::Topup => "topup",
    Kind::Reserve => "reserve",
    Kind::Charge => "charge",
    Kind::Release => "release",
}

sublet_steps::names! {
    /// What a command to a rig is called.
    pub fn command(Action), const COMMANDS;
    Action::Grant { .. } => "command-grant",
    Action::Stop { .. } => "command-stop",
}

/// What else is written.
const OTHERS: &[&str] = &[SESSION, BLOB, ACKNOWLEDGED, CANCELLING];
/// A rig's new session.
pub const SESSION: &str = "session";
/// A blob that is here.
pub const BLOB: &str = "blob";
/// A rig has seen its commands.
pub const ACKNOWLEDGED: &str = "acknowledged";
/// A renter wants a job ended.
pub const CANCELLING: &str = "cancelling";

/// A row is written, and not committed.
pub fn writing(row: &str) {
    reach(format_args!("writing:{row}"));
}

/// A row is committed, and nobody was told.
pub fn written(row: &str) {
    reach(format_args!("written:{row}"));
}

/// An answer is ready, and not sent.
pub async fn answering(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let path = path.map_or("nowhere", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let answer = next.run(request).await;
    reach(format_args!("answering:{method}:{path}"));
    answer
}

/// Every step that has a name of its own; answers come on top, as they are met.
pub fn all() -> Vec<String> {
    let rows = [LEASES, JOBS, MONEY, COMMANDS, OTHERS].concat();
    let each = |row| ["writing", "written"].map(|moment| format!("{moment}:{row}"));
    rows.into_iter().flat_map(each).collect()
}
