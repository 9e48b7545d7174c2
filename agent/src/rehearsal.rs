//! The steps of the agent's life, by name, for the recovery tests: they make it stand still at each, and kill it, or
//! somebody else, there. The names come from the core's own events and effects, so that none can be forgotten.

use crate::wallet::Entry;
use sublet_core::event::{GpuNews, News};
use sublet_core::{Effect, Event};
use sublet_protocol::heartbeat::{Action, Command};

pub use sublet_steps::{reach, rehearse};

sublet_steps::names! {
    /// What an event is called.
    pub fn event(Event), const EVENTS;
    Event::Tick => "tick",
    Event::Pause(_) => "pause",
    Event::PauseGpu(..) => "pause-gpu",
    Event::ResumeGpu(_) => "resume-gpu",
    Event::Resume => "resume",
    Event::Command(Command { action: Action::Grant { .. }, .. }) => "grant",
    Event::Command(Command { action: Action::Stop { .. }, .. }) => "stop",
    Event::SessionOpened { .. } => "session",
    Event::Answered { .. } => "answer",
    Event::Paid { .. } => "paid",
    Event::Container { news: News::Pulled, .. } => "pulled",
    Event::Container { news: News::Started, .. } => "started",
    Event::Container { news: News::Progress(_), .. } => "progress",
    Event::Container { news: News::Frozen, .. } => "frozen",
    Event::Container { news: News::FreezeFailed { .. }, .. } => "freeze-failed",
    Event::Container { news: News::Thawed, .. } => "thawed",
    Event::Container { news: News::GraceOver, .. } => "grace-over",
    Event::Container { news: News::Exited { .. }, .. } => "exited",
    Event::Container { news: News::Killed, .. } => "killed",
    Event::Container { news: News::Collected(_), .. } => "collected",
    Event::Container { news: News::Uploaded, .. } => "uploaded",
    Event::Container { news: News::Saved { .. }, .. } => "saved",
    Event::Container { news: News::Removed, .. } => "removed",
    Event::Container { news: News::Failed { .. }, .. } => "failed",
    Event::Container { news: News::NotYet { .. }, .. } => "not-yet",
    Event::Gpu { news: GpuNews::Freed { .. }, .. } => "gpu-freed",
    Event::Gpu { news: GpuNews::Held(_), .. } => "gpu-held",
    Event::Gpu { news: GpuNews::Unread { .. }, .. } => "gpu-unread",
    Event::Gpu { news: GpuNews::LimitSet, .. } => "limit-set",
    Event::Gpu { news: GpuNews::LimitRestored, .. } => "limit-restored",
    Event::Gpu { news: GpuNews::LimitRefused { .. }, .. } => "limit-refused",
    Event::GoingDown => "going-down",
    Event::Reconciled(_) => "reconciled",
}

sublet_steps::names! {
    /// What an effect is called.
    pub fn effect(Effect), const EFFECTS;
    Effect::Pull { .. } => "pull",
    Effect::Start { .. } => "start",
    Effect::Watch { .. } => "watch",
    Effect::Freeze { .. } => "freeze",
    Effect::Thaw { .. } => "thaw",
    Effect::Interrupt { .. } => "interrupt",
    Effect::Kill { .. } => "kill",
    Effect::Save { .. } => "save",
    Effect::Collect { .. } => "collect",
    Effect::Upload { .. } => "upload",
    Effect::Remove { .. } => "remove",
    Effect::AwaitFree { .. } => "await-free",
    Effect::SetPowerLimit { .. } => "set-power-limit",
    Effect::RestorePowerLimit { .. } => "restore-power-limit",
    Effect::Archive(_) => "archive",
    Effect::Report => "report",
}

sublet_steps::names! {
    /// What an entry of the wallet is called.
    pub fn entry(Entry), const ENTRIES;
    Entry::Accrue { .. } => "accrue",
    Entry::Receive { .. } => "receive",
    Entry::Close { .. } => "close",
}

/// An event is decided on, and nothing of it stored.
pub fn decided(event: &str) {
    reach(format_args!("decided:{event}"));
}

/// What was decided is in the transaction, and that is not committed. `what` is an entry of the wallet, or all.
pub fn writing(what: &str) {
    reach(format_args!("writing:{what}"));
}

/// What was decided is on the disk, and nothing that waited for it done.
pub fn stored(event: &str) {
    reach(format_args!("stored:{event}"));
}

/// An effect is about to be carried out.
pub fn doing(effect: &str) {
    reach(format_args!("doing:{effect}"));
}

/// An effect has been carried out, and its news not taken in.
pub fn done(effect: &str) {
    reach(format_args!("done:{effect}"));
}

/// Something outside is about to be asked, or has answered.
pub fn outside(whom: &str, what: &str, moment: &str) {
    reach(format_args!("{whom}:{what}:{moment}"));
}

/// Every step that has a name of its own; what is asked of Docker and of the marketplace comes on top, as it is met.
pub fn all() -> Vec<String> {
    let of = |moments: &'static [&str], names: &'static [&str]| {
        let each = move |name: &'static &str| moments.iter().map(move |at| format!("{at}:{name}"));
        names.iter().flat_map(each)
    };
    of(&["decided", "stored"], EVENTS)
        .chain(of(&["doing", "done"], EFFECTS))
        .chain(of(&["writing"], ENTRIES))
        .chain(["writing:all".to_owned()])
        .collect()
}
