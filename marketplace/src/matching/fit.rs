//! Whether one GPU, in its rig, meets one job's needs; and the words for what nobody meets.

use super::Standing;
use sublet_protocol::job::{Isolation, JobSpec};
use sublet_protocol::offer::GpuOffer;

/// What a job can ask of a GPU, in the order in which it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Hardware, unless the job takes software adapters.
    Hardware,
    /// Part of the model's name.
    Model,
    /// Memory of its own.
    Memory,
    /// A benchmark score.
    Score,
    /// CPU time and memory of the host.
    Host,
    /// As long a time as the job may take.
    Time,
    /// gVisor, where the job asks for it.
    Isolation,
    /// An owner who takes work of its category and images of its publisher.
    Work,
    /// A price within the job's.
    Price,
    /// Not in use by another lease.
    Free,
}

/// All of them, in order.
pub const NEEDS: [Need; 10] = [
    Need::Hardware,
    Need::Model,
    Need::Memory,
    Need::Score,
    Need::Host,
    Need::Time,
    Need::Isolation,
    Need::Work,
    Need::Price,
    Need::Free,
];

impl Need {
    /// Whether a GPU on offer meets it. The price is that of this GPU alone.
    pub fn met(self, spec: &JobSpec, offer: &GpuOffer, rig: &Standing) -> bool {
        let (need, gpu, host) = (&spec.gpu, &offer.gpu, &rig.limits);
        match self {
            Self::Hardware => !gpu.software || need.allow_software,
            Self::Model => need
                .model
                .as_ref()
                .is_none_or(|part| gpu.name.to_lowercase().contains(&part.to_lowercase())),
            Self::Memory => gpu.memory_bytes.unwrap_or(0) >= need.vram_min_bytes,
            Self::Score => gpu.score.map_or(0, |s| s.score) >= need.score_min,
            Self::Host => {
                spec.cpu_milli <= host.cpu_milli && spec.memory_bytes <= host.memory_bytes
            }
            Self::Time => host.longest_ms.is_none_or(|most| spec.deadline_ms <= most),
            // An NVIDIA GPU is not handed out through gVisor.
            Self::Isolation => {
                spec.isolation == Isolation::Container || (rig.sandbox.gvisor() && gpu.software)
            }
            Self::Work => rig.work.refuses(spec).is_none(),
            Self::Price => offer.floor <= spec.max_price,
            Self::Free => !rig.busy.contains(&gpu.id),
        }
    }

    /// "none …", where nothing on offer meets it.
    pub fn none(self, spec: &JobSpec) -> String {
        let need = &spec.gpu;
        match self {
            Self::Hardware => {
                "none of them hardware (the job does not take software adapters)".into()
            }
            Self::Model => format!(
                "none with `{}` in its name",
                need.model.as_deref().unwrap_or_default()
            ),
            Self::Memory => format!(
                "none with {} MiB of its own memory",
                need.vram_min_bytes >> 20
            ),
            Self::Score => format!("none with a score of {} or more", need.score_min),
            Self::Host => format!(
                "none in a machine that gives a job {} cores and {} MiB",
                f64::from(spec.cpu_milli) / 1000.0,
                spec.memory_bytes >> 20
            ),
            Self::Time => format!(
                "none in a machine that gives a job {} minutes",
                spec.deadline_ms.div_ceil(60_000)
            ),
            Self::Isolation => "none under gVisor, which the job asks for".into(),
            Self::Work => format!(
                "none whose owner takes work of the category `{}` and images from where this one comes from",
                spec.category.name()
            ),
            Self::Price => format!("none under {}", spec.max_price),
            Self::Free => "none of them free right now".into(),
        }
    }
}
