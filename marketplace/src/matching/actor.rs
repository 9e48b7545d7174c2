//! Looks at the board whenever something changed and whenever the clock says so: first what time has run out on,
//! then the order book.

use super::demand::Demand;
use super::{Order, Outcome, Standing, plan};
use crate::app::{App, Shared};
use crate::board::Rig;
use crate::clock::now_ms;
use crate::fault::Fault;
use crate::jobs;
use crate::leases::{Lease, grant, stale, stale_checkpoints};
use crate::ledger::book::{self, Account};
use futures_util::FutureExt;
use sqlx::SqliteConnection;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use sublet_protocol::ids::JobId;
use sublet_protocol::lease::{EndCode, LeaseState};
use sublet_protocol::money::HourlyPrice;

/// How long a rig that could not go on with a job is not asked for it again, in ms; four times as long each time.
const FIRST_REST_MS: u64 = 5_000;
const LONGEST_REST_MS: u64 = 15 * 60_000;

/// How often checkpoints that nobody needs are looked for.
const CLEAR_EVERY: Duration = Duration::from_secs(60);

/// What waits, and why, as the last look at the order book found.
#[derive(Default)]
pub struct Waiting(Mutex<Look>);

#[derive(Default)]
struct Look {
    reasons: HashMap<JobId, String>,
    demand: Demand,
}

impl Waiting {
    /// Why this one waits.
    pub fn why(&self, job: &JobId) -> Option<String> {
        self.look().reasons.get(job).cloned()
    }

    /// The most that a waiting order pays for an hour of one of this rig's offered GPUs.
    pub fn best_order(&self, app: &App, rig: &Rig) -> Option<HourlyPrice> {
        let standing = standing_of(app, rig)?;
        self.look().demand.best_for(&standing)
    }

    fn look(&self) -> MutexGuard<'_, Look> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, reasons: HashMap<JobId, String>, demand: Demand) {
        *self.look() = Look { reasons, demand };
    }
}

/// Runs until the server closes.
pub async fn run(app: Shared) {
    let tick = app.config.timing.tick();
    let mut cleared = Instant::now();
    loop {
        tokio::select! {
            () = app.closing.cancelled() => return,
            () = app.board.order_book.notified() => {}
            () = tokio::time::sleep(tick) => {}
        }
        if let Err(fault) = expire(&app).await {
            tracing::error!(%fault, "leases that ran out could not be ended; trying again");
        }
        if cleared.elapsed() >= CLEAR_EVERY {
            cleared = Instant::now();
            if let Err(fault) = stale_checkpoints::clear(&app, now_ms()).await {
                tracing::error!(%fault, "stale checkpoints could not be cleared away; trying again");
            }
        }
        if let Err(fault) = fill(&app).await {
            tracing::error!(%fault, "the order book could not be looked at; trying again");
        }
    }
}

async fn expire(app: &App) -> Result<(), Fault> {
    let patience = app.config.timing.patience();
    let now = now_ms();
    for rig in app.board.all() {
        let stale: Vec<_> = {
            let live = rig.live();
            let silent = app.board.silence(&live);
            let here = live.session.as_ref().map(|open| open.opened.elapsed());
            let here = here.unwrap_or_default();
            let leases = live.mirror.leases.iter();
            leases
                .filter_map(|lease| {
                    stale::look(lease, silent, here, now, &patience)
                        .map(|what| (lease.id.clone(), what))
                })
                .collect()
        };
        for (lease, what) in stale {
            tracing::warn!(rig = %rig.id, %lease, ?what, "time ran out on a lease");
            let id = rig.id.clone();
            app.db
                .change(move |tx| {
                    async move { stale::end(tx, &id, &lease, what, now).await }.boxed()
                })
                .await?;
        }
    }
    Ok(())
}

async fn fill(app: &App) -> Result<(), Fault> {
    let now = now_ms();
    let (orders, free) = {
        let mut snapshot = app.readers.begin().await?;
        let orders = orders(&mut snapshot, now, app.config.timing.refused_ms).await?;
        let mut free = BTreeMap::new();
        for order in &orders {
            if !free.contains_key(&order.renter) {
                let money = book::holds(&mut snapshot, Account::Free(&order.renter)).await?;
                free.insert(order.renter.clone(), money);
            }
        }
        (orders, free)
    };
    if orders.is_empty() {
        app.waiting.replace(HashMap::new(), Demand::default());
        return Ok(());
    }
    let mut reasons = HashMap::new();
    for (job, outcome) in plan(&orders, standing(app), free.clone()) {
        match outcome {
            Outcome::Waits(why) => {
                reasons.insert(job, why);
            }
            Outcome::Matched(found) => {
                let (fee, ahead) = (app.config.fee, app.config.timing.ahead_ms());
                app.db
                    .change(move |tx| {
                        async move { grant::grant(tx, &found, fee, ahead, now).await }.boxed()
                    })
                    .await?;
            }
        }
    }
    let waiting = orders
        .into_iter()
        .filter(|order| reasons.contains_key(&order.job));
    let demand = Demand::of(waiting, &free);
    app.waiting.replace(reasons, demand);
    Ok(())
}

