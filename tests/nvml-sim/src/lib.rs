//! A stand-in for NVIDIA's management library (`libnvidia-ml`, `nvml.dll`), for machines without an NVIDIA GPU.
//!
//! Built as a shared library it answers the calls that nvml-wrapper makes, from a scenario: a TOML file that is read
//! again whenever it changes, so that a test can overheat a card, pull it off the bus or update the driver while the
//! agent runs. Built as a Rust library it offers [`Scenario`] to write such files, and [`stage`] to lay a copy of the
//! shared library beside one.
//!
//! Which file: the one that the environment variable `NVML_SIM_SCENARIO` names, otherwise [`SCENARIO_FILE`] in the
//! folder of the shared library itself. The second way lets tests that share one process keep a world each.

mod ffi;
mod layout;
mod own_path;
mod scenario;
mod stage;
mod world;

pub use scenario::{Applied, Code, Gpu, Process, SCENARIO_FILE, Scenario};
pub use stage::{LIBRARY_VARIABLE, Stage, StageError, library, stage};
