//! What the record says, as the pages and the command line show it: the timeline with its days and weeks, and what other
//! settings would have made of it. Reckons; what it reckons with is handed in.

mod calendar;
mod preview;
mod view;

pub use calendar::{Day, days};
pub use preview::{NEEDED_MS, Rig, Told, cards, own_trace, preview};
pub use view::{Recorded, view};
