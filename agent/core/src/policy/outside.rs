//! What others hear: the marketplace and the renter learn which reason there is, not which game their host plays, when
//! they sleep, or what their electricity costs.

use sublet_protocol::reason::{Reason, ReasonCode};

/// The reason as it leaves this machine: its code, and one sentence that is the same for everybody.
pub fn outside(code: ReasonCode) -> Reason {
    Reason::new(code, sentence(code), "")
}

fn sentence(code: ReasonCode) -> &'static str {
    use ReasonCode as C;
    match code {
        C::AgentAway => "The rig's agent does not answer.",
        C::PausedByOwner => "The owner paused renting.",
        C::SwitchedOff => "The owner switched this GPU off for renting.",
        C::NotSetUp => "The owner has not said yet when to rent.",
        C::SettingsUnreadable => "The rig's settings could not be read.",
        C::NeedsOwner => "The rig needs its owner.",
        C::LedgerUnwritable => "The rig's ledger cannot be written.",
        C::GpuLost => "The GPU is gone.",
        C::MemoryHeld => "The GPU's memory did not become free after the last job.",
        C::ReadingUnknown => "A reading that the rig needs is missing.",
        C::ProgramRuns => "The owner took the GPU back.",
        C::OwnerPresent => "The owner is at the machine.",
        C::Watching => "The owner is at the machine.",
        C::GpuInUse => "The owner uses the GPU.",
        C::Returning => "The GPU's memory is being verified free.",
        C::TooHot => "The GPU is too hot.",
        C::OnBattery => "The machine runs on its battery.",
        C::MeteredNetwork => "The machine's network is metered.",
        C::OutsideHours => "It is not an hour that the owner chose.",
        C::Settling => "The GPU has only just become free.",
        C::SoftwareGpu => "Only software renders there, and the owner did not allow it.",
        C::NotBenchmarked => "The GPU has no benchmark yet.",
        C::DockerUnavailable => "The rig's container engine does not answer.",
        C::MarketUnreachable => "The rig does not reach the marketplace.",
        C::BelowCost => "What is paid does not cover the electricity.",
        C::BelowFloor => "What is paid is below the owner's floor.",
        C::NoDemand => "No job asked for the GPU yet.",
    }
}
