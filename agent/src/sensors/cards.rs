//! All graphics cards that can be watched, whoever made them.

use std::time::Instant;

use super::{
    GpuSources, GpuUsers, MemoryUse, NvidiaSensor, ProcessUse, Reading, SensorError, Snapshot,
};

/// Reads all cards. Blocks for as long as their drivers take.
#[derive(Debug)]
pub(super) struct Cards {
    nvidia: NvidiaSensor,
    users: GpuUsers,
}

impl Cards {
    pub(super) fn new(sources: GpuSources) -> Self {
        Self {
            nvidia: NvidiaSensor::new(sources.library),
            users: GpuUsers::new(sources.proc),
        }
    }

    /// Reads every card, but at rest lets those alone that could sleep.
    pub(super) fn read(&mut self, now: Instant, _renting: bool) -> Snapshot {
        let mut snapshot = self.nvidia.read(now);
        for reading in &mut snapshot.gpus {
            let telemetry = &mut reading.telemetry;
            let users = match &telemetry.processes.value {
                Ok(processes) => self.users.among(processes, now),
                Err(error) => Err(error.clone()),
            };
            telemetry.users = Reading::new(users, telemetry.processes.at);
        }
        snapshot.gpus.sort_by_key(|reading| reading.gpu.pci);
        snapshot
    }

    /// How the memory of one card stands, and who holds it.
    pub(super) fn holding(&self, uuid: &str) -> Result<(MemoryUse, Vec<ProcessUse>), SensorError> {
        self.nvidia.holding(uuid)
    }

    pub(super) fn set_power_limit(
        &mut self,
        uuid: &str,
        limit_mw: u32,
    ) -> Result<u32, SensorError> {
        self.nvidia.set_power_limit(uuid, limit_mw)
    }

    pub(super) fn users(&mut self) -> &mut GpuUsers {
        &mut self.users
    }
}
