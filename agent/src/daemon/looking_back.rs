//! Answers that look back over days and weeks. They are reckoned on a thread of their own, on a connection of their
//! own: the loop gives the GPU back, and waits for nobody's chart.

use super::Daemon;
use super::answers::{internal, reply};
use crate::control::{Answer, TelemetrySpan};
use crate::history::{self, Recorded, Rig, Told};
use crate::settings::{Choices, preset_of};
use crate::store::{PastPlace, StoreError};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::time::Instant;
use sublet_core::history::{Batch, Record, ran};
use sublet_core::profit;
use sublet_protocol::ids::GpuId;
use sublet_protocol::local::history::{History, Segment, TelemetryHistory};
use sublet_protocol::local::preview::{Preview, PreviewRequest};
use sublet_protocol::local::settings::SettingsChange;
use sublet_protocol::problem::{Problem, ProblemCode};

/// Days that a preview and a trace rest on when nobody says.
const PREVIEW_DAYS: u32 = 28;

/// The loop looks every second; a busy one a little later, in ms.
const LOOKED_AGO_MS: u64 = 5_000;

/// What is read elsewhere, with what only the daemon knows.
struct Glance {
    place: PastPlace,
    /// Gathered, and not stored yet.
    gathered: Batch,
    now_ms: u64,
    zone: TimeZone,
}

impl Daemon {
    fn glance(&self) -> Glance {
        Glance {
            place: self.store.past(),
            gathered: self.recording.recorder.gathered(),
            now_ms: self.clock.now().wall_ms,
            zone: TimeZone::system(),
        }
    }

    pub(super) fn history(&self, days: u32, answer: Answer<History>) {
        let glance = self.glance();
        let names = self
            .machine
            .gpus
            .iter()
            .map(|gpu| (gpu.id.clone(), gpu.name.clone()))
            .collect();
        let problem = self.recording.problem.clone();
        apart(answer, move || {
            let days = history::days(glance.now_ms, days, &glance.zone);
            let recorded = glance.recorded(&days, problem).map_err(internal)?;
            Ok(history::view(recorded, &days, &names, glance.now_ms))
        });
    }

    pub(super) fn telemetry_of(&self, span: TelemetrySpan, answer: Answer<TelemetryHistory>) {
        let place = self.store.past();
        let here = self.machine.gpu(&span.gpu).is_some();
        apart(answer, move || {
            let past = place.open().map_err(internal)?;
            if !here && !past.knows(&span.gpu).map_err(internal)? {
                let detail = format!(
                    "Nothing was ever recorded of a GPU {}; `sublet gpus` lists those there are.",
                    span.gpu
                );
                return Err(Problem::new(ProblemCode::NotFound, detail));
            }
            past.telemetry(&span.gpu, span.from_ms, span.to_ms, span.points)
                .map_err(internal)
        });
    }

    pub(super) fn trace(&self, days: u32, answer: Answer<String>) {
        let (glance, rig) = (self.glance(), self.rig());
        let settings = self.settings.good.settings.clone();
        apart(answer, move || {
            let told = glance.told(days).map_err(internal)?;
            let trace = history::own_trace(&rig, &told, &settings);
            trace.map(|trace| trace.to_string()).ok_or_else(|| {
                Problem::new(
                    ProblemCode::Conflict,
                    "Nothing was recorded yet that could be replayed; ask again in some hours, or use a made-up trace.",
                )
            })
        });
    }

