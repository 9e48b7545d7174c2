//! What time does to leases: an offer nobody answers, a rig that fell silent, outputs that never came.

use super::{Lease, close, command};
use crate::db::Tx;
use crate::fault::Fault;
use std::time::Duration;
use sublet_protocol::heartbeat::{Action, StopWhy};
use sublet_protocol::ids::{LeaseId, RigId};
use sublet_protocol::lease::{EndCode, LeaseState};

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Silence after which a rig's leases are given to others.
    pub lost: Duration,
    /// From grant to the rig's answer.
    pub accept: Duration,
    /// From the rig's last word to the last of its outputs.
    pub outputs: Duration,
}

/// What has run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    /// The rig fell silent.
    Lost,
    /// The rig did not answer the offer.
    Unanswered,
    /// The outputs did not come.
    OutputsMissing,
}

/// What has run out for an open lease whose rig has been silent for `silent`, and has had its session for `here`:
/// while it has none, as after a restart of the marketplace, it could not answer, and that is not held against it.
pub fn look(
    lease: &Lease,
    silent: Duration,
    here: Duration,
    now_ms: u64,
    patience: &Patience,
) -> Option<Stale> {
    let since = |then: u64| Duration::from_millis(now_ms.saturating_sub(then)).min(here);
    if lease.closed {
        None
    } else if silent >= patience.lost {
        Some(Stale::Lost)
    } else if lease.state == LeaseState::Offered && since(lease.granted_ms) >= patience.accept {
        Some(Stale::Unanswered)
    } else if lease.state == LeaseState::Finished
        && lease
            .ended_ms
            .is_some_and(|ended| since(ended) >= patience.outputs)
    {
        Some(Stale::OutputsMissing)
    } else {
        None
    }
}

/// Ends a lease that has run out, unless it has closed meanwhile.
///
/// # Errors
/// The database does not take it.
pub async fn end(
    tx: &mut Tx,
    rig: &RigId,
    lease: &LeaseId,
    stale: Stale,
    now_ms: u64,
) -> Result<(), Fault> {
    let Some(lease) = Lease::of_rig(&mut tx.conn, rig, lease).await? else {
        return Ok(());
    };
    let moved_on = stale == Stale::Unanswered && lease.state != LeaseState::Offered;
    if lease.closed || moved_on {
        return Ok(());
    }
    let id = lease.id.clone();
    let (state, code, message) = match stale {
        Stale::Lost => (
            LeaseState::Lost,
            EndCode::Fenced,
            "The rig fell silent; what it had signed until then is paid.",
        ),
        Stale::Unanswered => (
            LeaseState::Refused,
            EndCode::NotAccepted,
            "The rig did not answer the offer in time.",
        ),
        Stale::OutputsMissing => (
            LeaseState::Failed,
            EndCode::SandboxFailed,
            "The rig said that it was done, but its outputs never arrived.",
        ),
    };
    close::by_the_market(tx, lease, state, code, message, now_ms).await?;
    if stale != Stale::OutputsMissing {
        // It may come back, and still run it.
        let stop = Action::Stop {
            lease: id.clone(),
            why: StopWhy::Lost,
        };
        command(tx, rig, &id, &stop).await?;
    }
    Ok(())
}
