//! A job's inputs that lie on this machine: hashed, put into the job file as CIDs, and uploaded, going on where an
//! earlier try broke off.

use super::client::Client;
use super::fetch::digest;
use super::{CliError, describe, say};
use futures_util::StreamExt;
use indicatif::{ProgressBar, ProgressDrawTarget};
use reqwest::{Method, header};
use std::collections::BTreeMap;
use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::time::Duration;
use sublet_protocol::blob::{BlobId, UploadPosition};
use sublet_protocol::problem::ProblemCode;
use tokio::io::AsyncSeekExt;
use tokio_util::io::ReaderStream;

/// How often a broken upload is taken up again without any progress.
const TRIES: u32 = 5;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// A file of this machine that a job reads.
pub struct Local {
    file: PathBuf,
    cid: BlobId,
    bytes: u64,
}

/// The job file with CIDs in the places of files, and the files.
pub async fn found(job_file: &Path, text: &str) -> Result<(String, Vec<Local>), CliError> {
    let bad = |error: sublet_protocol::job::JobError| {
        CliError::Failed(format!("{}: {error}", job_file.display()))
    };
    let beside = job_file.parent().unwrap_or(Path::new(""));
    let mut cids = BTreeMap::new();
    let mut locals: Vec<Local> = Vec::new();
    for input in sublet_protocol::job::local_inputs(text).map_err(bad)? {
        if cids.contains_key(&input.file) {
            continue;
        }
        let file = beside.join(&input.file);
        let at = format!(
            "{}: line {}, column {}: the input {}",
            job_file.display(),
            input.line,
            input.column,
            file.display()
        );
        let plain = tokio::fs::metadata(&file).await;
        match plain {
            Ok(meta) if !meta.is_file() => {
                return Err(CliError::Failed(format!("{at} is not a plain file")));
            }
            Err(error) => return Err(CliError::Failed(format!("{at} cannot be read: {error}"))),
            Ok(_) => {}
        }
        let read = digest(&file).await.map_err(CliError::failed(&at))?;
        let (cid, bytes) = read.ok_or_else(|| CliError::Failed(format!("{at} is gone")))?;
        cids.insert(input.file, cid);
        locals.push(Local { file, cid, bytes });
    }
    let text = sublet_protocol::job::with_cids(text, &cids).map_err(bad)?;
    Ok((text, locals))
}

/// Uploads what the marketplace does not have yet.
pub async fn upload(client: &Client, locals: &[Local]) -> Result<(), CliError> {
    for local in locals {
        let path = format!("/v1/blobs/{}", local.cid);
        let there = client.request(Method::HEAD, &path).send().await;
        let there = there.map_err(|error| client.unreachable(&error))?;
        if there.status().is_success() {
            continue;
        }
        let bar = ProgressBar::with_draw_target(Some(local.bytes), ProgressDrawTarget::stderr());
        let (mut tries, mut had) = (0, 0);
        loop {
            let has = position(client, &path).await?;
            match put(client, &path, local, has, &bar).await {
                Ok(()) => break,
                Err(CliError::Refused(problem))
                    if problem.code != ProblemCode::Conflict
                        && problem.code != ProblemCode::BadRequest =>
                {
                    return Err(CliError::Refused(problem));
                }
                Err(error @ CliError::Failed(_)) => return Err(error),
                Err(error) => {
                    tries = if has > had { 0 } else { tries + 1 };
                    had = has;
                    if tries >= TRIES {
                        return Err(error);
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        bar.finish_and_clear();
        say::progress(format_args!(
            "Uploaded {} ({}) as {}.",
            local.file.display(),
            describe::bytes(local.bytes),
            local.cid
        ));
    }
    Ok(())
}

async fn position(client: &Client, path: &str) -> Result<u64, CliError> {
    let request = client.request(Method::GET, &format!("{path}/upload"));
    let position: UploadPosition = client.json(request).await?;
    Ok(position.next_offset)
}

async fn put(
    client: &Client,
    path: &str,
    local: &Local,
    has: u64,
    bar: &ProgressBar,
) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::failed(local.file.display())(error);
    let mut file = tokio::fs::File::open(&local.file).await.map_err(failed)?;
    let length = file.metadata().await.map_err(failed)?.len();
    if length != local.bytes {
        return Err(CliError::Failed(format!(
            "{} changed while it was uploaded. Submit the job again.",
            local.file.display()
        )));
    }
    // Something must be sent, or nobody would look whether it is whole.
    let from = has.min(length.saturating_sub(1));
    file.seek(SeekFrom::Start(from)).await.map_err(failed)?;
    bar.set_position(from);
    let counted = bar.clone();
    let pieces = ReaderStream::with_capacity(file, 256 * 1024).map(move |piece| {
        if let Ok(piece) = &piece {
            counted.inc(piece.len() as u64);
        }
        piece
    });
    let mut request = client
        .request(Method::PUT, path)
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::CONTENT_LENGTH, length - from)
        .body(reqwest::Body::wrap_stream(pieces));
    if from > 0 {
        let range = format!("bytes {from}-{}/{length}", length - 1);
        request = request.header(header::CONTENT_RANGE, range);
    }
    client.send(request).await.map(drop)
}
