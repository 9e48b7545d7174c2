//! The local API: HTTP/JSON on a Unix socket or a named pipe, for the window, the tray, the command line and
//! dashboards, all of them equal. The server decides nothing: it turns each call into a [`Request`] to the
//! daemon and waits, but not for long.

mod request;

pub use request::{Answer, Request};

use std::time::Duration;

/// How long the daemon may take to answer before the caller gets `unavailable`.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// The same for the doctor, who asks Docker and the driver.
pub const DOCTOR_WITHIN: Duration = Duration::from_secs(30);

/// The most lines of a job's log that one call returns.
pub const LOG_LINES_MAX: u32 = 10_000;
