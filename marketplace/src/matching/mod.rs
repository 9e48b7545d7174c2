//! Who gets which job. [`plan`] decides, purely; [`actor`] looks at the board, has it decided, and grants.
//!
//! A rig's standing offer is its bid: the owner's floor for each GPU is the price that is paid, so an owner bids
//! the least that they would take and the cheapest rig that meets the job's needs wins.

mod actor;
mod demand;
mod fit;
mod plan;

pub use actor::{Waiting, run};
pub use plan::{Order, Outcome, Standing, plan};
