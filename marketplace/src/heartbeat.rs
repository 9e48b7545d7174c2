//! A heartbeat, from its checks to its reply.
//!
//! The common one changes nothing durable and is answered from memory. One that carries news of a lease waits for
//! its commit first, so the voucher in its reply never promises what a power cut could undo.

use crate::app::App;
use crate::board::{Live, Rig};
use crate::clock::now_ms;
use crate::db::Tx;
use crate::fault::Fault;
use crate::leases::report::{self, LeaseReport, Rules};
use crate::leases::{Lease, LeasedGpu};
use crate::store::to_db;
use futures_util::FutureExt;
use std::sync::Arc;
use std::time::Instant;
use sublet_protocol::heartbeat::{
    CLOCK_TOLERANCE_MS, Funding, Heartbeat, HeartbeatReply, LeaseProblem,
};
use sublet_protocol::ids::RigId;
use sublet_protocol::money::MicroUsd;
use sublet_protocol::problem::{Problem, ProblemCode};
use sublet_protocol::voucher::{VoucherLine, VoucherStatement};

/// The most leases and GPUs that one heartbeat may name.
const MOST: usize = 256;

/// What the reports of one heartbeat came to.
#[derive(Default)]
struct Taken {
    refused: Vec<LeaseProblem>,
    /// Reported leases that are closed here.
    closed: Vec<Lease>,
}

/// Takes a heartbeat of a rig whose token holds.
///
/// # Errors
/// `stale_epoch`, `stale_seq`, `clock_off`, `bad_request`: nothing of it is taken. A bad lease report is not an
/// error: it is named in the reply, and everything else counts.
pub async fn take(app: &App, rig: &Arc<Rig>, beat: Heartbeat) -> Result<HeartbeatReply, Fault> {
    let _turn = rig.turn.lock().await;
    let now = now_ms();
    check(&beat, now)?;
    let fresh = admit(app, rig, &beat)?;

    let (news, mut refused) = news(app, rig, &beat);
    let acknowledged = {
        let live = rig.live();
        let seen = beat.commands_seen;
        let waits = live.mirror.commands.first().is_some_and(|c| c.id <= seen);
        (waits || seen > live.mirror.last_command).then_some(seen)
    };
    let mut closed = Vec::new();
    if !news.is_empty() || acknowledged.is_some() {
        let (id, rules) = (rig.id.clone(), app.config.timing.rules());
        let taken = app
            .db
            .change(move |tx| write(tx, id, news, acknowledged, rules, now).boxed())
            .await?;
        refused.extend(taken.refused);
        closed = taken.closed;
    }
    reply(app, rig, &beat, fresh, refused, closed)
}

fn check(beat: &Heartbeat, now: u64) -> Result<(), Fault> {
    let apart = beat.sent_at_ms.abs_diff(now);
    if apart > CLOCK_TOLERANCE_MS {
        let side = if beat.sent_at_ms > now {
            "ahead of"
        } else {
            "behind"
        };
        return Err(Fault::refused(
            ProblemCode::ClockOff,
            format!(
                "The rig's clock is {apart} ms {side} the marketplace's ({now} ms since 1970); at most {CLOCK_TOLERANCE_MS} ms are tolerated. Set the rig's clock."
            ),
        ));
    }
    if beat.leases.len() > MOST || beat.gpus.len() > MOST || beat.reasons.len() > MOST {
        return Err(Fault::refused(
            ProblemCode::BadRequest,
            format!("A heartbeat names at most {MOST} leases, GPUs and reasons each."),
        ));
    }
    if to_db(beat.commands_seen).is_err() {
        return Err(Fault::refused(
            ProblemCode::BadRequest,
            "`commands_seen` is no command's id",
        ));
    }
    Ok(())
}

/// Checks epoch and seq, and notes the live readings. Says whether it is the first of its session.
fn admit(app: &App, rig: &Rig, beat: &Heartbeat) -> Result<bool, Fault> {
    let mut guard = rig.live();
    let live = &mut *guard;
    let Some(session) = &mut live.session else {
        return Err(Fault::no_token());
    };
    if beat.epoch != session.epoch {
        return Err(Fault::refused(
            ProblemCode::StaleEpoch,
            format!(
                "The heartbeat is of epoch {}, and the current one is {}. Only one agent may speak for a rig.",
                beat.epoch, session.epoch
            ),
        ));
    }
    if beat.seq <= session.seq {
        return Err(Fault::refused(
            ProblemCode::StaleSeq,
            format!("seq {} is not above {}", beat.seq, session.seq),
        ));
    }
    session.seq = beat.seq;
    let fresh = std::mem::take(&mut session.fresh);
    let was_suspect = app.board.silence(live) >= app.config.timing.suspect();
    live.last_seen = Some(Instant::now());
    live.state = Some(beat.state);
    live.gpus.clone_from(&beat.gpus);
    let moving = beat.leases.iter();
    live.transfers = moving
        .filter_map(|report| Some((report.lease.clone(), report.transfer?)))
        .collect();
    // Something runs there that is not open here: until it is known on which GPU, none of them is given away.
    let mirror = &live.mirror;
    live.unsure = beat
        .leases
        .iter()
        .any(|report| !report.state.is_over_for_rig() && mirror.lease(&report.lease).is_none());
    if was_suspect {
        app.board.order_book.notify_one();
    }
    Ok(fresh)
}

