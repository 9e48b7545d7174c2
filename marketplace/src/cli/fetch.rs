//! `fetch`: a job's outputs, resumed where an earlier try broke off, checked, and only then given their names.

use super::client::Client;
use super::{Access, CliError, describe, say};
use clap::Args;
use futures_util::StreamExt;
use indicatif::{ProgressBar, ProgressDrawTarget};
use reqwest::{Method, StatusCode, header};
use serde::Serialize;
use std::path::{Path, PathBuf};
use sublet_protocol::blob::{BlobHasher, BlobId};
use sublet_protocol::ids::JobId;
use sublet_protocol::lease::{EndCode, Output};
use sublet_protocol::renter::{JobState, JobView};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How often a broken download is taken up again without any progress.
const TRIES: u32 = 5;

#[derive(Args)]
pub struct Fetch {
    /// Which job
    job: JobId,
    /// The folder to put the files in
    #[arg(long, default_value = ".", value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    access: Access,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Fetched {
    files: Vec<File>,
}

#[derive(Serialize)]
struct File {
    /// Where it lies now.
    path: PathBuf,
    /// What the job called it.
    output: String,
    cid: BlobId,
    bytes: u64,
}

impl Fetch {
    pub async fn run(self) -> Result<(), CliError> {
        let client = Client::new(&self.access)?;
        let view = client.job(&self.job).await?;
        let outputs = outputs(&view)?;
        tokio::fs::create_dir_all(&self.out)
            .await
            .map_err(CliError::failed(self.out.display()))?;
        let mut files = Vec::new();
        for output in outputs {
            let name = output.path.rsplit('/').next().unwrap_or_default();
            // The marketplace is not trusted to name files here.
            if name.is_empty() || name == "." || name == ".." || name.contains(['\\', '\0', ':']) {
                return Err(CliError::Failed(format!(
                    "`{}` is no name for a file",
                    output.path
                )));
            }
            let path = self.out.join(name);
            fetch(&client, output, &path).await?;
            files.push(File {
                path,
                output: output.path.clone(),
                cid: output.cid,
                bytes: output.bytes,
            });
        }
        if self.json {
            return say::json(&Fetched { files });
        }
        say::line(format_args!(
            "{} file{} fetched and checked against {} CID{0}.",
            files.len(),
            if files.len() == 1 { "" } else { "s" },
            if files.len() == 1 { "its" } else { "their" },
        ))?;
        let row = |file: &File| {
            vec![
                file.path.display().to_string(),
                describe::bytes(file.bytes),
                file.cid.to_string(),
            ]
        };
        say::table(&["FILE", "SIZE", "CID"], files.iter().map(row))
    }
}

fn outputs(view: &JobView) -> Result<&[Output], CliError> {
    let ending = view.leases.iter().rev().find_map(|lease| {
        let ending = lease.ending.as_ref()?;
        (ending.code == EndCode::Completed).then_some(ending)
    });
    match ending {
        Some(ending) if view.state == JobState::Completed && ending.outputs.is_empty() => {
            Err(CliError::Failed(format!(
                "Job {} names no outputs; there is nothing to fetch.",
                view.job
            )))
        }
        Some(ending) if view.state == JobState::Completed => Ok(&ending.outputs),
        _ if view.state.is_over() => Err(CliError::JobEnded(describe::sentence(view))),
        _ => Err(CliError::Failed(format!(
            "Job {} is not done yet: {} Wait with `sublet-market logs {0} --follow`.",
            view.job,
            describe::sentence(view)
        ))),
    }
}

async fn fetch(client: &Client, output: &Output, path: &Path) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::failed(path.display())(error);
    if digest(path).await.map_err(failed)? == Some((output.cid, output.bytes)) {
        return Ok(());
    }
    // Named by content, so that what is resumed is the same thing.
    let part = path.with_file_name(format!(".{}.part", output.cid));
    let bar = ProgressBar::with_draw_target(Some(output.bytes), ProgressDrawTarget::stderr());
    let (mut tries, mut had) = (0, 0);
    while let Err(error) = resume(client, output, &part, &bar).await {
        let has = tokio::fs::metadata(&part)
            .await
            .map_or(0, |meta| meta.len());
        tries = if has > had { 0 } else { tries + 1 };
        had = has;
        if tries >= TRIES || !matches!(error, CliError::Unreachable(_)) {
            return Err(error);
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    bar.finish_and_clear();
    let found = digest(&part).await.map_err(failed)?;
    if found != Some((output.cid, output.bytes)) {
        tokio::fs::remove_file(&part).await.map_err(failed)?;
        return Err(CliError::Failed(format!(
            "What came for {} is not what its CID {} names; it was thrown away. Fetch again, and tell the operator if it happens twice.",
            output.path, output.cid
        )));
    }
    tokio::fs::rename(&part, path).await.map_err(failed)
}

/// Brings a part up to the whole.
async fn resume(
    client: &Client,
    output: &Output,
    part: &Path,
    bar: &ProgressBar,
) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::failed(part.display())(error);
    let mut file = tokio::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(part)
        .await
        .map_err(failed)?;
    let mut has = file.metadata().await.map_err(failed)?.len();
    if has > output.bytes {
        file.set_len(0).await.map_err(failed)?;
        has = 0;
    }
    if has == output.bytes {
        return Ok(());
    }
    let mut request = client.request(Method::GET, &format!("/v1/blobs/{}", output.cid));
    if has > 0 {
        request = request.header(header::RANGE, format!("bytes={has}-"));
    }
    let response = client.send(request).await?;
    if has > 0 && response.status() != StatusCode::PARTIAL_CONTENT {
        file.set_len(0).await.map_err(failed)?;
        has = 0;
    }
    bar.set_position(has);
    let mut bytes = response.bytes_stream();
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk.map_err(|error| client.unreachable(&error))?;
        has += chunk.len() as u64;
        if has > output.bytes {
            return Err(CliError::Failed(format!(
                "More bytes came for {} than it has ({}).",
                output.path, output.bytes
            )));
        }
        file.write_all(&chunk).await.map_err(failed)?;
        bar.set_position(has);
    }
    file.sync_all().await.map_err(failed)
}

/// The CID and length of a file; nothing where there is none.
pub(super) async fn digest(path: &Path) -> std::io::Result<Option<(BlobId, u64)>> {
    let mut file = match tokio::fs::File::open(path).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let (mut hasher, mut length) = (BlobHasher::default(), 0);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = file.read(&mut buffer).await?;
        if count == 0 {
            return Ok(Some((hasher.finish(), length)));
        }
        hasher.update(&buffer[..count]);
        length += count as u64;
    }
}
