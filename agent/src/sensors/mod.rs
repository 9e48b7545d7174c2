//! What the machine's GPUs tell: which there are, and how they are right now.
//!
//! [`nvidia`] reads NVIDIA's library, [`watch`] does so from a thread of its own, and [`inventory`] joins what it finds
//! with the adapters that the probe found.

pub mod inventory;
pub mod nvidia;
pub mod pci;
pub mod processor;
pub mod reading;
pub mod watch;

mod nvidia_device;
#[cfg(test)]
mod nvidia_tests;
mod wire;

pub use inventory::{Gpu, GpuKind, inventory};
pub use nvidia::{Library, NvidiaSensor, Snapshot};
pub use nvidia_device::{GpuReading, GpuTelemetry, MemoryUse, NvidiaGpu, PowerLimits, ProcessUse};
pub use pci::PciAddress;
pub use processor::ProcessorLoad;
pub use reading::{Reading, SensorError};
pub use watch::GpuWatch;
