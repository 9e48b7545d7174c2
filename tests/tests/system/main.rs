//! Whole-system tests, in one program: each starts a marketplace and an agent of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may stop at once"
)]

mod clock;
mod crash;
mod files;
mod gpu;
mod gvisor;
mod heat;
mod life;
mod money;
mod owner;
mod record;
mod refusal;
mod silence;
mod way_back;
