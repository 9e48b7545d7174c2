//! Facts and settings in, decisions out. The agent's whole policy, without a clock, a file or a task:
//! time is an argument, and everything that happens outside comes in as an [`Event`] and goes out as an
//! [`Effect`]. So it can be tested, replayed and simulated.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at once")
)]

pub mod custody;
pub mod effect;
pub mod event;
pub mod facts;
pub mod history;
pub mod lease;
pub mod memory;
pub mod meter;
pub mod policy;
pub mod profit;
pub mod schedule;
pub mod settings;
pub mod simulate;
mod step;
pub mod tariff;
pub mod thermal;

pub use effect::Effect;
pub use event::Event;
pub use facts::{Facts, Moment};
pub use memory::Memory;
pub use settings::Settings;
pub use step::step;

#[cfg(test)]
mod checkpoint_stories;
#[cfg(test)]
mod proofs;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod testing;
