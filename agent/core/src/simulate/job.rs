//! The job that stands for all jobs.

use super::change::Head;
use crate::facts::{GpuFacts, Moment};
use crate::lease::{Lease, Stage};
use std::collections::BTreeMap;
use sublet_protocol::ids::{JobId, LeaseId};
use sublet_protocol::job::{Category, GpuNeed, Isolation, JobSpec};
use sublet_protocol::lease::LeaseGrant;
use sublet_protocol::money::HourlyPrice;

/// A job that runs from now on. Its texts are ours and always read; without them it would not be held, and rent anew
/// at every look.
pub(super) fn lease(
    number: u64,
    gpu: &GpuFacts,
    price: HourlyPrice,
    head: &Head,
    now: Moment,
) -> Option<Lease> {
    let image = format!("simulated@sha256:{}", "0".repeat(64));
    let grant = LeaseGrant {
        lease: LeaseId::new(format!("simulated-{number}")).ok()?,
        job: JobId::new(format!("simulated-{number}")).ok()?,
        gpus: vec![gpu.info.id.clone()],
        spec: JobSpec {
            name: "simulated".to_owned(),
            image: image.parse().ok()?,
            command: None,
            environment: BTreeMap::new(),
            gpu: GpuNeed {
                count: 1,
                vram_min_bytes: 0,
                score_min: 0,
                model: None,
                allow_software: false,
            },
            cpu_milli: 1,
            memory_bytes: 1,
            pids: 1,
            max_price: price,
            deadline_ms: u64::MAX,
            retries: 0,
            inputs: BTreeMap::new(),
            outputs: Vec::new(),
            checkpoint: None,
            reclaim_grace_ms: 0,
            category: Category::Other,
            isolation: Isolation::Container,
        },
        price,
        fee: head.fee,
        funded_ms: u64::MAX,
        checkpoint: None,
    };
    let mut lease = Lease::new(grant, now);
    lease.stage = Stage::Running;
    lease.meter.start(now);
    Some(lease)
}
