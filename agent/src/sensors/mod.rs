//! What the machine tells: its GPUs, how they are and who uses them; whether the owner is there; the owner's programs;
//! its power and network.
//!
//! [`watch`] reads all cards from a thread of its own: [`nvidia`] through NVIDIA's library, `amd`
//! through the kernel's files. [`inventory`] joins what it
//! finds with the adapters that the probe found.

#[cfg(target_os = "linux")]
pub mod amd;
pub mod free;
pub mod gpu_users;
pub mod inventory;
pub mod machine;
pub mod nvidia;
pub mod pci;
pub mod presence;
pub mod process;
pub mod processor;
pub mod programs;
pub mod reading;
pub mod telemetry;
pub mod watch;

#[cfg(all(test, target_os = "linux"))]
mod amd_tests;
#[cfg(target_os = "linux")]
mod amd_users;
#[cfg(target_os = "linux")]
mod bus;
mod cards;
mod nvidia_device;
#[cfg(test)]
mod nvidia_tests;
#[cfg(windows)]
mod process_windows;
mod rest;
mod sensed;
#[cfg(unix)]
mod tasks;
#[cfg(windows)]
mod tasks_windows;
#[cfg(all(test, target_os = "linux"))]
mod testing;
#[cfg(all(test, target_os = "linux"))]
mod watch_tests;
mod wire;

#[cfg(target_os = "linux")]
pub use amd::AmdSensor;
pub use free::{FreeOutcome, FreeWanted};
pub use gpu_users::GpuUsers;
pub use inventory::{Gpu, GpuKind, inventory};
pub use machine::MachineWatch;
pub use nvidia::{Library, NvidiaSensor, Snapshot};
pub use pci::PciAddress;
pub use processor::ProcessorLoad;
pub use programs::{Chosen, ProgramWatch};
pub use reading::{Reading, SensorError};
pub use telemetry::{Card, GpuReading, GpuTelemetry, MemoryUse, PowerLimits, ProcessUse};
pub use watch::{GpuSources, GpuWatch};
