//! Whoever is killed at whichever step: nothing is lost, left behind, done twice or paid wrongly.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may stop at once"
)]

mod every_step;
mod together;
