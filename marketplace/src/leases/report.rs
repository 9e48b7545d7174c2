//! One lease report of a heartbeat: judged purely, then written with its money in the same transaction.
//!
//! A report is taken whole or not at all. A refused one changes nothing of its lease, and nothing of the others.

use super::transition::may_follow;
use super::{Lease, close, content};
use crate::db::Tx;
use crate::fault::Fault;
use crate::ledger::book::{self, Account, Entry, Kind};
use crate::store::to_db;
use sublet_protocol::ids::RigId;
use sublet_protocol::job::JobSpec;
use sublet_protocol::lease::{EndCode, Ending, LeaseState};
use sublet_protocol::money::MicroUsd;
use sublet_protocol::problem::{Problem, ProblemCode};

pub use sublet_protocol::heartbeat::LeaseReport;

/// How much more than the elapsed time a rig may claim: two clocks are read at two moments.
const LEEWAY_MS: u64 = 2_000;

/// What of the configuration matters to a report.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// How far ahead of the used time money is set aside, in ms.
    pub ahead_ms: u64,
}

/// Whether a report makes sense beside what is stored. The signature has been checked already.
///
/// # Errors
/// The problem that the rig is told, with the lease named.
pub fn judge(lease: &Lease, report: &LeaseReport, now_ms: u64) -> Result<(), Box<Problem>> {
    let refuse = |code, detail| Err(Box::new(Problem::new(code, detail)));
    let id = &lease.id;
    if !may_follow(lease.state, report.state) {
        let detail = format!(
            "lease {id} is {} here; it cannot become {}",
            lease.state.name(),
            report.state.name()
        );
        return refuse(ProblemCode::Conflict, detail);
    }
    let used = report.usage.used_ms;
    if used < lease.used_ms {
        let detail = format!(
            "lease {id} had run for {} ms; {used} ms is less",
            lease.used_ms
        );
        return refuse(ProblemCode::UsageWentBack, detail);
    }
    let elapsed = now_ms.saturating_sub(lease.granted_ms);
    // Quartz clocks differ by far less than one in a thousand.
    let most = elapsed
        .saturating_add(elapsed / 1_000)
        .saturating_add(LEEWAY_MS);
    if used > lease.used_ms && used > most {
        let detail =
            format!("lease {id} was granted {elapsed} ms ago; it cannot have run for {used} ms");
        return refuse(ProblemCode::UsageTooFar, detail);
    }
    if report.progress_permille.is_some_and(|p| p > 1000) {
        let detail = format!("lease {id}: progress is 0 to 1000 thousandths");
        return refuse(ProblemCode::BadRequest, detail);
    }
    judge_ending(lease, report)
}

fn judge_ending(lease: &Lease, report: &LeaseReport) -> Result<(), Box<Problem>> {
    let id = &lease.id;
    let refuse = |detail| Err(Box::new(Problem::new(ProblemCode::BadRequest, detail)));
    let name = report.state.name();
    match (&report.ending, report.state) {
        (None, LeaseState::Finished | LeaseState::Failed | LeaseState::Refused) => refuse(format!(
            "lease {id} is {name}, but the report does not say how it ended"
        )),
        (Some(ending), LeaseState::Failed | LeaseState::Refused)
            if ending.code == EndCode::Completed =>
        {
            refuse(format!("lease {id} cannot be {name} and completed"))
        }
        (Some(_), LeaseState::Refused) if report.usage.used_ms > 0 => {
            refuse(format!("lease {id} cannot be refused after it ran"))
        }
        (Some(ending), _) if ending.message.len() > 4_000 || ending.outputs.len() > 256 => refuse(
            format!("lease {id}: an ending takes 4000 bytes of text and 256 outputs at most"),
        ),
        _ => Ok(()),
    }
}

/// Whether the outputs are those that the job asked for, in its order.
fn judge_outputs(lease: &Lease, spec: &JobSpec, ending: &Ending) -> Result<(), Box<Problem>> {
    let named = ending.outputs.iter().map(|output| &output.path);
    if ending.code == EndCode::Completed && !named.eq(spec.outputs.iter()) {
        return Err(Box::new(Problem::new(
            ProblemCode::BadRequest,
            format!(
                "lease {}: the outputs are not those of the job, in its order: {}",
                lease.id,
                spec.outputs.join(", ")
            ),
        )));
    }
    Ok(())
}

