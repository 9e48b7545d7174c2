//! A rig with one simulated card that it rents.

use crate::containers;
use crate::market::Market;
use crate::rig::{HEADLESS, Rig, With};
use crate::wait::until;
use nvml_sim::{Gpu, Scenario, Stage};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::Value;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// The card's id. Not of NVML's form: a container is given no device that is not there.
pub const CARD: &str = "SIM-00000000-0000-4000-8000-000000000000";
const SOON: Duration = Duration::from_secs(60);

/// A card at rest.
pub fn calm() -> Gpu {
    Gpu {
        name: "NVIDIA GeForce RTX 4090".into(),
        uuid: CARD.into(),
        temperature_c: 45,
        memory_used_mib: 512,
        power_draw_mw: 300_000,
        ..Gpu::default()
    }
}

/// A rig, and the world that its driver shows.
pub struct Simulated {
    /// The rig.
    pub rig: Rig,
    stage: Stage,
}

impl Simulated {
    /// Starts one that rents always.
    #[track_caller]
    pub fn start(folder: &Path, market: &Market) -> Self {
        Self::start_with(folder, market, With::default())
    }

    /// Starts one; what `with` leaves out is as in [`Simulated::start`].
    #[track_caller]
    pub fn start_with(folder: &Path, market: &Market, mut with: With) -> Self {
        let nvml = folder.join("nvml");
        std::fs::create_dir_all(&nvml).unwrap();
        let stage = nvml_sim::stage(&nvml, &Scenario::with_gpus([calm()]))
            .unwrap_or_else(|error| panic!("{error}"));
        let library = stage.library().to_str().unwrap().to_owned();
        with.env.push(("SUBLET_NVML_LIBRARY".into(), library));
        with.words
            .extend(["--simulated-score".into(), "1000".into()]);
        with.settings.get_or_insert_with(|| HEADLESS.into());
        let mut rig = Rig::new(folder, &market.url, with);
        rig.start();
        Self { rig, stage }
    }

    /// Shows the card so.
    #[track_caller]
    pub fn show(&self, gpu: Gpu) {
        self.show_world(&Scenario::with_gpus([gpu]));
    }

    /// Shows the whole driver so.
    #[track_caller]
    pub fn show_world(&self, scenario: &Scenario) {
        self.stage.set(scenario).unwrap();
    }

    /// The driver hangs: the next call does not return until the answer lets it.
    #[track_caller]
    pub fn hang(&self) -> Hanging<'_> {
        let scenario = self.stage.scenario();
        let pipe = scenario.with_extension("pipe");
        let own = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, &pipe, FileType::Fifo, own, 0).unwrap();
        std::fs::rename(pipe, scenario).unwrap();
        Hanging { world: self }
    }

    /// The power limit that the agent set last, in mW.
    #[track_caller]
    pub fn limit_mw(&self) -> Option<u32> {
        let applied = self.stage.applied().unwrap();
        applied.power_limits_mw.get(CARD).copied()
    }

    /// Waits until the power limit is as wanted.
    #[track_caller]
    pub fn until_limit(&self, what: &str, within: Duration, wanted: impl Fn(Option<u32>) -> bool) {
        until(what, within, || {
            let limit = self.limit_mw();
            if wanted(limit) {
                Ok(())
            } else {
                Err(format!("{limit:?}"))
            }
        });
    }

    /// Submits a job that goes on until it is stopped, and waits until it runs.
    #[track_caller]
    pub fn run_endless(&self, market: &Market) -> String {
        let job = market.submit(&crate::jobs::endless());
        market.until_lease(&job, &["running"], SOON);
        job
    }

    /// Waits until the card has this reason among those against renting it.
    #[track_caller]
    pub fn until_reason(&self, code: &str) -> Value {
        self.rig.until_status(code, |status| has(status, code))
    }

    /// Waits until it has not.
    #[track_caller]
    pub fn until_no_reason(&self, code: &str) -> Value {
        self.rig.until_status(code, |status| !has(status, code))
    }
}

/// A driver that hangs in a call.
pub struct Hanging<'a> {
    world: &'a Simulated,
}

impl Hanging<'_> {
    /// It answers again, and shows the world so.
    #[track_caller]
    pub fn answer(self, scenario: &Scenario) {
        let stage = &self.world.stage;
        // Opens once the driver waits at the other end.
        let mut pipe = File::options().write(true).open(stage.scenario()).unwrap();
        stage.set(scenario).unwrap();
        pipe.write_all(&std::fs::read(stage.scenario()).unwrap())
            .unwrap();
    }
}

/// A story is over when nothing of its jobs is left: that is the agent's to see to, so it is waited for.
impl Drop for Simulated {
    #[track_caller]
    fn drop(&mut self) {
        // One that failed has said so, and an agent that is gone cannot tidy up.
        if std::thread::panicking() || self.rig.process.is_none() {
            return;
        }
        let status = self.rig.run(&["status", "--json"]).json();
        let rig = status["rig"].as_str().unwrap();
        until(
            "nothing left of the rig's jobs",
            SOON,
            || match containers::of_rig(rig) {
                left if left.is_empty() => Ok(()),
                left => Err(format!("{left:?}")),
            },
        );
    }
}

/// The card among a status' GPUs.
#[track_caller]
pub fn card(status: &Value) -> &Value {
    let gpus = status["gpus"].as_array().unwrap();
    gpus.iter().find(|gpu| gpu["info"]["id"] == CARD).unwrap()
}

/// The card's reason of that code.
pub fn reason<'a>(status: &'a Value, code: &str) -> Option<&'a Value> {
    let reasons = card(status)["reasons"].as_array().unwrap();
    reasons.iter().find(|reason| reason["code"] == code)
}

/// Whether the card has a reason of that code.
pub fn has(status: &Value, code: &str) -> bool {
    reason(status, code).is_some()
}
