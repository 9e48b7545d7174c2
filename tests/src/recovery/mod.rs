//! A harness that knows every step of the agent's and the marketplace's life, strikes there, and looks at what is left.
//!
//! The programs name their steps themselves (`--rehearsal`, see the crate `sublet-steps`) and stand still at the one
//! that is ordered. A [`story`](stories) is told once in peace, which gives the trail of its steps; then again and again
//! with one blow each time, while a [`scene`] brings back whoever died, as a service manager would. However the blow
//! fell, the story must come to its end, and [`all`](aftermath) must be right afterwards.

pub mod aftermath;
pub mod moments;
pub mod parts;
pub mod run;
pub mod scene;
pub mod stories;
pub mod tight;
