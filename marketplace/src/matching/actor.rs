//! Looks at the board whenever something changed and whenever the clock says so: first what time has run out on,
//! then the order book.

use super::demand::Demand;
use super::{Order, Outcome, Standing, plan};
use crate::app::{App, Shared};
use crate::board::Rig;
use crate::clock::now_ms;
use crate::fault::Fault;
use crate::jobs;
use crate::leases::{Lease, grant, stale};
use crate::ledger::book::{self, Account};
use futures_util::FutureExt;
use sqlx::SqliteConnection;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use sublet_protocol::ids::JobId;
use sublet_protocol::lease::LeaseState;
use sublet_protocol::money::HourlyPrice;

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
    loop {
        tokio::select! {
            () = app.closing.cancelled() => return,
            () = app.board.order_book.notified() => {}
            () = tokio::time::sleep(tick) => {}
        }
        if let Err(fault) = expire(&app).await {
            tracing::error!(%fault, "leases that ran out could not be ended; trying again");
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
            let leases = live.mirror.leases.iter();
            leases
                .filter_map(|lease| {
                    stale::look(lease, silent, now, &patience).map(|what| (lease.id.clone(), what))
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
        let refused = |lease: &&Lease| {
            let ended = lease.ended_ms.unwrap_or(lease.granted_ms);
            lease.state == LeaseState::Refused && now.saturating_sub(ended) < refused_ms
        };
        orders.push(Order {
            refused: past.iter().filter(refused).map(|l| l.rig.clone()).collect(),
            tried: past.iter().map(|l| l.rig.clone()).collect(),
            job: job.id,
            renter: job.renter,
            spec: job.spec,
        });
    }
    Ok(orders)
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
        busy,
    })
}
