//! Which GPUs a job's container is given: the leased ones, by name, and none that its image would choose.

use super::profile::refuse;
use super::{SandboxError, SandboxTerms};
use bollard::models::DeviceRequest;
use sublet_protocol::job::WIDENING;
use sublet_protocol::offer::Part;

/// What of NVIDIA's driver a job gets.
const PARTS: [&str; 3] = ["compute", "graphics", "utility"];
const VISIBLE: &str = "NVIDIA_VISIBLE_DEVICES";
const DRIVER: &str = "NVIDIA_DRIVER_CAPABILITIES";

/// The way in which the engine hands GPUs out.
enum Way {
    /// By the names that NVIDIA's toolkit wrote down for all engines.
    Cdi,
    /// By NVIDIA's runtime.
    Runtime,
}

/// The request for the leased GPUs: no other is visible.
///
/// # Errors
/// [`SandboxError::DeviceUnavailable`] where the engine hands out none, [`SandboxError::NotAccepted`] for what is no
/// GPU's UUID.
pub(super) fn requests(terms: &SandboxTerms) -> Result<Option<Vec<DeviceRequest>>, SandboxError> {
    if terms.gpus.is_empty() {
        return Ok(None);
    }
    let way = way(terms)?;
    // `all` would also be taken for a device.
    let named = |gpu: &String| gpu.starts_with("GPU-") || gpu.starts_with("MIG-");
    if let Some(gpu) = terms.gpus.iter().find(|gpu| !named(gpu)) {
        return refuse(format!("`{gpu}` is not the UUID of an NVIDIA GPU"));
    }
    let request = match way {
        Way::Cdi => DeviceRequest {
            driver: Some("cdi".into()),
            device_ids: Some(
                terms
                    .gpus
                    .iter()
                    .map(|gpu| format!("nvidia.com/gpu={gpu}"))
                    .collect(),
            ),
            ..DeviceRequest::default()
        },
        Way::Runtime => DeviceRequest {
            driver: Some("nvidia".into()),
            device_ids: Some(terms.gpus.clone()),
            capabilities: Some(vec![
                std::iter::once("gpu")
                    .chain(PARTS)
                    .map(String::from)
                    .collect(),
            ]),
            ..DeviceRequest::default()
        },
    };
    Ok(Some(vec![request]))
}

fn way(terms: &SandboxTerms) -> Result<Way, SandboxError> {
    let found = terms.facts.enforced.as_ref();
    if found.is_some_and(|found| terms.gpus.iter().all(|gpu| found.cdi.contains(gpu))) {
        return Ok(Way::Cdi);
    }
    let unavailable = |why: String| Err(SandboxError::DeviceUnavailable { why });
    match found.map(|found| &found.nvidia) {
        Some(Part::Broken { why }) => unavailable(why.clone()),
        _ if terms.facts.nvidia => Ok(Way::Runtime),
        _ => unavailable("Docker on this machine has no NVIDIA runtime".into()),
    }
}

/// Variables that NVIDIA's runtime obeys, where it is the engine's usual one: set to what the job has, or taken out
/// of what the image brings. Images for CUDA say `all`, and the runtime would take that word for it.
pub(super) fn variables(terms: &SandboxTerms) -> Vec<String> {
    let by_runtime = !terms.gpus.is_empty() && matches!(way(terms), Ok(Way::Runtime));
    let mut lines = if by_runtime {
        vec![
            format!("{VISIBLE}={}", terms.gpus.join(",")),
            format!("{DRIVER}={}", PARTS.join(",")),
        ]
    } else {
        vec![format!("{VISIBLE}=void")]
    };
    // A name without a value takes the image's variable away.
    let set = |name: &&str| *name == VISIBLE || (by_runtime && *name == DRIVER);
    lines.extend(
        WIDENING
            .iter()
            .filter(|name| !set(name))
            .map(ToString::to_string),
    );
    lines
}