/// The reports that say something new, with their signatures checked; and those whose signature does not hold.
/// A reading that is stored already needs no check and no write.
fn news(app: &App, rig: &Rig, beat: &Heartbeat) -> (Vec<LeaseReport>, Vec<LeaseProblem>) {
    let mut refused = Vec::new();
    let mut reports: Vec<LeaseReport> = {
        let live = rig.live();
        let known = |report: &&LeaseReport| {
            !live.mirror.lease(&report.lease).is_some_and(|lease| {
                lease.state == report.state
                    && !report.state.is_over_for_rig()
                    && lease.used_ms == report.usage.used_ms
                    && report
                        .progress_permille
                        .is_none_or(|p| lease.progress == Some(p))
                    && (report.checkpoint.is_none() || lease.checkpoint == report.checkpoint)
            })
        };
        beat.leases.iter().filter(known).cloned().collect()
    };
    reports.retain(|report| {
        let verdict = report
            .usage
            .verify(&rig.key, &app.config.audience, &rig.id, &report.lease);
        if let Err(error) = verdict {
            let detail = format!(
                "lease {}: the reading of {} ms was not signed as asked ({error})",
                report.lease, report.usage.used_ms
            );
            refused.push(LeaseProblem {
                lease: report.lease.clone(),
                problem: Problem::new(ProblemCode::BadSignature, detail),
            });
            return false;
        }
        true
    });
    (reports, refused)
}

async fn write(
    tx: &mut Tx,
    rig: RigId,
    news: Vec<LeaseReport>,
    acknowledged: Option<u64>,
    rules: Rules,
    now: u64,
) -> Result<Taken, Fault> {
    let mut taken = Taken::default();
    if let Some(seen) = acknowledged {
        acknowledge(tx, &rig, seen).await?;
    }
    for report in news {
        match report::take(tx, &rig, &report, rules, now).await {
            Ok(()) => {}
            Err(Fault::Refused(problem)) => {
                tracing::warn!(%rig, lease = %report.lease, %problem, "a lease report was not taken");
                taken.refused.push(LeaseProblem {
                    lease: report.lease.clone(),
                    problem: *problem,
                });
            }
            Err(other) => return Err(other),
        }
        let lease = Lease::of_rig(&mut tx.conn, &rig, &report.lease).await?;
        taken.closed.extend(lease.filter(|lease| lease.closed));
    }
    Ok(taken)
}

/// Forgets commands up to `seen`. A rig that has seen more than were ever given (this database is older than the
/// rig's memory) gets the next ones above that, or it would take them for old ones.
async fn acknowledge(tx: &mut Tx, rig: &RigId, seen: u64) -> Result<(), Fault> {
    let seen = to_db(seen)?;
    sqlx::query("DELETE FROM commands WHERE rig = ? AND id <= ?")
        .bind(rig.as_str())
        .bind(seen)
        .execute(&mut tx.conn)
        .await?;
    sqlx::query("UPDATE rigs SET last_command = ? WHERE id = ? AND last_command < ?")
        .bind(seen)
        .bind(rig.as_str())
        .bind(seen)
        .execute(&mut tx.conn)
        .await?;
    tx.touch(rig);
    tx.wrote(crate::rehearsal::ACKNOWLEDGED);
    Ok(())
}

fn reply(
    app: &App,
    rig: &Rig,
    beat: &Heartbeat,
    fresh: bool,
    refused: Vec<LeaseProblem>,
    closed: Vec<Lease>,
) -> Result<HeartbeatReply, Fault> {
    let (commands, funding, lines, owed, signed) = {
        let mut live = rig.live();
        drain(app, &mut live, beat, &closed);
        let open = || live.mirror.leases.iter();
        let lines: Vec<VoucherLine> = open().chain(&closed).map(Lease::line).collect();
        let funding: Vec<Funding> = open()
            .map(|lease| Funding {
                lease: lease.id.clone(),
                funded_ms: lease.funded_ms(),
            })
            .collect();
        let owed = live.mirror.owed;
        (
            live.mirror.commands_after(beat.commands_seen),
            funding,
            lines,
            owed,
            live.signed(owed),
        )
    };
    let statement = if lines.is_empty() && !(fresh && owed > MicroUsd::ZERO) {
        None
    } else {
        let voucher = match signed {
            Some(voucher) => voucher,
            None => rig
                .channel
                .sign(&app.voucher_key, owed)
                .map_err(|error| Fault::Damaged(error.to_string()))?,
        };
        rig.live().voucher = Some(voucher.clone());
        Some(VoucherStatement { voucher, lines })
    };
    Ok(HeartbeatReply {
        server_time_ms: now_ms(),
        next_ms: jittered(app.config.timing.heartbeat_ms, beat.seq, &rig.id),
        commands,
        statement,
        funding,
        settled: closed.into_iter().map(|lease| lease.id).collect(),
        refused,
        best_order: app.waiting.best_order(app, rig),
    })
}

/// Notes the GPUs on which the rig still runs what is closed here.
fn drain(app: &App, live: &mut Live, beat: &Heartbeat, closed: &[Lease]) {
    let running = beat.leases.iter().filter(|r| !r.state.is_over_for_rig());
    let draining = running
        .filter_map(|report| closed.iter().find(|lease| lease.id == report.lease))
        .flat_map(|lease| lease.gpus.iter().map(|gpu: &LeasedGpu| gpu.id.clone()))
        .collect();
    let was_unsure = std::mem::take(&mut live.unsure);
    if was_unsure || live.draining != draining {
        live.draining = draining;
        app.board.order_book.notify_one();
    }
}

/// Within 10 % of the interval, differently for each rig and each time, so that many rigs do not beat as one.
fn jittered(interval_ms: u64, seq: u64, rig: &RigId) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    static SPREAD: std::sync::OnceLock<RandomState> = std::sync::OnceLock::new();
    let hash = SPREAD.get_or_init(RandomState::new).hash_one((seq, rig));
    let span = (interval_ms / 5).max(1);
    interval_ms - interval_ms / 10 + hash % span
}
