//! The one sentence that leads every display.

use sublet_core::policy::Decision;
use sublet_protocol::gpu::GpuInfo;
use sublet_protocol::money::MicroUsd;
use sublet_protocol::reason::RigState;

/// Whether the GPU is the owner's or rented, why, and what it earned.
pub fn sentence(decision: &Decision, gpus: &[GpuInfo], today: MicroUsd) -> String {
    let earned = if today == MicroUsd::ZERO {
        "Nothing earned today yet.".to_owned()
    } else {
        format!("{today} earned today.")
    };
    let in_state = |state: RigState| {
        let ids: Vec<&GpuInfo> = decision
            .gpus
            .iter()
            .zip(gpus)
            .filter(|(decided, _)| decided.state == state)
            .map(|(_, info)| info)
            .collect();
        names(&ids)
    };
    match decision.state {
        RigState::Renting => format!("Renting {}. {earned}", in_state(RigState::Renting)),
        RigState::Ready => format!("Ready to rent {}. {earned}", in_state(RigState::Ready)),
        state => {
            let (text, remedy) = decision.reasons.first().map_or_else(
                || {
                    (
                        "No GPU was found.".to_owned(),
                        "Run `sublet doctor` to see why.".to_owned(),
                    )
                },
                |reason| (reason.text.clone(), reason.remedy.clone()),
            );
            let lead = match state {
                RigState::Yours => "Yours.",
                RigState::NeedsYou => "Needs you.",
                _ => "Waiting.",
            };
            format!("{lead} {text} {remedy}")
        }
    }
}

fn names(gpus: &[&GpuInfo]) -> String {
    match gpus {
        [] => "your GPU".to_owned(),
        [one] if one.software => format!("the software adapter {}", one.name),
        [one] => format!("your {}", one.name),
        several => format!("{} of your GPUs", several.len()),
    }
}
