//! One word for what a GPU does.

use crate::policy::GpuDecision;
use sublet_protocol::local::history::SegmentKind;
use sublet_protocol::reason::{ReasonCode, RigState};

/// What a GPU does by a decision: a job that holds it comes first, then the leading reason.
pub fn kind_of(decided: &GpuDecision) -> SegmentKind {
    if decided.state == RigState::Renting {
        return SegmentKind::Renting;
    }
    decided
        .reasons
        .first()
        .map_or(SegmentKind::NoDemand, |first| kind_for(first.code))
}

fn kind_for(first: ReasonCode) -> SegmentKind {
    use ReasonCode as C;
    match first {
        C::PausedByOwner => SegmentKind::Paused,
        C::SwitchedOff => SegmentKind::Off,
        C::ProgramRuns | C::OwnerPresent | C::Watching | C::GpuInUse => SegmentKind::InUse,
        C::TooHot => SegmentKind::TooHot,
        C::OnBattery | C::MeteredNetwork | C::OutsideHours | C::SoftwareGpu => {
            SegmentKind::BySettings
        }
        C::Returning | C::Settling => SegmentKind::Settling,
        C::ReadingUnknown => SegmentKind::Unknown,
        C::AgentAway
        | C::NotSetUp
        | C::SettingsUnreadable
        | C::NeedsOwner
        | C::LedgerUnwritable
        | C::GpuLost
        | C::MemoryHeld
        | C::NotBenchmarked
        | C::DockerUnavailable
        | C::MarketUnreachable => SegmentKind::Unavailable,
        C::BelowCost | C::BelowFloor => SegmentKind::BelowFloor,
        C::NoDemand => SegmentKind::NoDemand,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_on_offer_counts_as_such() {
        for code in ReasonCode::ALL {
            let on_offer = matches!(
                kind_for(code),
                SegmentKind::NoDemand | SegmentKind::BelowFloor
            );
            assert_eq!(on_offer, !code.bars(), "{code:?}");
        }
    }
}
