//! What whole-system tests stand on: the real programs, started in folders of their own, and ended with the test.
//! `cargo xtask test system` builds the programs, starts Docker and a registry, and says by environment variables
//! where they are; a test that misses one fails and says so.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "this crate is for tests: they may stop at once, and say why"
)]

pub mod bus;
pub mod containers;
pub mod desktop;
pub mod dockerd;
#[cfg(test)]
mod edges;
pub mod jobs;
pub mod market;
pub mod picture;
pub mod program;
pub mod recovery;
pub mod rig;
pub mod screen;
pub mod session;
pub mod simulated;
pub mod wait;
pub mod wall_clock;
pub mod webdriver;
pub mod windows;
