//! What a job says, as it says it.

use super::names;
use super::socket::{ASK, within};
use super::{Sandbox, SandboxError};
use bollard::query_parameters::{InspectContainerOptions, LogsOptionsBuilder};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use sublet_protocol::ids::LeaseId;

/// A piece of a job's standard output and error, merged in the order they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogChunk {
    /// Its place, in bytes from the beginning of the log that the engine still holds.
    pub offset: u64,
    /// What was written.
    pub bytes: Bytes,
}

impl Sandbox {
    /// The job's log from the byte `since` on. With `follow` it goes on until the job ends, however long the job is
    /// silent; without, it ends with what is there. The engine keeps the last 8 to 16 MiB: once a job has written
    /// more than that, offsets of a new stream count from the oldest byte that is kept.
    ///
    /// # Errors
    /// In the stream: [`SandboxError::Gone`], [`SandboxError::DockerUnavailable`].
    pub fn logs(
        &self,
        lease: &LeaseId,
        since: u64,
        follow: bool,
    ) -> BoxStream<'static, Result<LogChunk, SandboxError>> {
        let docker = self.docker.clone();
        let name = names::container(lease);
        let lease = lease.clone();
        let open = async move {
            // A stream cannot tell a silent job from a stuck engine, so the engine is asked first.
            let call = docker.inspect_container(&name, None::<InspectContainerOptions>);
            if let Err(error) = within("look at the job", ASK, call).await {
                let error = if error.status() == Some(404) {
                    SandboxError::Gone {
                        lease: lease.to_string(),
                    }
                } else {
                    error
                };
                return stream::once(async move { Err(error) }).boxed();
            }
            let options = LogsOptionsBuilder::default()
                .stdout(true)
                .stderr(true)
                .follow(follow)
                .build();
            let mut offset = 0_u64;
            docker
                .logs(&name, Some(options))
                .filter_map(move |piece| {
                    let piece = piece
                        .map_err(|e| SandboxError::from_docker("show the job's log", ASK, e))
                        .map(|piece| {
                            let at = offset;
                            let bytes = piece.into_bytes();
                            offset += bytes.len() as u64;
                            rest(at, bytes, since)
                        })
                        .transpose();
                    async move { piece }
                })
                .boxed()
        };
        stream::once(open).flatten().boxed()
    }
}

/// What of a piece at `at` lies at or after `since`.
fn rest(at: u64, mut bytes: Bytes, since: u64) -> Option<LogChunk> {
    let skip = usize::try_from(since.saturating_sub(at)).unwrap_or(usize::MAX);
    if skip >= bytes.len() {
        return None;
    }
    let bytes = bytes.split_off(skip);
    Some(LogChunk {
        offset: at.max(since),
        bytes,
    })
}
