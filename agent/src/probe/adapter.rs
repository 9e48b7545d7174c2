//! What is known of a graphics adapter.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::sensors::PciAddress;

/// A graphics adapter, as one of the system's graphics interfaces shows it. The same card may appear once for each.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Adapter {
    /// How to ask for this adapter again.
    pub id: AdapterId,
    /// Name, as the driver gives it.
    pub name: String,
    /// Vendor: a PCI vendor id, or a larger number for makers of software adapters.
    pub vendor: u32,
    /// Device id, given by the vendor.
    pub device: u32,
    /// What kind of thing it is.
    pub kind: AdapterKind,
    /// The graphics interface that shows it.
    pub backend: Backend,
    /// Name of the driver.
    pub driver: String,
    /// The driver's version, in the driver's own form.
    pub driver_info: String,
    /// Where it sits, if it says so.
    pub pci: Option<PciAddress>,
    /// How large things on it may be.
    pub limits: Limits,
    /// It can time its own work.
    pub has_timestamps: bool,
}

impl Adapter {
    /// Driver and version in one text. Measurements are kept by it, since a new driver may be faster or slower.
    #[must_use]
    pub fn driver_version(&self) -> String {
        format!("{} {}", self.driver, self.driver_info)
            .trim()
            .to_owned()
    }
}

/// Names one adapter of this machine: its interface, and its PCI address or else its vendor and device. Stays the same
/// for as long as the machine's adapters do.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub struct AdapterId(pub(super) String);

impl AdapterId {
    /// The id that was given as `text`, on a command line say. It may name no adapter.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AdapterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What kind of adapter it is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AdapterKind {
    /// A card with memory of its own.
    Discrete,
    /// Part of the processor, sharing its memory.
    Integrated,
    /// A share of a card, in a virtual machine.
    Virtual,
    /// The processor, pretending.
    Software,
    /// The driver does not say.
    Other,
}

/// A graphics interface.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// Vulkan, the one that is preferred: it gives true PCI addresses.
    Vulkan,
    /// Apple's Metal.
    Metal,
    /// Microsoft's Direct3D 12.
    Dx12,
    /// Any other.
    Other,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
            Self::Dx12 => "dx12",
            Self::Other => "other",
        })
    }
}

/// How large things on an adapter may be.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Limits {
    /// Largest buffer, in bytes.
    pub buffer_bytes: u64,
    /// Largest part of a buffer that a kernel sees, in bytes.
    pub binding_bytes: u64,
    /// Most invocations in one workgroup.
    pub workgroup_invocations: u32,
    /// Most memory that a workgroup shares, in bytes.
    pub workgroup_memory_bytes: u32,
}
