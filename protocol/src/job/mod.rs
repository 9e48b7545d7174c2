//! What a renter wants run: a subset of Compose with one service, read with line and column in every error.

mod checkpoint;
mod compose;
mod file;
mod folders;
mod image;
mod inputs;
mod needs;
mod outputs;
mod place;
mod quantity;
mod reach;
mod refused;
mod scalar;
mod schema;
mod sdl;

pub use checkpoint::CheckpointPlan;
pub use compose::parse;
pub use image::{ImageError, ImageRef};
pub use inputs::{LocalInput, local_inputs, with_cids};
pub use needs::{Category, Isolation};
pub use place::JobError;
pub use reach::{REFUSED_BEGINNINGS, WIDENING, chooses_reach};
pub use schema::SCHEMA;
pub use sdl::{Imported, import_sdl};

use crate::blob::BlobId;
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
    /// Files that the job finds when it starts and cannot change: absolute paths in the container, all in one folder,
    /// each with its content.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, String>)]
    pub inputs: BTreeMap<String, BlobId>,
    /// Files to keep, as absolute paths in the container, all in one folder.
    pub outputs: Vec<String>,
    /// Where it keeps its place, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointPlan>,
    /// How long it may tidy up when its GPU is taken back, in ms; 0 by default.
    pub reclaim_grace_ms: u64,
    /// What it is for; an owner may choose by it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub category: Category,
    /// How it wants to be kept apart from the host.
    #[serde(default, skip_serializing_if = "is_default")]
    pub isolation: Isolation,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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
