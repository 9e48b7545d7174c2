//! The local API's listener on Unix: a socket of mode 0600 in a folder of mode 0700, and a look at who connects.

use super::endpoint::{BindError, Endpoint, Peer};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};

/// `sun_path` is 108 bytes with its closing zero.
const PATH_MAX: usize = 107;

/// How long an old socket may take to accept before it counts as dead.
const KNOCK_WITHIN: Duration = Duration::from_secs(2);

/// The open socket. Dropping it removes the file, unless another agent has put its own there.
#[derive(Debug)]
pub struct Listener {
    socket: UnixListener,
    path: PathBuf,
    inode: u64,
    user: u32,
}

impl Listener {
    /// Opens the socket. One left behind by a killed agent is replaced; one that somebody answers on is not.
    ///
    /// # Errors
    /// [`BindError`], whose text says what the owner can do.
    pub async fn bind(endpoint: &Endpoint) -> Result<Self, BindError> {
        let path = endpoint.path().to_owned();
        let failed = |what| {
            let path = path.clone();
            move |source| BindError::System { what, path, source }
        };
        if path.as_os_str().len() > PATH_MAX {
            return Err(BindError::PathTooLong(path));
        }
        let user = rustix::process::geteuid().as_raw();
        if let Some(folder) = path.parent() {
            make_private(folder, user)?;
        }
        if answers(&path).await.map_err(failed("look at"))? {
            return Err(BindError::AlreadyServed(path));
        }
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed("remove the old socket")(error));
            }
            _ => {}
        }
        let socket = UnixListener::bind(&path).map_err(failed("open the socket"))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
            .map_err(failed("close to other users"))?;
        let inode = std::fs::symlink_metadata(&path)
            .map_err(failed("look at"))?
            .ino();
        Ok(Self {
            socket,
            path,
            inode,
            user,
        })
    }

    fn peer(&self, stream: &UnixStream) -> Peer {
        match stream.peer_cred() {
            Ok(peer) if peer.uid() == self.user || peer.uid() == 0 => Peer::Owner,
            Ok(peer) => Peer::Stranger(Some(peer.uid())),
            Err(error) => {
                tracing::warn!(%error, "the system did not say who connects to the local API");
                Peer::Stranger(None)
            }
        }
    }
}

impl axum::serve::Listener for Listener {
    type Io = UnixStream;
    type Addr = Peer;

    async fn accept(&mut self) -> (UnixStream, Peer) {
        loop {
            match self.socket.accept().await {
                Ok((stream, _)) => {
                    let peer = self.peer(&stream);
                    return (stream, peer);
                }
                Err(error) => {
                    tracing::warn!(%error, "the local API could not accept a connection");
                    tokio::time::sleep(super::ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Peer> {
        Ok(Peer::Owner)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let ours =
            std::fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode);
        if ours && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "could not remove the local API's socket");
        }
    }
}

/// Makes `folder`, or takes an existing one that is ours, and closes it to everyone else.
fn make_private(folder: &Path, user: u32) -> Result<(), BindError> {
    let failed = |what| {
        move |source| BindError::System {
            what,
            path: folder.to_owned(),
            source,
        }
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed("make the folder"))?;
    let found = std::fs::symlink_metadata(folder).map_err(failed("look at"))?;
    if !found.is_dir() || found.uid() != user {
        return Err(BindError::FolderNotOurs(folder.to_owned()));
    }
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
        .map_err(failed("close to other users"))
}

/// Whether anybody accepts connections there. Silence within [`KNOCK_WITHIN`] counts as an answer: a process
/// holds the socket, even if it is busy.
async fn answers(path: &Path) -> std::io::Result<bool> {
    use std::io::ErrorKind::{ConnectionRefused, NotFound};
    match tokio::time::timeout(KNOCK_WITHIN, UnixStream::connect(path)).await {
        Err(_) | Ok(Ok(_)) => Ok(true),
        Ok(Err(error)) if matches!(error.kind(), NotFound | ConnectionRefused) => Ok(false),
        Ok(Err(error)) => Err(error),
    }
}
