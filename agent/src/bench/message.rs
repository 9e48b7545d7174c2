//! What the measuring process tells its parent, one JSON value to a line.

use serde::{Deserialize, Serialize};

use super::BenchResult;

/// One line.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Message {
    Progress(Progress),
    Result(BenchResult),
    Failure(Failure),
}

/// How far a measurement has come.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Progress {
    /// What is being measured.
    pub stage: Stage,
    /// Share of the whole measurement that is done, 0 to 1. Never shrinks.
    pub done: f32,
}

/// What is being measured.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Opening the adapter.
    SetUp,
    /// The fp32 matrix product.
    MatrixProduct,
    /// The memory triad.
    Bandwidth,
}

/// Why a measurement gave no score.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The adapter is gone, or was never there.
    #[error("there is no adapter {0} on this machine; `sublet gpus` lists those there are")]
    NoSuchAdapter(String),
    /// The adapter offers less than the kernels need.
    #[error("the adapter cannot run the measurement: {0}")]
    TooSmall(String),
    /// Another program may hold the memory.
    #[error(
        "the GPU has not enough free memory to be measured; close programs that use it, and try again"
    )]
    OutOfMemory,
    /// The driver reported an error.
    #[error("the driver failed: {0}")]
    Driver(String),
    /// The GPU computed something else than the processor. Overclocking, heat and broken memory do that.
    #[error(
        "the {kernel} is wrong: element {place} should be {value} and is {result}. \
         The GPU may be overclocked too far, too hot or broken, so it gets no score"
    )]
    WrongResult {
        /// Which kernel.
        kernel: String,
        /// Which element of its result.
        place: u64,
        /// What the processor computed.
        value: f64,
        /// What the GPU computed; JSON has no "not a number", which then arrives as null.
        #[serde(deserialize_with = "number_or_nan")]
        result: f64,
    },
}

fn number_or_nan<'de, D: serde::Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(from)?.unwrap_or(f64::NAN))
}
