//! Archives on their way between Docker, which is spoken to by tasks, and those who read and write them on a thread of
//! their own. What lies between is a few pieces, whatever the archive's size.

use super::socket::{SILENCE, within};
use super::{Sandbox, SandboxError};
use bollard::query_parameters::UploadToContainerOptionsBuilder;
use bytes::Bytes;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// Pieces that wait between the two.
const PIECES: usize = 4;
/// Bytes of one piece.
const PIECE: usize = 256 * 1024;
/// Longer than any archive takes: what is watched is whether it moves.
const FOREVER: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The archive's bytes as they arrive; its end where the sender is gone.
pub(super) struct Archive {
    pieces: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl Archive {
    pub(super) fn new(pieces: mpsc::Receiver<Bytes>) -> Self {
        Self {
            pieces,
            piece: Bytes::new(),
        }
    }
}

impl Read for Archive {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let taken = self.piece.split_to(buffer.len().min(self.piece.len()));
        for (to, from) in buffer.iter_mut().zip(&taken) {
            *to = *from;
        }
        Ok(taken.len())
    }
}

/// Where an archive is written to; fails once nobody takes it any more.
pub(super) struct Sink {
    pieces: mpsc::Sender<std::io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl Sink {
    fn send(&mut self) -> std::io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.pieces
            .blocking_send(Ok(piece.into()))
            .map_err(|_| std::io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.send()
    }
}

impl Sandbox {
    /// Has Docker unpack into a folder of a container what `write` writes as an archive.
    pub(super) async fn unpack_into(
        &self,
        what: &'static str,
        container: &str,
        folder: &str,
        write: impl FnOnce(&mut Sink) -> std::io::Result<()> + Send + 'static,
    ) -> Result<(), SandboxError> {
        let (sender, mut pieces) = mpsc::channel(PIECES);
        let writing = tokio::task::spawn_blocking(move || {
            let failing = sender.clone();
            let mut sink = Sink {
                pieces: sender,
                piece: Vec::with_capacity(PIECE),
            };
            let written = write(&mut sink).and_then(|()| sink.flush());
            if let Err(error) = &written {
                // So that Docker does not take half an archive for a whole one.
                let _ = failing.blocking_send(Err(error.kind().into()));
            }
            written
        });
        let moved = Arc::new(AtomicU64::new(0));
        let counter = moved.clone();
        let body = async_stream::stream! {
            while let Some(piece) = pieces.recv().await {
                counter.fetch_add(1, Ordering::Relaxed);
                yield piece;
            }
        };
        let options = UploadToContainerOptionsBuilder::default()
            .path(folder)
            .build();
        let docker = self.docker.clone().with_timeout(FOREVER);
        let unpacking =
            docker.upload_to_container(container, Some(options), bollard::body_try_stream(body));
        let unpacked = tokio::select! {
            unpacked = within(what, FOREVER, unpacking) => unpacked,
            () = stalled(&moved) => Err(SandboxError::Timeout { what, after: SILENCE }),
        };
        let written = writing.await.map_err(|stopped| SandboxError::Other {
            what,
            status: None,
            why: stopped.to_string(),
        })?;
        match written {
            // That nobody took it any more is no cause, but Docker's word is.
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(SandboxError::Other {
                    what,
                    status: None,
                    why: error.to_string(),
                })
            }
            _ => unpacked,
        }
    }
}

/// Returns once nothing has moved for too long.
async fn stalled(moved: &AtomicU64) {
    let mut last = moved.load(Ordering::Relaxed);
    loop {
        tokio::time::sleep(SILENCE).await;
        let now = moved.load(Ordering::Relaxed);
        if now == last {
            return;
        }
        last = now;
    }
}
