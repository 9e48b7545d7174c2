//! What is known of the machine: its GPUs with their scores and sensors, and its container engine.

use super::newcomers::Newcomers;
use super::ours::Ours;
use crate::bench::{BenchResult, KERNEL_VERSION};
use crate::probe::{self, Adapter};
use crate::sensors::{
    self, Gpu, GpuKind, GpuReading, GpuSources, GpuWatch, Library, ProcessorLoad, SensorError,
    Snapshot,
};
use crate::store::{BenchKey, Store};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use sublet_core::facts::GpuFacts;
use sublet_protocol::gpu::{BenchScore, GpuInfo, Telemetry};
use sublet_protocol::ids::GpuId;

/// How long the driver may take for its first answer.
const FIRST_READING: Duration = Duration::from_secs(5);

/// The GPUs of this machine.
pub struct Machine {
    /// As found at start-up, and those that their drivers showed later.
    pub gpus: Vec<Gpu>,
    /// What could not be looked at, in words.
    pub problems: Vec<String>,
    /// The one among them that is over once a card shows itself.
    no_cards: Option<String>,
    /// Which containers are ours.
    pub ours: Ours,
    scores: BTreeMap<GpuId, BenchScore>,
    simulated_score: Option<u32>,
    watch: Option<Arc<GpuWatch>>,
    adapters: Vec<Adapter>,
    newcomers: Newcomers,
    renting: bool,
    processor: ProcessorLoad,
    processor_percent: Option<u8>,
}

impl Machine {
    /// Looks at every GPU: adapters by a child process, NVIDIA's cards by its library.
    pub async fn look(graphics: &Path, library: Library) -> std::io::Result<Self> {
        let mut problems = Vec::new();
        let adapters = probe::run(graphics, probe::TIMEOUT)
            .await
            .unwrap_or_else(|error| {
                tracing::warn!(%error, "the graphics adapters could not be listed");
                problems.push(error.to_string());
                Vec::new()
            });
        let watch = GpuWatch::start(GpuSources::of_machine(library))?;
        let first = watch.first(FIRST_READING).await;
        let cards: Vec<_> = match &first {
            Ok(snapshot) => snapshot
                .gpus
                .iter()
                .map(|reading| reading.gpu.clone())
                .collect(),
            Err(_) => Vec::new(),
        };
        let driver_error = match &first {
            Ok(snapshot) => snapshot.driver.as_ref().err().cloned(),
            Err(error) => Some(error.clone()),
        };
        let no_cards = match &driver_error {
            None | Some(SensorError::NoLibrary(_)) => None,
            Some(error) => Some(error.to_string()),
        };
        problems.extend(no_cards.clone());
        let gpus = sensors::inventory(&cards, &adapters).unwrap_or_else(|error| {
            problems.push(error.to_string());
            Vec::new()
        });
        // Without NVIDIA's library and any other card there is nothing to read: the thread may end.
        let no_library = matches!(driver_error, Some(SensorError::NoLibrary(_)));
        let watch = (!no_library || !cards.is_empty()).then(|| Arc::new(watch));
        Ok(Self {
            gpus,
            problems,
            no_cards,
            ours: Ours::new(watch.clone()),
            scores: BTreeMap::new(),
            simulated_score: None,
            watch,
            adapters,
            newcomers: Newcomers::beside(graphics, &cards),
            renting: false,
            processor: ProcessorLoad::default(),
            processor_percent: None,
        })
    }

    /// The GPU of that id.
    pub fn gpu(&self, id: &GpuId) -> Option<&Gpu> {
        self.gpus.iter().find(|gpu| gpu.id == *id)
    }

    /// Takes in cards that their driver shows only now: it was being updated when the agent started, or the card was
    /// off the bus. True where the list of GPUs is another one than before.
    pub fn take_in(&mut self) -> bool {
        let Some(readings) = self.readings() else {
            return false;
        };
        let Some(adapters) = self.newcomers.look(&readings) else {
            return false;
        };
        match adapters {
            Ok(adapters) => self.adapters = adapters,
            Err(error) => {
                tracing::warn!(%error, "the graphics adapters could not be listed again");
            }
        }
        let mut cards: Vec<_> = readings
            .gpus
            .iter()
            .map(|reading| reading.gpu.clone())
            .collect();
        for known in self.gpus.iter().filter_map(|gpu| gpu.card.clone()) {
            if !cards.iter().any(|card| card.uuid == known.uuid) {
                cards.push(known);
            }
        }
        cards.sort_by_key(|card| card.pci);
        match sensors::inventory(&cards, &self.adapters) {
            Ok(gpus) => {
                let count = gpus.len();
                tracing::info!(count, "other GPUs are here than before");
                self.gpus = gpus;
                let over = self.no_cards.take();
                self.problems
                    .retain(|problem| Some(problem) != over.as_ref());
                true
            }
            Err(error) => {
                self.problems.push(error.to_string());
                false
            }
        }
    }

