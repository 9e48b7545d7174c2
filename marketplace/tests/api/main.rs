//! The marketplace over HTTP: the real router on loopback, a real SQLite file, and rigs that sign for themselves.
// Signals, file modes and file size limits: the marketplace's tests run where it is run.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may stop at once"
)]

mod blobs;
mod cancelling;
mod command_line;
mod content;
mod database;
mod errors;
mod heartbeats;
mod importing;
mod killing;
mod logs;
mod losing;
mod money;
mod sessions;
mod support;
