//! The owner's choices, already read and checked.

use sublet_protocol::money::{HourlyPrice, MicroUsd};

/// What the owner wants. Every field has a default that rents nothing by surprise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The least for one hour of one GPU.
    pub floor: HourlyPrice,
    /// Whether an adapter without hardware may be rented.
    pub allow_software_gpu: bool,
    /// Above this a GPU does not rent, in °C.
    pub hot_c: i32,
    /// Once too hot, it rents again below this, in °C. Less than `hot_c`.
    pub cool_c: i32,
    /// How far the marketplace's vouchers may fall behind our own meter, in ms of running time.
    pub unpaid_limit_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            floor: HourlyPrice(MicroUsd(200_000)),
            allow_software_gpu: false,
            hot_c: 83,
            cool_c: 76,
            unpaid_limit_ms: 120_000,
        }
    }
}
