//! Takes over a deployment of Akash, where it has one service: SDL versions 2.0 and 2.1. Nothing is dropped in
//! silence: what has a counterpart is carried over, and each thing that has none is refused with its place.

mod shape;
mod translate;

#[cfg(test)]
mod tests;

use super::JobError;
use super::place::{check_length, from_reader};
use crate::money::HourlyPrice;

/// A deployment as a job file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// A job file; it is a good job.
    pub job: String,
    /// What the renter should know of it: what means something else here, and what to add.
    pub notes: Vec<String>,
}

/// Reads an SDL file of one service and writes it as a job file. Prices there are for a block and in a coin, so an
/// hour's price in dollars has to be said.
///
/// # Errors
/// Everything that has no counterpart, each with its place and the reason. Where the file cannot be read at all, or
/// has keys that SDL does not, the first such thing.
pub fn import_sdl(text: &str, price: Option<HourlyPrice>) -> Result<Imported, Vec<JobError>> {
    check_length(text).map_err(|error| vec![error])?;
    let file: shape::Sdl =
        serde_saphyr::from_str(text).map_err(|error| vec![from_reader(&error)])?;
    translate::job(&file, price)
}
