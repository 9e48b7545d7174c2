//! The reference marketplace: rigs offer GPUs, renters submit jobs, leases bring them together, vouchers pay for
//! what was used. One process, one SQLite file; `serve.rs` is where the parts meet.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at once")
)]

pub mod app;
pub mod blobs;
pub mod board;
pub mod cli;
pub mod clock;
pub mod db;
pub mod fault;
pub mod heartbeat;
pub mod jobs;
pub mod keyfile;
pub mod leases;
pub mod ledger;
pub mod logs;
pub mod matching;
pub mod openapi;
mod rehearsal;
pub mod renters;
pub mod routes;
pub mod secret;
pub mod serve;
pub mod session;
pub mod store;
