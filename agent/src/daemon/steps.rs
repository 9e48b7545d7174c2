//! The steps of a job, each as far as it goes by itself, with the news that it brings.

use super::fetch;
use super::job_log::JobLog;
use super::ours::Ours;
use super::work::{Bench, Tools};
use crate::sandbox::{Content, SandboxError, SandboxTerms};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;
use sublet_core::event::News;
use sublet_protocol::ids::{GpuId, LeaseId};
use sublet_protocol::job::JobSpec;
use sublet_protocol::lease::{Checkpoint, EndCode, TransferKind};
use tokio::task::JoinHandle;

/// How long the rest of a log may take to reach the marketplace before its container is removed.
const LOG_PATIENCE: Duration = Duration::from_secs(10);

/// Brings the image, then the inputs and what the job goes on from.
pub(super) async fn pull(
    tools: &Tools,
    bench: &Bench,
    lease: LeaseId,
    spec: JobSpec,
    checkpoint: Option<Checkpoint>,
) {
    let moving = tools.transfers.begin(&lease, TransferKind::Image, 0);
    let told = |done, total| {
        moving.counter().store(done, Ordering::Relaxed);
        moving.total(total);
    };
    if let Err(error) = bench.sandbox.pull(&spec.image, told).await {
        return tools.failed(lease, error).await;
    }
    drop(moving);
    match fetch::all(tools, &lease, &spec, checkpoint.as_ref()).await {
        Ok(()) => tools.tell(lease, News::Pulled).await,
        Err(error) => {
            tracing::warn!(%lease, %error, "what a job needs did not come");
            let news = News::Failed {
                code: error.end_code(),
                message: error.to_string(),
            };
            tools.tell(lease, news).await;
        }
    }
}

/// Makes and starts the container.
pub(super) async fn start(
    tools: &Tools,
    bench: &Bench,
    lease: LeaseId,
    spec: JobSpec,
    gpus: Vec<GpuId>,
    checkpoint: Option<Checkpoint>,
    ours: &Ours,
) {
    let terms = SandboxTerms {
        rig: tools.rig.clone(),
        lease: lease.clone(),
        gpus: gpus
            .iter()
            .filter(|id| id.as_str().starts_with("GPU-"))
            .map(ToString::to_string)
            .collect(),
        limits: bench.limits,
        facts: bench.facts.clone(),
    };
    let made = |container: &str| ours.add(lease.clone(), container.to_owned());
    let inputs = spec.inputs.iter();
    let content = Content {
        inputs: inputs
            .map(|(path, cid)| (path.clone(), tools.inputs.path(cid)))
            .collect(),
        checkpoint: checkpoint.map(|checkpoint| tools.inputs.path(&checkpoint.cid)),
    };
    let started = bench.sandbox.start_with(&spec, &terms, &content, made);
    match started.await {
        Ok(_) => tools.tell(lease, News::Started).await,
        Err(error) => tools.failed(lease, error).await,
    }
}

/// Follows the container's log, and waits for its end.
pub(super) async fn watch(tools: &Tools, bench: &Bench, lease: LeaseId, folder: PathBuf) {
    let log = JobLog::new(tools.clone(), lease.clone(), folder);
    let follow = log.follow(&bench.sandbox);
    let most = bench.limits.disk_bytes.unwrap_or(bench.limits.output_bytes);
    let wait = async {
        let ended = tokio::select! {
            ended = bench.sandbox.wait(&lease) => ended,
            stopped = bench.sandbox.guard(&lease, most) => Err(stopped),
        };
        match ended {
            Ok(exit) => {
                let ran_ms = exit.finished_at_ms.checked_sub(exit.started_at_ms);
                let news = News::Exited {
                    code: exit.code,
                    out_of_memory: exit.oom_killed,
                    ran_ms,
                };
                tools.tell(lease.clone(), news).await;
            }
            Err(error) => tools.failed(lease.clone(), error).await,
        }
    };
    tokio::join!(follow, wait);
}

/// The GPU is idle within milliseconds; its memory stays taken.
pub(super) async fn freeze(tools: &Tools, bench: &Bench, lease: LeaseId) {
    let news = match bench.sandbox.freeze(&lease).await {
        // What is gone stands still.
        Ok(()) | Err(SandboxError::Gone { .. }) => News::Frozen,
        Err(error) => {
            tracing::warn!(%lease, %error, "a job could not be frozen");
            News::FreezeFailed {
                message: error.to_string(),
            }
        }
    };
    tools.tell(lease, news).await;
}

pub(super) async fn thaw(tools: &Tools, bench: &Bench, lease: LeaseId) {
    let news = match bench.sandbox.thaw(&lease).await {
        Ok(()) => News::Thawed,
        Err(SandboxError::Gone { .. }) => News::Failed {
            code: EndCode::SandboxFailed,
            message: "The job's container was gone when it was to go on.".to_owned(),
        },
        Err(error) => not_yet(&lease, "go on", &error),
    };
    tools.tell(lease, news).await;
}

/// Asks the job to end, and tells when its time is over. Its end is told by whoever watches it.
pub(super) async fn interrupt(tools: &Tools, bench: &Bench, lease: LeaseId, grace: Duration) {
    let over = tokio::time::Instant::now() + grace;
    match bench.sandbox.interrupt(&lease).await {
        Ok(()) => tokio::time::sleep_until(over).await,
        Err(error) => {
            tracing::warn!(%lease, %error, "a job could not be asked to end; it is killed")
        }
    }
    tools.tell(lease, News::GraceOver).await;
}

pub(super) async fn kill(tools: &Tools, bench: &Bench, lease: LeaseId) {
    let news = match bench.sandbox.kill(&lease).await {
        Ok(()) => News::Killed,
        Err(error) => not_yet(&lease, "be stopped", &error),
    };
    tools.tell(lease, news).await;
}

fn not_yet(lease: &LeaseId, what: &str, error: &SandboxError) -> News {
    tracing::warn!(%lease, %error, "a job could not {what}; it is tried again");
    News::NotYet {
        message: error.to_string(),
    }
}

pub(super) async fn collect(
    tools: &Tools,
    bench: &Bench,
    lease: LeaseId,
    spec: JobSpec,
    into: PathBuf,
) {
    match bench
        .sandbox
        .collect(&lease, &spec, &into, bench.limits.output_bytes)
        .await
    {
        Ok(collected) => {
            let outputs = collected.into_iter().map(|c| c.output).collect();
            tools.tell(lease, News::Collected(outputs)).await;
        }
        Err(error) => tools.failed(lease, error).await,
    }
}

pub(super) async fn remove(
    tools: &Tools,
    bench: &Bench,
    lease: LeaseId,
    running: Option<JoinHandle<()>>,
    folders: [PathBuf; 2],
) {
    if let Some(mut running) = running
        && tokio::time::timeout(LOG_PATIENCE, &mut running)
            .await
            .is_err()
    {
        running.abort();
    }
    let news = match bench.sandbox.remove(&lease).await {
        Ok(()) => {
            let left = folders.iter().find_map(|folder| {
                let error = std::fs::remove_dir_all(folder).err()?;
                let gone = error.kind() == std::io::ErrorKind::NotFound;
                (!gone).then(|| format!("{}: {error}", folder.display()))
            });
            match left {
                Some(message) => News::NotYet { message },
                None => News::Removed,
            }
        }
        Err(error) => not_yet(&lease, "be removed", &error),
    };
    tools.tell(lease, news).await;
}
