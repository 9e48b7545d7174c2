//! Where the parts meet: opens everything in order, serves, and closes everything in order.

use crate::app::{App, Config, Shared};
use crate::blobs::{self, BlobStore};
use crate::board::{Board, Mirror, Rig};
use crate::db::{self, Writer};
use crate::fault::Fault;
use crate::logs::Logs;
use crate::matching::{self, Waiting};
use crate::session::Challenges;
use crate::store::to_id;
use crate::{keyfile, routes};
use k256::ecdsa::SigningKey;
use sqlx::SqliteConnection;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use sublet_protocol::keys::RigKey;
use sublet_protocol::voucher::Channel;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long requests under way may take to finish once the server closes.
const FAREWELL: Duration = Duration::from_secs(10);

/// Why the marketplace cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The data folder.
    #[error("{path} cannot be used: {source}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Somebody else has it.
    #[error(
        "another sublet-market serves from {0} already. Stop that one, or give this one a folder of its own"
    )]
    Taken(PathBuf),
    /// The voucher key.
    #[error(transparent)]
    Key(#[from] keyfile::KeyFileError),
    /// The database.
    #[error(transparent)]
    Database(#[from] db::OpenError),
    /// What is stored.
    #[error(transparent)]
    Stored(#[from] Fault),
    /// The address.
    #[error("{address} cannot be listened on: {source}. Is something else there already?")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A marketplace that is open, and does not listen yet.
pub struct Market {
    app: Shared,
    writer: tokio::task::JoinHandle<()>,
    /// Held as long as this one has the folder.
    _lock: std::fs::File,
}

/// A marketplace that serves.
pub struct Serving {
    /// Where.
    pub address: SocketAddr,
    app: Shared,
    /// Those that answer and match.
    tasks: Vec<tokio::task::JoinHandle<()>>,
    writer: tokio::task::JoinHandle<()>,
    _lock: std::fs::File,
}

impl Market {
    /// Opens the data folder: takes its lock, reads its key, checks its database, and puts every rig with an open
    /// lease on the board.
    ///
    /// # Errors
    /// See [`ServeError`]; each says what to do.
    pub async fn open(config: Config) -> Result<Self, ServeError> {
        let data = config.data.clone();
        let failed = |source| ServeError::Folder {
            path: data.clone(),
            source,
        };
        std::fs::create_dir_all(&data).map_err(failed)?;
        let lock = std::fs::File::create(data.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(ServeError::Taken(data)),
            Err(std::fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
        let voucher_key = keyfile::voucher_key(&data.join("voucher.key"))?;
        let file = data.join("market.sqlite");
        let mut conn = db::open(&file).await?;
        let board = Arc::new(Board::default());
        place_rigs(&mut conn, &board, &voucher_key, &config).await?;
        blobs::orphans::remove(&mut conn, &data.join("blobs")).await?;
        let readers = db::readers(&file).await?;
        let blobs = BlobStore::open(data.join("blobs"), config.largest_blob).await?;
        let logs = Logs::open(data.join("logs"), config.longest_log)?;
        let (db, writer) = Writer::start(conn, Arc::clone(&board));
        let app = Arc::new(App {
            config,
            db,
            readers,
            board,
            challenges: Challenges::default(),
            voucher_key,
            blobs,
            logs,
            waiting: Waiting::default(),
            closing: CancellationToken::new(),
        });
        Ok(Self {
            app,
            writer,
            _lock: lock,
        })
    }

    /// Listens and serves until [`Serving::close`].
    ///
    /// # Errors
    /// The address is taken.
    pub async fn serve(self, address: SocketAddr) -> Result<Serving, ServeError> {
        let failed = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let matcher = tokio::spawn(matching::run(Arc::clone(&self.app)));
        let closing = self.app.closing.clone();
        let router = routes::router(Arc::clone(&self.app));
        let server = tokio::spawn(async move {
            let serving = axum::serve(listener, router)
                .with_graceful_shutdown(async move { closing.cancelled().await });
            if let Err(error) = serving.await {
                tracing::error!(%error, "serving ended");
            }
        });
        Ok(Serving {
            address,
            app: self.app,
            tasks: vec![server, matcher],
            writer: self.writer,
            _lock: self._lock,
        })
    }
}

impl Serving {
    /// Closes: no new requests, those under way are finished, every change is written, the database is closed.
    pub async fn close(self) {
        self.app.closing.cancel();
        for task in self.tasks {
            finish(task).await;
        }
        // The writer's connection is then the last one, and takes the write-ahead log back into the file.
        self.app.readers.close().await;
        drop(self.app);
        finish(self.writer).await;
    }
}

async fn finish(task: tokio::task::JoinHandle<()>) {
    let stop = task.abort_handle();
    match tokio::time::timeout(FAREWELL, task).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "a part of the server ended badly"),
        Err(_) => {
            tracing::warn!("requests were still under way and were cut off");
            stop.abort();
        }
    }
}

async fn place_rigs(
    conn: &mut SqliteConnection,
    board: &Board,
    voucher_key: &SigningKey,
    config: &Config,
) -> Result<(), Fault> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT DISTINCT r.id, r.key FROM rigs r JOIN leases l ON l.rig = r.id WHERE l.closed = 0",
    )
    .fetch_all(&mut *conn)
    .await?;
    for (id, key) in rows {
        let id = to_id(id)?;
        let key = RigKey::try_from(key).map_err(|error| Fault::Damaged(error.to_string()))?;
        let channel = Channel::between(voucher_key, &key, config.voucher_domain.clone());
        let mirror = Mirror::read(conn, &id).await?;
        board.place(Rig::new(id, key, channel, mirror));
    }
    Ok(())
}
