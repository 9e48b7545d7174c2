//! The sandbox on a real Docker. What holds a job in is observed from inside, where it counts.

#[cfg(unix)]
mod content;
#[cfg(unix)]
mod hardening;
#[cfg(target_os = "linux")]
mod hostile;
#[cfg(unix)]
mod images;
#[cfg(unix)]
mod life;
#[cfg(unix)]
mod outputs;
#[cfg(target_os = "linux")]
mod probe;
mod profile;
#[cfg(unix)]
mod registry;
#[cfg(unix)]
mod remains;
#[cfg(unix)]
mod stage;

#[cfg(unix)]
use stage::Stage;
use sublet_protocol::job::{Category, GpuNeed, ImageRef, Isolation, JobSpec};
use sublet_protocol::money::{HourlyPrice, MicroUsd};

/// A modest job with one output.
fn spec(image: ImageRef, deeds: &[&str]) -> JobSpec {
    JobSpec {
        name: "test".into(),
        image,
        command: Some(deeds.iter().map(|deed| (*deed).to_owned()).collect()),
        environment: [("GREETING".to_owned(), "hello".to_owned())].into(),
        gpu: GpuNeed {
            count: 1,
            vram_min_bytes: 0,
            score_min: 0,
            model: None,
            allow_software: true,
        },
        cpu_milli: 1000,
        memory_bytes: 128 << 20,
        pids: 32,
        max_price: HourlyPrice(MicroUsd(1_000_000)),
        deadline_ms: 600_000,
        retries: 0,
        inputs: Default::default(),
        outputs: vec!["/out/a".into()],
        checkpoint: None,
        reclaim_grace_ms: 0,
        category: Category::Other,
        isolation: Isolation::Container,
    }
}
