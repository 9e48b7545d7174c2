//! The pages in a browser, for rigs without a desktop: a foreground program that serves them on loopback and passes
//! their calls on to the agent's socket. The agent itself never opens a TCP port; this ends with the command.

mod door;
mod forward;
mod pages;
mod token;

#[cfg(all(test, unix))]
mod tests;

pub use pages::PagesError;

use crate::control::Endpoint;
use axum::Router;
use axum::extract::State;
use axum::http::{Method, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use pages::Pages;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use sublet_protocol::problem::{Problem, ProblemCode};
use token::Token;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long answers under way may take once the command ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why the dashboard cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DashboardError {
    /// There are no pages to serve.
    #[error(transparent)]
    Pages(#[from] PagesError),
    /// The port is another program's.
    #[error(
        "port {port} of this machine could not be opened ({source}): choose another with --port, or any free one with --port 0"
    )]
    Port {
        /// Which.
        port: u16,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The system gave no random bytes for the link's token.
    #[error("the system gave no random bytes for the link: {0}")]
    Random(getrandom::Error),
    /// The listener broke.
    #[error("the dashboard cannot go on: {0}")]
    Serve(std::io::Error),
}

/// An open port on loopback, its pages, and the token of its link.
#[derive(Debug)]
pub struct Dashboard {
    listener: TcpListener,
    room: Arc<Room>,
}

/// What every answer needs.
#[derive(Debug)]
struct Room {
    port: u16,
    token: Token,
    pages: Pages,
    endpoint: Endpoint,
}

impl Dashboard {
    /// Reads the pages and opens `port` on 127.0.0.1; 0 is any free one. `pages` names their folder; absent, it is
    /// looked for beside the program.
    ///
    /// # Errors
    /// [`DashboardError`], whose text says what the owner can do.
    pub async fn open(
        endpoint: Endpoint,
        port: u16,
        pages: Option<PathBuf>,
    ) -> Result<Self, DashboardError> {
        let pages = match pages {
            Some(folder) => Pages::read(&folder)?,
            None => Pages::find()?,
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let failed = |source| DashboardError::Port { port, source };
        let listener = listener.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let token = Token::random().map_err(DashboardError::Random)?;
        let room = Arc::new(Room {
            port,
            token,
            pages,
            endpoint,
        });
        Ok(Self { listener, room })
    }

    /// The port that is open.
    pub fn port(&self) -> u16 {
        self.room.port
    }

    /// The address to open in a browser. Whoever has it may do what the owner may: it is for the owner's eyes.
    pub fn link(&self) -> String {
        let Room { port, token, .. } = &*self.room;
        format!("http://127.0.0.1:{port}/#token={}", token.reveal())
    }

    /// Serves until `closing` is cancelled.
    ///
    /// # Errors
    /// What the system says when the listener cannot go on.
    pub async fn serve(self, closing: CancellationToken) -> Result<(), DashboardError> {
        let router = Router::new()
            .route("/local/v1/{*call}", any(forward::forward))
            .fallback(page)
            .layer(from_fn_with_state(self.room.clone(), door::guard))
            .with_state(self.room);
        let server = axum::serve(self.listener, router)
            .with_graceful_shutdown(closing.clone().cancelled_owned())
            .into_future();
        let overtime = async {
            closing.cancelled().await;
            tokio::time::sleep(FAREWELL).await;
        };
        tokio::select! {
            ended = server => ended.map_err(DashboardError::Serve),
            () = overtime => Ok(()),
        }
    }
}

async fn page(State(room): State<Arc<Room>>, method: Method, uri: Uri) -> Response {
    if !matches!(method, Method::GET | Method::HEAD) {
        let detail = "Pages can be read, nothing else.";
        return door::refuse(Problem::new(ProblemCode::MethodNotAllowed, detail));
    }
    match room.pages.get(uri.path()) {
        Some(page) => page.into_response(),
        None => door::refuse(Problem::new(
            ProblemCode::NotFound,
            "The dashboard has no such page. Open the link that `sublet dashboard` printed.",
        )),
    }
}