/// Takes a report whose signature has been checked. A lease that is closed already is left as it is.
///
/// # Errors
/// [`Fault::Refused`] where this report is not taken (nothing was written); any other where the database failed.
pub async fn take(
    tx: &mut Tx,
    rig: &RigId,
    report: &LeaseReport,
    rules: Rules,
    now_ms: u64,
) -> Result<(), Fault> {
    let Some(mut lease) = Lease::of_rig(&mut tx.conn, rig, &report.lease).await? else {
        return Err(Fault::refused(
            ProblemCode::NotFound,
            format!("lease {} is not one of this rig's; forget it", report.lease),
        ));
    };
    if lease.closed {
        return Ok(());
    }
    judge(&lease, report, now_ms).map_err(Fault::Refused)?;
    if let Some(ending) = report
        .ending
        .as_ref()
        .filter(|_| report.state.is_over_for_rig())
    {
        let spec = crate::jobs::spec(&mut tx.conn, &lease.job).await?;
        judge_outputs(&lease, &spec, ending).map_err(Fault::Refused)?;
    }

    let over = report.state.is_over_for_rig();
    lease.state = report.state;
    lease.used_ms = report.usage.used_ms;
    lease.progress = report.progress_permille.or(lease.progress);
    content::keep(tx, &mut lease, report.checkpoint.as_ref(), now_ms).await?;
    if !over {
        // Before the charge: then the line and the funding of one reply agree, and a repeat changes nothing.
        raise(tx, &mut lease, rules, now_ms).await?;
    }
    charge(tx, &mut lease, now_ms).await?;
    if over {
        if lease.ended_ms.is_none() {
            lease.ended_ms = Some(now_ms);
        }
        lease.ending = report.ending.clone();
        keep_outputs(tx, &lease).await?;
        close::after_the_last_word(tx, lease, now_ms).await
    } else {
        lease.save(tx).await
    }
}

/// Charges used time, as far as money is set aside for it.
async fn charge(tx: &mut Tx, lease: &mut Lease, now_ms: u64) -> Result<(), Fault> {
    let before = lease.charge;
    let after = lease.terms.charge(lease.used_ms, lease.reserved);
    let gross = after.gross.saturating_sub(before.gross);
    let fee = after.fee.saturating_sub(before.fee);
    book::post(
        tx,
        Entry {
            kind: Kind::Charge,
            lease: Some(&lease.id),
            at_ms: now_ms,
            from: (Account::Reserved(&lease.renter), gross),
            to: &[
                (Account::Rig(&lease.rig), gross.saturating_sub(fee)),
                (Account::Fees, fee),
            ],
        },
    )
    .await?;
    lease.charge = after;
    Ok(())
}

/// Sets more money aside, as far as there is any.
async fn raise(tx: &mut Tx, lease: &mut Lease, rules: Rules, now_ms: u64) -> Result<(), Fault> {
    let free = book::holds(&mut tx.conn, Account::Free(&lease.renter)).await?;
    let more = lease
        .terms
        .raise(lease.used_ms, rules.ahead_ms, lease.reserved, free);
    set_aside(tx, lease, more, now_ms).await
}

/// Moves money from the renter's free account to the reserved one, for this lease.
///
/// # Errors
/// The database does not take it.
pub async fn set_aside(
    tx: &mut Tx,
    lease: &mut Lease,
    more: MicroUsd,
    now_ms: u64,
) -> Result<(), Fault> {
    book::post(
        tx,
        Entry {
            kind: Kind::Reserve,
            lease: Some(&lease.id),
            at_ms: now_ms,
            from: (Account::Free(&lease.renter), more),
            to: &[(Account::Reserved(&lease.renter), more)],
        },
    )
    .await?;
    lease.reserved = lease.reserved.saturating_add(more);
    Ok(())
}

/// Remembers what the lease made, so that its renter may fetch it.
async fn keep_outputs(tx: &mut Tx, lease: &Lease) -> Result<(), Fault> {
    for output in lease.ending.iter().flat_map(|ending| &ending.outputs) {
        sqlx::query("INSERT OR IGNORE INTO lease_outputs (lease, cid, bytes) VALUES (?, ?, ?)")
            .bind(lease.id.as_str())
            .bind(output.cid.to_string())
            .bind(to_db(output.bytes).map_err(|_| {
                Fault::refused(
                    ProblemCode::BadRequest,
                    format!("lease {}: an output of {} bytes", lease.id, output.bytes),
                )
            })?)
            .execute(&mut tx.conn)
            .await?;
    }
    Ok(())
}
