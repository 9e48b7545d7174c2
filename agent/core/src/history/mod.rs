//! What the agent remembers of its days: what each GPU did and why, minute by minute what its sensors said and what it
//! earned, and what the owner did, so that other settings can be tried on it.
//!
//! [`Recorder`] watches and gathers; nothing here stores. What was not watched is not recorded: a time without a record
//! stays a gap.

mod kind;
mod minute;
mod preview;
mod recorder;
mod scene;
mod seen;
mod timeline;
mod trace;
mod warmth;

#[cfg(test)]
mod tests;

pub use kind::kind_of;
pub use minute::{MINUTE_MS, Minute, QUARTER_MINUTES, Quarter};
pub use preview::{Asked, outcome};
pub use recorder::{Batch, Recorder, Sight};
pub use scene::Line;
pub use seen::{Demand, DemandFrom, demand, prices};
pub use timeline::{gapless, ran, totals};
pub use trace::{Record, exemplary, recorded};
pub use warmth::{Warmth, card};