    /// Takes up the benchmarks that were kept for the drivers in use.
    pub fn recall_scores(&mut self, store: &Store) {
        for gpu in &self.gpus {
            let (driver, kernels) = (driver_of(gpu), KERNEL_VERSION.to_string());
            let key = BenchKey {
                gpu: &gpu.id,
                driver: &driver,
                kernels: &kernels,
            };
            let kept = store.bench(&key).unwrap_or_else(|error| {
                tracing::warn!(%error, gpu = %gpu.id, "a kept benchmark could not be read");
                None
            });
            let result = kept.and_then(|json| serde_json::from_str::<BenchResult>(&json).ok());
            if let Some(result) = result {
                self.scores
                    .insert(gpu.id.clone(), BenchScore::from(&result));
            }
        }
        self.simulate();
    }

    /// Gives cards on which nothing can be computed, because only a substitute for the driver's library shows them, a
    /// score for tests.
    pub fn simulate_scores(&mut self, score: Option<u32>) {
        self.simulated_score = score;
        self.simulate();
    }

    fn simulate(&mut self) {
        let Some(score) = self.simulated_score else {
            return;
        };
        let simulated = |gpu: &&Gpu| gpu.card.is_some() && gpu.adapter.is_none();
        for gpu in self.gpus.iter().filter(simulated) {
            let score = BenchScore {
                score,
                fp32_mflops: 1,
                bandwidth_mb_s: 1,
            };
            self.scores.insert(gpu.id.clone(), score);
        }
    }

    /// Keeps a new benchmark.
    pub fn keep_score(
        &mut self,
        store: &mut Store,
        gpu: &GpuId,
        result: &BenchResult,
    ) -> Result<(), crate::store::StoreError> {
        let Some(driver) = self.gpu(gpu).map(driver_of) else {
            return Ok(());
        };
        let json = crate::store::to_json(result)?;
        let key = BenchKey {
            gpu,
            driver: &driver,
            kernels: &KERNEL_VERSION.to_string(),
        };
        store.save_bench(&key, &json)?;
        self.scores.insert(gpu.clone(), BenchScore::from(result));
        Ok(())
    }

    /// Every GPU as the protocol describes it.
    pub fn infos(&self) -> Vec<GpuInfo> {
        self.gpus
            .iter()
            .map(|gpu| gpu.info(self.scores.get(&gpu.id).copied()))
            .collect()
    }

    fn readings(&self) -> Option<Arc<Snapshot>> {
        self.watch.as_ref().and_then(|watch| watch.latest())
    }

    /// What the core needs to know of every GPU.
    pub fn facts(&self, now: Instant) -> Vec<GpuFacts> {
        let readings = self.readings();
        self.gpus
            .iter()
            .zip(self.infos())
            .map(|(gpu, info)| {
                let reading = reading_of(readings.as_deref(), gpu);
                let (sensed, problem) = match reading.map(|reading| reading.sensed(now)) {
                    Some((sensed, problem)) => (Some(sensed), problem),
                    None => (None, None),
                };
                let card = gpu.card.as_ref();
                GpuFacts {
                    info,
                    sensed,
                    problem,
                    power_range: card.and_then(|card| card.power_range()),
                    slowdown_c: card.and_then(|card| card.slowdown_c()),
                }
            })
            .collect()
    }

    /// The one who reads the GPUs, and acts on them.
    pub fn watch(&self) -> Option<&Arc<GpuWatch>> {
        self.watch.as_ref()
    }

    /// Whether something is rented: then cards are read once a second, otherwise rarely.
    pub fn pace(&mut self, renting: bool) {
        if self.renting != renting {
            self.renting = renting;
            if let Some(watch) = &self.watch {
                watch.pace(renting);
            }
        }
    }

    /// A second went by: a software adapter's load is the processor's. Looked at only while something is rented: at
    /// rest it would cost more than the rest of the second.
    pub fn second(&mut self) {
        let software = |gpu: &Gpu| gpu.kind == GpuKind::Software;
        if self.renting && self.gpus.iter().any(software) {
            self.processor_percent = self.processor.look();
        } else {
            self.processor = ProcessorLoad::default();
            self.processor_percent = None;
        }
    }

    /// The last look at every GPU that can be watched.
    pub fn telemetry(&self, now: Instant) -> Vec<Telemetry> {
        let readings = self.readings();
        self.gpus
            .iter()
            .filter_map(|gpu| match reading_of(readings.as_deref(), gpu) {
                Some(reading) => Some(reading.telemetry.to_wire(gpu.id.clone(), now)),
                None if gpu.kind == GpuKind::Software => {
                    self.processor_percent.map(|load| software(gpu, load))
                }
                None => None,
            })
            .collect()
    }
}

/// What can be told of a software adapter.
fn software(gpu: &Gpu, load_percent: u8) -> Telemetry {
    Telemetry {
        gpu: gpu.id.clone(),
        temperature_c: None,
        power_mw: None,
        power_limit_mw: None,
        load_percent: Some(load_percent),
        memory_used_bytes: None,
        fan_percent: None,
        age_ms: 0,
        problem: None,
    }
}

fn driver_of(gpu: &Gpu) -> String {
    gpu.info(None).driver.unwrap_or_default()
}

fn reading_of<'a>(readings: Option<&'a Snapshot>, gpu: &Gpu) -> Option<&'a GpuReading> {
    let card = gpu.card.as_ref()?;
    readings?
        .gpus
        .iter()
        .find(|reading| reading.gpu.uuid == card.uuid)
}
