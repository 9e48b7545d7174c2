//! The desktop shell as its owner has it: the real window, tray and notifications, with the real agent and
//! marketplace. Each story has a session of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may stop at once"
)]

mod bare;
mod notices;
mod owner;
mod shut;
mod strict;
