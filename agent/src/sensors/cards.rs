//! All graphics cards that can be watched, whoever made them.

use std::path::PathBuf;
use std::time::Instant;

use super::rest::{Look, Rest, Sleep, sleep_of};
#[cfg(target_os = "linux")]
use super::{AmdSensor, Card};
use super::{
    GpuReading, GpuSources, GpuUsers, MemoryUse, NvidiaSensor, ProcessUse, Reading, SensorError,
    Snapshot,
};

/// Reads all cards. Blocks for as long as their drivers take.
#[derive(Debug)]
pub(super) struct Cards {
    sys: PathBuf,
    users: GpuUsers,
    nvidia: NvidiaSensor,
    nvidia_rest: Rest,
    nvidia_last: Option<Snapshot>,
    #[cfg(target_os = "linux")]
    amd: AmdSensor,
    #[cfg(target_os = "linux")]
    amd_rest: Rest,
    #[cfg(target_os = "linux")]
    amd_last: Vec<GpuReading>,
}

impl Cards {
    pub(super) fn new(sources: GpuSources) -> Self {
        Self {
            nvidia: NvidiaSensor::new(sources.library),
            nvidia_rest: Rest::default(),
            nvidia_last: None,
            #[cfg(target_os = "linux")]
            amd: AmdSensor::new(&sources.sys, sources.proc.clone()),
            #[cfg(target_os = "linux")]
            amd_rest: Rest::default(),
            #[cfg(target_os = "linux")]
            amd_last: Vec::new(),
            users: GpuUsers::new(sources.proc),
            sys: sources.sys,
        }
    }

    /// Reads every card, but at rest lets those alone that could sleep.
    pub(super) fn read(&mut self, now: Instant, renting: bool) -> Snapshot {
        let mut snapshot = self.read_nvidia(now, renting);
        self.nvidia_last = Some(snapshot.clone());
        #[cfg(target_os = "linux")]
        {
            self.amd_last = self.read_amd(now, renting);
            snapshot.gpus.extend(self.amd_last.iter().cloned());
        }
        snapshot.at = now;
        snapshot.gpus.sort_by_key(|reading| reading.gpu.pci);
        snapshot
    }

    /// The library knows all of NVIDIA's cards or none, so it is asked or left alone as a whole.
    fn read_nvidia(&mut self, now: Instant, renting: bool) -> Snapshot {
        let last = self.nvidia_last.take();
        let stand: Vec<_> = last
            .iter()
            .flat_map(|last| &last.gpus)
            .map(|reading| stand(&self.sys, reading))
            .collect();
        match (self.nvidia_rest.decide(now, renting, &stand), last) {
            (Look::LetAlone, Some(last)) => {
                self.nvidia.close();
                last
            }
            (Look::Asleep, Some(mut last)) => {
                self.nvidia.close();
                for reading in &mut last.gpus {
                    reading.telemetry = reading.telemetry.asleep(now);
                }
                last
            }
            (_, _) => {
                let mut snapshot = self.nvidia.read(now);
                for reading in &mut snapshot.gpus {
                    name_users(&mut self.users, reading, now);
                }
                snapshot
            }
        }
    }

    #[cfg(target_os = "linux")]
    fn read_amd(&mut self, now: Instant, renting: bool) -> Vec<GpuReading> {
        let last = std::mem::take(&mut self.amd_last);
        let stand: Vec<_> = last
            .iter()
            .map(|reading| stand(&self.sys, reading))
            .collect();
        let look = self.amd_rest.decide(now, renting, &stand);
        if look == Look::LetAlone {
            return last;
        }
        // Each has its own files: one that sleeps is passed over while others are read.
        let known = |card: &Card| last.iter().find(|reading| *reading.gpu == *card);
        let asleep = |card: &Card| {
            !renting && known(card).is_some() && sleep_of(&self.sys, card.pci) == Sleep::Asleep
        };
        let sleeping: Vec<GpuReading> = self
            .amd
            .cards()
            .filter(|card| asleep(card))
            .filter_map(|card| known(card))
            .map(|reading| GpuReading {
                gpu: reading.gpu.clone(),
                telemetry: reading.telemetry.asleep(now),
            })
            .collect();
        let is_sleeping = |card: &Card| sleeping.iter().any(|reading| *reading.gpu == *card);
        let mut readings = self.amd.read(now, |card| !is_sleeping(card));
        for reading in &mut readings {
            name_users(&mut self.users, reading, now);
        }
        readings.extend(sleeping);
        readings
    }

    /// How the memory of one card stands, and who holds it.
    pub(super) fn holding(
        &mut self,
        uuid: &str,
    ) -> Result<(MemoryUse, Vec<ProcessUse>), SensorError> {
        #[cfg(target_os = "linux")]
        if self.is_amd(uuid) {
            return self.amd.holding(uuid, Instant::now());
        }
        self.nvidia.holding(uuid)
    }

    pub(super) fn set_power_limit(
        &mut self,
        uuid: &str,
        limit_mw: u32,
    ) -> Result<u32, SensorError> {
        #[cfg(target_os = "linux")]
        if self.is_amd(uuid) {
            return self.amd.set_power_limit(uuid, limit_mw);
        }
        self.nvidia.set_power_limit(uuid, limit_mw)
    }

    #[cfg(target_os = "linux")]
    fn is_amd(&self, uuid: &str) -> bool {
        self.amd.cards().any(|card| card.uuid == uuid)
    }

    pub(super) fn users(&mut self) -> &mut GpuUsers {
        &mut self.users
    }
}

/// How a card stands to sleep, and whether it did nothing for anybody.
fn stand(sys: &std::path::Path, reading: &GpuReading) -> (Sleep, bool) {
    (sleep_of(sys, reading.gpu.pci), reading.telemetry.is_idle())
}

fn name_users(users: &mut GpuUsers, reading: &mut GpuReading, now: Instant) {
    let telemetry = &mut reading.telemetry;
    let named = match &telemetry.processes.value {
        Ok(processes) => users.among(processes, now),
        Err(error) => Err(error.clone()),
    };
    telemetry.users = Reading::new(named, telemetry.processes.at);
}
