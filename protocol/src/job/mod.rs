//! What a renter wants run: a subset of Compose with one service, read with line and column in every error.

mod compose;
mod file;
mod image;
mod outputs;
mod place;
mod quantity;
mod refused;
mod scalar;
mod schema;
mod sdl;

pub use compose::parse;
pub use image::{ImageError, ImageRef};
pub use place::JobError;
pub use schema::SCHEMA;
pub use sdl::{Imported, import_sdl};

use crate::money::HourlyPrice;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A job, checked and with every default filled in. Made by [`parse`]; on the wire it is JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    /// The service's name.
    pub name: String,
    /// The image, by digest.
    pub image: ImageRef,
    /// Arguments in place of the image's own command.
    pub command: Option<Vec<String>>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// What it needs of GPUs.
    pub gpu: GpuNeed,
    /// CPU time in thousandths of a core; 1000 by default.
    pub cpu_milli: u32,
    /// Memory in bytes; 2 GiB by default.
    pub memory_bytes: u64,
    /// Processes and threads; 256 by default.
    pub pids: u32,
    /// The most the renter pays for an hour.
    pub max_price: HourlyPrice,
    /// The longest it may run in one lease, in ms; 1 hour by default.
    pub deadline_ms: u64,
    /// How often another rig may try after one that could not; 2 by default.
    pub retries: u32,
    /// Files to keep, as absolute paths in the container, all in one folder.
    pub outputs: Vec<String>,
    /// How long it may tidy up when its GPU is taken back, in ms; 0 by default.
    pub reclaim_grace_ms: u64,
}

impl JobSpec {
    /// The folder that all outputs lie in: the job's one writable place that is kept.
    pub fn output_folder(&self) -> Option<&str> {
        let first = self.outputs.first()?;
        first.rsplit_once('/').map(|(folder, _)| folder)
    }
}

/// What a job needs of GPUs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GpuNeed {
    /// How many; 1 by default, 8 at most.
    pub count: u32,
    /// Least memory of each, in bytes.
    pub vram_min_bytes: u64,
    /// Least benchmark score of each.
    pub score_min: u32,
    /// Part of the model's name, compared without regard to case.
    pub model: Option<String>,
    /// Whether an adapter without hardware will do. Off unless the renter says so.
    pub allow_software: bool,
}
