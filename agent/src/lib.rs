//! The agent that rents out idle GPUs: `daemon` joins the parts, `cli` speaks to it through `control`, and the
//! other modules each know one piece of the outside world.

pub mod control;
