//! Many rigs at once, each sending its next heartbeat as soon as the last is answered.

use crate::rig::Rig;
use crate::wire::{Call, Wire};
use anyhow::Context;
use serde::Serialize;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// What to do.
pub struct Plan {
    pub address: SocketAddr,
    pub rigs: usize,
    pub warm_up: Duration,
    pub measured: Duration,
    pub bare: bool,
    pub renter_token: Option<String>,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// Answered heartbeats a second.
    pub per_second: f64,
    /// All that were answered, those before and after the measured time too.
    pub answered: usize,
    /// From sending to the whole answer, in µs: the middle one.
    pub p50_us: u128,
    /// And the one that 99 of 100 stay below.
    pub p99_us: u128,
}

/// Measures. Any refused or unanswered heartbeat is an error.
pub async fn drive(plan: &Plan) -> anyhow::Result<Outcome> {
    let mut rigs = Vec::with_capacity(plan.rigs);
    for number in 0..plan.rigs {
        let mut rig = Rig::connect(plan.address, number).await?;
        if !plan.bare {
            rig.open_session().await?;
        }
        rigs.push(rig);
    }
    if let Some(token) = &plan.renter_token {
        submit(plan, token).await?;
        for rig in &mut rigs {
            rig.take_a_lease().await?;
        }
    }
    let begin = Instant::now() + plan.warm_up;
    let end = begin + plan.measured;
    let mut tasks = JoinSet::new();
    for mut rig in rigs {
        tasks.spawn(async move {
            let (mut took, mut all) = (Vec::new(), 0);
            loop {
                let sent = Instant::now();
                rig.beat().await?;
                let answered = Instant::now();
                all += 1;
                if answered >= end {
                    return anyhow::Ok((took, all));
                }
                if answered >= begin {
                    took.push(answered - sent);
                }
            }
        });
    }
    let (mut took, mut all) = (Vec::new(), 0);
    while let Some(of_one) = tasks.join_next().await {
        let (its, answered) = of_one??;
        took.extend(its);
        all += answered;
    }
    took.sort_unstable();
    let at = |part: usize| {
        let place = took.len().saturating_mul(part) / 100;
        took.get(place.min(took.len().saturating_sub(1)))
            .context("not one heartbeat was answered")
    };
    Ok(Outcome {
        per_second: took.len() as f64 / plan.measured.as_secs_f64(),
        answered: all,
        p50_us: at(50)?.as_micros(),
        p99_us: at(99)?.as_micros(),
    })
}

/// One job for each rig.
async fn submit(plan: &Plan, token: &str) -> anyhow::Result<()> {
    let spec = format!(
        "services:\n  load:\n    image: registry.example/load@sha256:{}\n    x-sublet:\n      max_price_per_hour: 1\n      deadline: 1h\n",
        "0a".repeat(32)
    );
    let mut wire = Wire::connect(plan.address).await?;
    let call = Call {
        method: "POST",
        path: "/v1/jobs",
        token,
        kind: "application/yaml",
    };
    for _ in 0..plan.rigs {
        wire.exchange(&call, spec.as_bytes()).await?;
    }
    Ok(())
}
