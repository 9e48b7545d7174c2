//! Money. [`terms`] reckons one lease's figures, purely; [`book`] keeps the double entries;
//! [`audit`] says what must always hold.

pub mod audit;
pub mod book;
pub mod terms;

pub use book::{Account, Kind};
pub use terms::{Charge, Terms};