    pub(super) fn preview(&mut self, request: PreviewRequest, answer: Answer<Preview>) {
        let proposed = match &request.change {
            None => Ok(Ok(None)),
            Some(change) => self
                .settings
                .proposed(change)
                .map(|proposed| proposed.map(Some)),
        };
        let (after, faults) = match proposed {
            Ok(Ok(after)) => (after, Vec::new()),
            Ok(Err(faults)) => (None, faults),
            Err(error) => return reply(answer, Err(Problem::from(error))),
        };
        let before = self.settings.good.settings.clone();
        let (glance, rig) = (self.glance(), self.rig());
        // A rule that is a preset's is of its kind of owner, however it was written.
        let named = match &request.change {
            Some(SettingsChange::Preset(name)) => Some(name.clone()),
            _ => preset_of(after.as_ref().unwrap_or(&self.settings.good)).map(str::to_owned),
        };
        apart(answer, move || {
            let told = glance
                .told(request.days.unwrap_or(PREVIEW_DAYS))
                .map_err(internal)?;
            let after = after.map(|Choices { settings, .. }| settings);
            let preview = history::preview(&rig, &told, &before, after.as_ref(), named.as_deref());
            Ok(Preview { faults, ..preview })
        });
    }

    fn rig(&self) -> Rig {
        let gpus = self.machine.facts(Instant::now()).into_iter();
        Rig {
            gpus: gpus
                .map(|gpu| {
                    let draw = profit::draw(&self.memory, &gpu);
                    (gpu, draw)
                })
                .collect(),
            fee: self.market.fee,
        }
    }
}

impl Glance {
    fn recorded(
        &self,
        days: &[history::Day],
        problem: Option<String>,
    ) -> Result<Recorded, StoreError> {
        let past = self.place.open()?;
        let from_ms = days.first().map_or(self.now_ms, |day| day.from_ms);
        let mut recorded = Recorded {
            segments: past.segments(from_ms, self.now_ms)?,
            begins_ms: past.begins_ms()?.or(self.first_ms()),
            problem,
            ..Recorded::default()
        };
        for day in days {
            recorded.earned.push(past.earned(day.from_ms, day.to_ms)?);
            recorded
                .electricity
                .push(past.electricity(day.from_ms, day.to_ms)?);
        }
        self.add_gathered(&mut recorded.segments);
        Ok(recorded)
    }

    /// What is not stored yet began when, where nothing else is there.
    fn first_ms(&self) -> Option<u64> {
        let segments = self.gathered.segments.iter();
        segments.map(|(_, segment)| segment.from_ms).min()
    }

    fn add_gathered(&self, segments: &mut BTreeMap<GpuId, Vec<Segment>>) {
        for (gpu, segment) in &self.gathered.segments {
            let of = segments.entry(gpu.clone()).or_default();
            of.push(segment.clone());
        }
        // What goes on was looked at a moment ago, and goes on.
        for last in segments.values_mut().filter_map(|of| of.last_mut()) {
            if self.now_ms.saturating_sub(last.to_ms) <= LOOKED_AGO_MS {
                last.to_ms = last.to_ms.max(self.now_ms);
            }
        }
    }

    /// The record of the last days, for replaying.
    fn told(&self, days: u32) -> Result<Told, StoreError> {
        let past = self.place.open()?;
        let since = history::days(self.now_ms, days, &self.zone);
        let from_ms = since.first().map_or(self.now_ms, |day| day.from_ms);
        let mut segments = past.segments(from_ms, self.now_ms)?;
        self.add_gathered(&mut segments);
        let ran: Vec<(u64, u64)> = ran(segments.values().flatten())
            .into_iter()
            .map(|(began, ended)| (began.max(from_ms), ended.min(self.now_ms)))
            .filter(|(began, ended)| began < ended)
            .collect();
        let mut lines = past.lines(from_ms)?;
        lines.extend(self.gathered.lines.iter().cloned());
        lines.sort_by_key(|line| line.at_ms);
        Ok(Told {
            from_ms: ran.first().map_or(from_ms, |(began, _)| *began),
            to_ms: self.now_ms,
            record: Record {
                ran,
                lines,
                utc_offset_s: jiff::Timestamp::now()
                    .to_zoned(self.zone.clone())
                    .offset()
                    .seconds(),
            },
            quarters: past.quarters(from_ms)?,
        })
    }
}

/// Answers from a thread of its own.
fn apart<T: Send + 'static>(
    answer: Answer<T>,
    reckon: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) {
    tokio::task::spawn_blocking(move || reply(answer, reckon()));
}
