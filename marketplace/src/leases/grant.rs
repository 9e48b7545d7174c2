//! Granting: a lease is written, its first money set aside and the command queued, in one transaction that looks
//! again at everything that may have changed since the match was made.

use super::{Lease, LeasedGpu, command, content, report};
use crate::db::Tx;
use crate::fault::Fault;
use crate::jobs;
use crate::ledger::book::{self, Account};
use crate::ledger::{Charge, Terms};
use crate::store::{from_word, to_id};
use sublet_protocol::heartbeat::Action;
use sublet_protocol::ids::{JobId, LeaseId, RenterId, RigId};
use sublet_protocol::lease::{LeaseGrant, LeaseState};
use sublet_protocol::money::{BasisPoints, HourlyPrice, MicroUsd};
use sublet_protocol::renter::JobState;

/// A lease starts only where its renter can pay at least this much of it, in ms (or all of it).
pub const LEAST_FUNDED_MS: u64 = 5_000;

/// A match to be made good.
#[derive(Debug, Clone)]
pub struct Match {
    /// The order.
    pub job: JobId,
    /// Who won it.
    pub rig: RigId,
    /// On what.
    pub gpus: Vec<LeasedGpu>,
    /// For how much.
    pub price: HourlyPrice,
}

/// Whether free money lets a lease at this price start.
pub fn can_start(price: HourlyPrice, deadline_ms: u64, free: MicroUsd) -> bool {
    price.0 == MicroUsd::ZERO
        || (free > MicroUsd::ZERO && price.affordable_ms(free) >= LEAST_FUNDED_MS.min(deadline_ms))
}

/// Grants, unless the job, the GPUs or the money have gone meanwhile; then `None`.
///
/// # Errors
/// The database does not take it.
pub async fn grant(
    tx: &mut Tx,
    found: &Match,
    fee: BasisPoints,
    ahead_ms: u64,
    now_ms: u64,
) -> Result<Option<LeaseId>, Fault> {
    let (renter, state): (String, String) =
        sqlx::query_as("SELECT renter, state FROM jobs WHERE id = ?")
            .bind(found.job.as_str())
            .fetch_one(&mut tx.conn)
            .await?;
    let renter: RenterId = to_id(renter)?;
    if from_word::<JobState>(&state)? != JobState::Queued {
        return Ok(None);
    }
    let open = Lease::open_of_rig(&mut tx.conn, &found.rig).await?;
    let taken = |gpu: &LeasedGpu| {
        open.iter()
            .filter(|lease| !lease.state.is_over_for_rig())
            .any(|lease| lease.gpus.iter().any(|other| other.id == gpu.id))
    };
    if found.gpus.iter().any(taken) {
        return Ok(None);
    }
    let spec = jobs::spec(&mut tx.conn, &found.job).await?;
    let free = book::holds(&mut tx.conn, Account::Free(&renter)).await?;
    if !can_start(found.price, spec.deadline_ms, free) {
        return Ok(None);
    }
    let terms = Terms {
        price: found.price,
        fee,
        deadline_ms: spec.deadline_ms,
    };
    let id = format!("lease-{}", crate::secret::random_hex::<10>()?);
    let mut lease = Lease {
        id: to_id(id)?,
        job: found.job.clone(),
        renter,
        rig: found.rig.clone(),
        gpus: found.gpus.clone(),
        terms,
        state: LeaseState::Offered,
        granted_ms: now_ms,
        ended_ms: None,
        used_ms: 0,
        reserved: MicroUsd::ZERO,
        charge: Charge::default(),
        progress: None,
        ending: None,
        checkpoint: None,
        closed: false,
    };
    lease.insert(tx).await?;
    let checkpoint = content::hand_over(tx, &lease, &spec).await?;
    let first = terms.raise(0, ahead_ms, MicroUsd::ZERO, free);
    report::set_aside(tx, &mut lease, first, now_ms).await?;
    lease.save(tx).await?;
    let action = Action::Grant {
        grant: Box::new(LeaseGrant {
            lease: lease.id.clone(),
            job: lease.job.clone(),
            gpus: lease.gpus.iter().map(|gpu| gpu.id.clone()).collect(),
            spec,
            price: terms.price,
            fee,
            funded_ms: lease.funded_ms(),
            checkpoint,
        }),
    };
    command(tx, &lease.rig, &lease.id, &action).await?;
    jobs::set_state(tx, &lease.job, JobState::Leased).await?;
    tracing::info!(lease = %lease.id, job = %lease.job, rig = %lease.rig, price = %terms.price, "lease granted");
    Ok(Some(lease.id))
}
