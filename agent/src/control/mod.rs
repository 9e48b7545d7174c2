//! The local API: HTTP/JSON on a Unix socket or a named pipe, for the window, the tray, the command line and
//! dashboards, all of them equal. The server decides nothing: it turns each call into a [`Request`] to the
//! daemon and waits, but not for long.

pub mod client;
mod endpoint;
mod events;
mod export;
pub mod openapi;
mod past;
mod request;
mod routes;
mod server;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(all(test, unix))]
mod tests;

pub use endpoint::{BindError, Endpoint, Peer};
pub use request::{Answer, Request, TelemetrySpan};
pub use routes::PAUSE_MAX_MS;
pub use server::serve;
#[cfg(unix)]
pub use unix::Listener;
#[cfg(windows)]
pub use windows::Listener;

use std::time::Duration;

/// How long the daemon may take to answer before the caller gets `unavailable`.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// The same for the doctor, who asks Docker and the driver.
pub const DOCTOR_WITHIN: Duration = Duration::from_secs(30);

/// The same for a preview, which replays weeks.
pub const PREVIEW_WITHIN: Duration = Duration::from_secs(20);

/// The most days of history that one call returns, and that a preview rests on.
pub const HISTORY_DAYS_MAX: u32 = 90;

/// The most lines of a job's log that one call returns.
pub const LOG_LINES_MAX: u32 = 10_000;

/// The wait after a connection that the system could not hand over, so that a lasting fault (no more file
/// descriptors) does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
