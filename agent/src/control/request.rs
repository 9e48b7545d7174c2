//! What the local API asks of the daemon. The server holds no state: each request carries the channel on
//! which the daemon answers it.

use sublet_protocol::ids::{GpuId, LeaseId};
use sublet_protocol::local::history::{History, TelemetryHistory};
use sublet_protocol::local::preview::{Preview, PreviewRequest};
use sublet_protocol::local::settings::{
    SettingsChange, SettingsPreview, SettingsPut, SettingsView,
};
use sublet_protocol::local::{
    BenchView, Doctor, Gpus, Jobs, PauseRequest, PauseView, Status, Wallet,
};
use sublet_protocol::problem::Problem;
use tokio::sync::oneshot;

/// Where the daemon sends its answer. Dropping it counts as "unavailable"; so does an answer that comes after
/// the server's patience ([`super::ANSWER_WITHIN`], [`super::DOCTOR_WITHIN`]).
pub type Answer<T> = oneshot::Sender<Result<T, Problem>>;

/// One request of a window, a tray or the command line.
#[derive(Debug)]
pub enum Request {
    /// How things stand. Also asked once a second by each listener to the live view.
    Status(Answer<Status>),
    /// Every GPU that was found.
    Gpus(Answer<Gpus>),
    /// Every lease, newest first.
    Jobs(Answer<Jobs>),
    /// The end of a job's output.
    Log {
        /// Whose.
        lease: LeaseId,
        /// How many lines at most, 1 to [`super::LOG_LINES_MAX`].
        lines: u32,
        /// Where the text goes.
        answer: Answer<String>,
    },
    /// What was earned, and what proves it.
    Wallet(Answer<Wallet>),
    /// Rent nothing for a while. Answered once the wish is stored.
    Pause {
        /// For how long.
        request: PauseRequest,
        /// The pause now in force.
        answer: Answer<PauseView>,
    },
    /// End a pause. Answered once the wish is stored; resuming what is not paused is fine.
    Resume {
        /// Only this GPU's; absent: every pause.
        gpu: Option<GpuId>,
        /// Done.
        answer: Answer<()>,
    },
    /// How the benchmark goes, or how the last one came out.
    Bench(Answer<BenchView>),
    /// Start a benchmark; `conflict` while a job runs or another benchmark does.
    StartBench(Answer<BenchView>),
    /// Look at everything that renting needs.
    Doctor(Answer<Doctor>),
    /// The owner's settings, and what of them is in force.
    Settings(Answer<SettingsView>),
    /// What a change of the settings would do; nothing is written.
    CheckSettings {
        /// Which change.
        change: SettingsChange,
        /// What it would do.
        answer: Answer<SettingsPreview>,
    },
    /// Change the settings. Answered once the file is written and in force; `conflict` where it was changed by
    /// somebody else meanwhile.
    ChangeSettings {
        /// Which change, and on what.
        put: SettingsPut,
        /// How they stand now.
        answer: Answer<SettingsView>,
    },
    /// What the GPUs did of late.
    History {
        /// Over how many days, today included; 1 to [`super::HISTORY_DAYS_MAX`].
        days: u32,
        /// What they did.
        answer: Answer<History>,
    },
    /// What one GPU's sensors said.
    Telemetry {
        /// Which, since when, until when, in how many buckets.
        span: TelemetrySpan,
        /// What they said; `not_found` where nothing was ever recorded of it.
        answer: Answer<TelemetryHistory>,
    },
    /// The record as a trace.
    Trace {
        /// Over how many days, as for the history.
        days: u32,
        /// Its text; `conflict` while there is nothing to replay.
        answer: Answer<String>,
    },
    /// What other settings would have made of the last weeks; nothing is written.
    Preview {
        /// Which.
        request: PreviewRequest,
        /// What they would have made.
        answer: Answer<Preview>,
    },
}

/// Which part of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelemetrySpan {
    /// Of which GPU.
    pub gpu: GpuId,
    /// Since when, ms since 1970.
    pub from_ms: u64,
    /// Until when.
    pub to_ms: u64,
    /// In how many buckets at most.
    pub points: u64,
}
