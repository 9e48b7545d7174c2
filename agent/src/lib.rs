//! The agent that rents out idle GPUs: `daemon` joins the parts, `cli` speaks to it through `control`, and the
//! other modules each know one piece of the outside world.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "a test may stop at once"
    )
)]

pub mod bench;
pub mod child;
pub mod cli;
pub mod control;
pub mod daemon;
pub mod dashboard;
pub mod doctor;
pub mod history;
pub mod inputs;
pub mod keys;
pub mod market;
pub mod probe;
mod rehearsal;
pub mod sandbox;
pub mod sensors;
pub mod settings;
pub mod store;
pub mod wallet;
