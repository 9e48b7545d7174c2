//! Brings what a job needs from the marketplace: inputs, and what it goes on from. Each file goes on where it broke
//! off, and is hashed while it is written.

use super::transfers::Moving;
use super::work::Tools;
use crate::inputs::{Incoming, InputError};
use crate::market::{Market, MarketError};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;
use sublet_protocol::blob::BlobId;
use sublet_protocol::ids::LeaseId;
use sublet_protocol::job::JobSpec;
use sublet_protocol::lease::{Checkpoint, EndCode, TransferKind};
use sublet_protocol::problem::ProblemCode;
use sublet_protocol::session::Session;
use tokio::sync::mpsc;

/// Pieces that wait to be written.
const PIECES: usize = 8;
/// Between two tries, at first and at last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Why something does not come.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The marketplace does not have it, or not for us.
    #[error(
        "the input {0} is not at the marketplace. Submit the job again with `sublet-market submit`, which uploads it"
    )]
    NotFound(BlobId),
    /// The marketplace refuses.
    #[error("the input {0} did not come: {1}")]
    Refused(BlobId, MarketError),
    /// It is not what it should be, or cannot be kept.
    #[error(transparent)]
    Kept(#[from] InputError),
    /// The agent goes down.
    #[error("the agent is going down")]
    GoingDown,
}

impl FetchError {
    /// How a lease ends that this brings down.
    pub fn end_code(&self) -> EndCode {
        match self {
            Self::NotFound(_) => EndCode::InputNotFound,
            Self::Kept(InputError::Tampered { .. } | InputError::TooLong { .. }) => {
                EndCode::InputTampered
            }
            Self::Kept(InputError::NoRoom { .. }) => EndCode::NotAccepted,
            Self::Refused(..) | Self::Kept(InputError::Disk { .. }) | Self::GoingDown => {
                EndCode::SandboxFailed
            }
        }
    }
}

/// Brings all that a job needs. Returns once it is here, however long the marketplace is away.
pub async fn all(
    tools: &Tools,
    lease: &LeaseId,
    spec: &JobSpec,
    checkpoint: Option<&Checkpoint>,
) -> Result<(), FetchError> {
    if !spec.inputs.is_empty() {
        let moving = tools.transfers.begin(lease, TransferKind::Inputs, 0);
        let mut total = 0_u64;
        for cid in spec.inputs.values() {
            total = total.saturating_add(length(tools, cid).await?);
        }
        moving.total(total);
        for cid in spec.inputs.values() {
            one(tools, lease, cid, &moving).await?;
        }
    }
    if let Some(checkpoint) = checkpoint {
        let total = checkpoint.bytes;
        let moving = tools
            .transfers
            .begin(lease, TransferKind::Checkpoint, total);
        one(tools, lease, &checkpoint.cid, &moving).await?;
    }
    Ok(())
}

async fn length(tools: &Tools, cid: &BlobId) -> Result<u64, FetchError> {
    if let Some((_, length)) = tools.inputs.find(cid)? {
        return Ok(length);
    }
    until_it_answers(tools, cid, |session| async move {
        tools.market.blob_length(&session, cid).await
    })
    .await
}

async fn one(
    tools: &Tools,
    lease: &LeaseId,
    cid: &BlobId,
    moving: &Moving,
) -> Result<(), FetchError> {
    let begun = std::time::Instant::now();
    // A part of a file that this disk has spoiled is thrown away, and the file comes once more.
    for again in [true, false] {
        let turn = tools.inputs.turn().await;
        if let Some((_, bytes)) = tools.inputs.find(cid)? {
            moving.next(bytes);
            return Ok(());
        }
        let length = length(tools, cid).await?;
        let (store, wanted) = (tools.inputs.clone(), *cid);
        let incoming = blocking(move || store.begin(&wanted, length, turn)).await?;
        let (found, from) = (incoming.was_found(), incoming.position());
        let mut whole = bring(tools, cid, incoming, moving).await?;
        match blocking(move || whole.finish()).await {
            Ok(_) => {
                let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                tracing::info!(%lease, %cid, bytes = length - from, ms, "an input is here");
                moving.next(length);
                return Ok(());
            }
            Err(InputError::Tampered { .. }) if found && again => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Brings the rest of a file, over as many connections as it takes.
async fn bring(
    tools: &Tools,
    cid: &BlobId,
    mut incoming: Incoming,
    moving: &Moving,
) -> Result<Incoming, FetchError> {
    let mut pause = FIRST_PAUSE;
    while !incoming.is_complete() {
        let from = incoming.position();
        let coming = until_it_answers(tools, cid, |session| async move {
            tools.market.get_blob(&session, cid, from).await
        });
        let mut coming = coming.await?;
        if coming.from < from {
            incoming = blocking(move || {
                incoming.restart()?;
                Ok(incoming)
            })
            .await?;
        }
        let had = incoming.position();
        let counter = moving.counter().clone();
        counter.store(had, Ordering::Relaxed);
        // Written and hashed by a thread of its own: the daemon's one thread must not wait for a disk.
        let (sender, mut pieces) = mpsc::channel::<bytes::Bytes>(PIECES);
        let writing = tokio::task::spawn_blocking(move || {
            while let Some(piece) = pieces.blocking_recv() {
                incoming.write(&piece)?;
                counter.store(incoming.position(), Ordering::Relaxed);
            }
            Ok::<_, InputError>(incoming)
        });
        let broke_off = loop {
            match coming.next().await {
                Ok(Some(piece)) => {
                    if sender.send(piece).await.is_err() {
                        // The writer says why.
                        break None;
                    }
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        drop(sender);
        incoming = joined(writing.await)?;
        if let Some(error) = broke_off {
            tracing::info!(%cid, %error, "an input broke off; it is gone on with");
        }
        if incoming.is_complete() {
            break;
        }
        // A connection that brought something was worth it.
        pause = match incoming.position() > had {
            true => FIRST_PAUSE,
            false => (pause * 2).min(LONGEST_PAUSE),
        };
        tokio::time::sleep(pause).await;
    }
    Ok(incoming)
}

/// Asks until there is an answer.
async fn until_it_answers<T, F>(
    tools: &Tools,
    cid: &BlobId,
    ask: impl Fn(Session) -> F,
) -> Result<T, FetchError>
where
    F: Future<Output = Result<T, MarketError>>,
{
    let mut session = tools.session.clone();
    let mut pause = FIRST_PAUSE;
    loop {
        let open = session.wait_for(Option::is_some).await;
        let open = open.map_err(|_| FetchError::GoingDown)?.clone();
        let Some(open) = open else { continue };
        match ask(open).await {
            Ok(answer) => return Ok(answer),
            Err(error) if error.code() == Some(ProblemCode::NotFound) => {
                return Err(FetchError::NotFound(*cid));
            }
            Err(error) if error.may_pass() => {
                tracing::info!(%cid, %error, "an input cannot be fetched yet");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) => return Err(FetchError::Refused(*cid, error)),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, InputError> + Send + 'static,
) -> Result<T, InputError> {
    joined(tokio::task::spawn_blocking(work).await)
}

fn joined<T>(done: Result<Result<T, InputError>, tokio::task::JoinError>) -> Result<T, InputError> {
    done.unwrap_or_else(|stopped| {
        Err(InputError::Disk {
            path: PathBuf::new(),
            source: std::io::Error::other(stopped),
        })
    })
}