/// Every queued job, with what its earlier leases teach.
async fn orders(
    conn: &mut SqliteConnection,
    now: u64,
    refused_ms: u64,
) -> Result<Vec<Order>, Fault> {
    let mut orders = Vec::new();
    for job in jobs::queued(conn).await? {
        let past = Lease::of_job(conn, &job.id).await?;
        let unwilling = |lease: &&Lease| {
            let failures = past
                .iter()
                .filter(|l| l.rig == lease.rig && is_rigs_fault(l));
            let rest_ms = rest_ms(lease, failures.count(), refused_ms);
            let ended = lease.ended_ms.unwrap_or(lease.granted_ms);
            rest_ms.is_some_and(|rest_ms| now.saturating_sub(ended) < rest_ms)
        };
        orders.push(Order {
            resting: past
                .iter()
                .filter(unwilling)
                .map(|l| l.rig.clone())
                .collect(),
            tried: past.iter().map(|l| l.rig.clone()).collect(),
            job: job.id,
            renter: job.renter,
            spec: job.spec,
        });
    }
    Ok(orders)
}

/// The rig, not the job, could not go on: its container engine was away, or a registry out of its reach.
fn is_rigs_fault(lease: &Lease) -> bool {
    let code = lease.ending.as_ref().map(|ending| ending.code);
    lease.state == LeaseState::Failed && code == Some(EndCode::SandboxFailed)
}

/// For how long a rig is not asked again after this lease of the same job, in ms: `failures` is how often it could not
/// go on with it. Without a rest, a job would use up its tries on one rig within a second.
fn rest_ms(lease: &Lease, failures: usize, refused_ms: u64) -> Option<u64> {
    if lease.state == LeaseState::Refused {
        return Some(refused_ms);
    }
    is_rigs_fault(lease).then(|| {
        let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        FIRST_REST_MS
            .saturating_mul(4_u64.saturating_pow(doublings))
            .min(LONGEST_REST_MS)
    })
}

/// The offers of every rig that lives.
fn standing(app: &App) -> Vec<Standing> {
    let rigs = app.board.all();
    rigs.iter()
        .filter_map(|rig| standing_of(app, rig))
        .collect()
}

/// The offer of a rig, with the GPUs that its open leases hold; none where it is silent or offers nothing.
fn standing_of(app: &App, rig: &Rig) -> Option<Standing> {
    let live = rig.live();
    let offer = live.offer.as_ref()?;
    let suspect = app.config.timing.suspect();
    if live.session.is_none() || live.unsure || app.board.silence(&live) >= suspect {
        return None;
    }
    let held = live.mirror.leases.iter();
    let held = held.filter(|lease| !lease.state.is_over_for_rig());
    let mut busy = live.draining.clone();
    busy.extend(held.flat_map(|lease| lease.gpus.iter().map(|gpu| gpu.id.clone())));
    Some(Standing {
        rig: rig.id.clone(),
        gpus: offer.gpus.clone(),
        limits: offer.limits,
        sandbox: offer.sandbox.clone(),
        work: offer.work.clone(),
        busy,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Charge, Terms};
    use std::time::Duration;
    use sublet_protocol::lease::Ending;
    use sublet_protocol::money::{BasisPoints, HourlyPrice, MicroUsd};

    fn lease(state: LeaseState, code: EndCode) -> Lease {
        Lease {
            id: "lease-1".parse().unwrap(),
            job: "job-1".parse().unwrap(),
            renter: "renter".parse().unwrap(),
            rig: "rig-1".parse().unwrap(),
            gpus: Vec::new(),
            terms: Terms {
                price: HourlyPrice(MicroUsd(1)),
                fee: BasisPoints::new(0).unwrap(),
                deadline_ms: 1,
            },
            state,
            granted_ms: 0,
            ended_ms: Some(0),
            used_ms: 0,
            reserved: MicroUsd::ZERO,
            charge: Charge::default(),
            progress: None,
            ending: Some(Ending {
                code,
                exit_code: None,
                message: String::new(),
                outputs: Vec::new(),
            }),
            checkpoint: None,
            closed: true,
        }
    }

    #[test]
    fn an_offer_is_unanswered_only_once_its_rig_could_have_answered() {
        let mut offered = lease(LeaseState::Offered, EndCode::NotAccepted);
        (offered.closed, offered.ending) = (false, None);
        let patience = crate::app::Timing::default().patience();
        let (second, now) = (Duration::from_secs(1), 3_600_000);
        let look = |here| stale::look(&offered, second, here, now, &patience);
        // The marketplace was away for an hour, and the rig has not come back yet.
        assert_eq!(look(Duration::ZERO), None);
        assert_eq!(look(patience.accept - second), None);
        assert_eq!(look(patience.accept), Some(stale::Stale::Unanswered));
    }

    #[test]
    fn a_rig_that_could_not_go_on_rests_ever_longer_and_a_reclaim_rests_nobody() {
        let failed = lease(LeaseState::Failed, EndCode::SandboxFailed);
        for (failures, rest) in [
            (1, 5_000),
            (2, 20_000),
            (3, 80_000),
            (9, 900_000),
            (99, 900_000),
        ] {
            assert_eq!(rest_ms(&failed, failures, 60_000), Some(rest));
        }
        let refused = lease(LeaseState::Refused, EndCode::NotAccepted);
        assert_eq!(rest_ms(&refused, 0, 60_000), Some(60_000));
        let reclaimed = lease(LeaseState::Settled, EndCode::Reclaimed);
        assert_eq!(rest_ms(&reclaimed, 0, 60_000), None);
    }
}
