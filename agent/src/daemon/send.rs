//! Brings what a job made to the marketplace: outputs, and what another rig goes on from.

use super::transfers::Moving;
use super::work::{Bench, Tools};
use crate::market::{Market, MarketError};
use std::path::{Path, PathBuf};
use std::time::Duration;
use sublet_core::event::News;
use sublet_protocol::blob::BlobId;
use sublet_protocol::ids::LeaseId;
use sublet_protocol::job::JobSpec;
use sublet_protocol::lease::{Checkpoint, EndCode, Output, TransferKind};

/// Between two tries, at first and at last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long a lease waits for its last checkpoint, at least: longer than that, and the work is better done again.
const LAST_PATIENCE: Duration = Duration::from_secs(10 * 60);

/// Sends until the marketplace has everything; the fence, the owner or the renter ends it otherwise.
pub(super) async fn upload(tools: &Tools, lease: LeaseId, outputs: Vec<Output>, from: PathBuf) {
    let total = outputs.iter().map(|output| output.bytes).sum();
    let moving = tools.transfers.begin(&lease, TransferKind::Outputs, total);
    for (index, output) in outputs.iter().enumerate() {
        let file = crate::sandbox::sealed_file(&from, index);
        match send(tools, &lease, &output.cid, &file, &moving).await {
            None => return,
            Some(Ok(())) => moving.next(output.bytes),
            Some(Err(error)) => {
                let news = News::Failed {
                    code: EndCode::OutputRefused,
                    message: format!("The output {} could not be sent: {error}", output.path),
                };
                return tools.tell(lease, news).await;
            }
        }
    }
    tools.tell(lease, News::Uploaded).await;
}

/// Seals what lies in the job's checkpoint folder, and sends it. Whatever keeps it from that is no harm to the job, nor
/// to the lease: the checkpoint before it stands.
pub(super) async fn save(
    tools: &Tools,
    bench: &Bench,
    lease: LeaseId,
    spec: JobSpec,
    used_ms: u64,
    last: bool,
    folder: PathBuf,
) {
    // One that was abandoned may still be written to.
    let file = folder.join(if last { "last" } else { "newest" });
    let keeping = keep(tools, bench, &lease, used_ms, &file);
    let checkpoint = if last {
        let interval_ms = spec.checkpoint.map_or(0, |plan| plan.interval_ms);
        let patience = LAST_PATIENCE.max(Duration::from_millis(interval_ms));
        tokio::time::timeout(patience, keeping)
            .await
            .unwrap_or_else(|_| {
                tracing::warn!(%lease, "the last checkpoint took too long and is given up");
                None
            })
    } else {
        keeping.await
    };
    tools.tell(lease, News::Saved { checkpoint, last }).await;
}

async fn keep(
    tools: &Tools,
    bench: &Bench,
    lease: &LeaseId,
    used_ms: u64,
    file: &Path,
) -> Option<Checkpoint> {
    let most = bench.limits.output_bytes;
    let sealed = match bench.sandbox.seal_checkpoint(lease, file, most).await {
        Ok(sealed) => sealed?,
        Err(error) => {
            tracing::warn!(%lease, %error, "a checkpoint could not be sealed; the one before it stands");
            return None;
        }
    };
    let kind = TransferKind::Checkpoint;
    let moving = tools.transfers.begin(lease, kind, sealed.bytes);
    match send(tools, lease, &sealed.cid, &sealed.file, &moving).await? {
        Ok(()) => {
            tracing::info!(%lease, cid = %sealed.cid, bytes = sealed.bytes, used_ms, "a checkpoint is kept");
            Some(Checkpoint {
                cid: sealed.cid,
                bytes: sealed.bytes,
                used_ms,
            })
        }
        Err(error) => {
            tracing::warn!(%lease, %error, "a checkpoint could not be sent; the one before it stands");
            None
        }
    }
}

/// Sends one file until it is there; none where the agent goes down.
async fn send(
    tools: &Tools,
    lease: &LeaseId,
    cid: &BlobId,
    file: &Path,
    moving: &Moving,
) -> Option<Result<(), MarketError>> {
    let mut session = tools.session.clone();
    let mut pause = FIRST_PAUSE;
    loop {
        let open = session.wait_for(Option::is_some).await.ok()?.clone();
        let Some(open) = open else { continue };
        let sent = tools.market.put_blob(&open, cid, file, moving.counter());
        match sent.await {
            Ok(_) => return Some(Ok(())),
            Err(error) if error.may_pass() => {
                tracing::info!(%lease, %error, "a file could not be sent yet");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) => return Some(Err(error)),
        }
    }
}
