//! What agent and marketplace say to each other (v1), and, in [`local`], what the agent says to its own
//! window, tray and command line.
//!
//! Types and checks only: nothing here does I/O, reads a clock or spawns a task. Wire types are exact;
//! turning one into a domain type is fallible and happens at the edge of whoever receives it.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may stop at once"))]

pub mod blob;
pub mod gpu;
pub mod heartbeat;
pub mod ids;
pub mod job;
pub mod keys;
pub mod lease;
pub mod local;
pub mod money;
pub mod offer;
pub mod problem;
pub mod reason;
pub mod renter;
pub mod session;
pub mod usage;
pub mod voucher;

/// The protocol's version, as it stands in every path (`/v1/...`).
pub const VERSION: &str = "v1";
