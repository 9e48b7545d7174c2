//! Money. [`terms`] reckons one lease's figures, purely; [`book`] keeps the double entries.

pub mod book;
pub mod terms;

pub use book::{Account, Kind};
pub use terms::{Charge, Terms};
