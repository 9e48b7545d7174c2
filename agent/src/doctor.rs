//! Whether this machine can rent its GPUs out: what was seen, and what that means. `observe` looks; everything
//! here only judges.

mod containment;
mod observe;
mod presence;

pub use observe::observe;
pub use presence::presence_check;

use crate::sensors::presence::SourceView;
use std::collections::BTreeMap;
use std::path::PathBuf;
use sublet_protocol::local::{Check, Doctor, Verdict};
use sublet_protocol::offer::{Part, SandboxFacts};
use sublet_protocol::reason::Figure;

/// Below this the ledger and the logs have no room: 256 MiB.
pub const DISK_LEAST: u64 = 256 << 20;

/// Below this a few images fill the disk: 10 GiB.
pub const DISK_EASY: u64 = 10 << 30;

/// What was seen. Texts of failures are whole sentences of whoever failed.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The version of the agent that serves this data folder; `None` when none does.
    pub agent: Option<String>,
    /// Where the agent keeps everything.
    pub data: PathBuf,
    /// Whether it can.
    pub folder: Folder,
    /// Free space where the data folder is or will be, in bytes.
    pub free: Result<u64, String>,
    /// Where the keys can be kept, in words; `None` where no place was found, and where an agent runs, which
    /// knows better.
    pub key_place: Option<&'static str>,
    /// What Docker says of itself, and what a probe container measured.
    pub docker: Result<SandboxFacts, String>,
    /// An NVIDIA card on the PCI bus; `None` where this system does not tell.
    pub nvidia_card: Option<bool>,
    /// The version of NVIDIA's driver that is loaded.
    pub nvidia_driver: Option<String>,
    /// The Vulkan loader's file.
    pub vulkan: Option<PathBuf>,
    /// What the loader finds: names, and whether each is software.
    pub adapters: Result<Vec<AdapterSeen>, String>,
    /// What the sources of presence say of themselves.
    pub presence: Vec<SourceView>,
}

/// One graphics adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterSeen {
    /// The driver's name for it.
    pub name: String,
    /// The CPU computes.
    pub software: bool,
}

/// The data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folder {
    /// A file could be written in it.
    Writable,
    /// It is not there yet, and its parent would take it.
    NotYet,
    /// Neither; the system's words.
    Refused(String),
}

/// Every check, in the order in which one would mend things.
pub fn diagnose(observed: &Observed) -> Doctor {
    let mut checks = vec![
        agent(observed),
        folder(observed),
        disk(observed),
        docker(observed),
    ];
    let measured = observed.docker.as_ref().ok();
    if let Some(found) = measured.and_then(|facts| facts.enforced.as_ref()) {
        checks.extend(containment::checks(found));
    }
    checks.extend([
        nvidia(observed),
        vulkan(observed),
        adapters(observed),
        presence_check(&observed.presence),
    ]);
    if observed.agent.is_none() {
        checks.push(keys(observed));
    }
    Doctor { checks }
}

/// What one check found.
pub(crate) struct Finding {
    verdict: Verdict,
    code: &'static str,
    found: String,
    remedy: Option<String>,
    figures: BTreeMap<String, Figure>,
}

impl Finding {
    fn new(verdict: Verdict, code: &'static str, found: String, remedy: Option<&str>) -> Self {
        Self {
            verdict,
            code,
            found,
            remedy: remedy.map(ToOwned::to_owned),
            figures: BTreeMap::new(),
        }
    }

    /// As it should be.
    pub(crate) fn good(code: &'static str, found: impl Into<String>) -> Self {
        Self::new(Verdict::Good, code, found.into(), None)
    }

    /// Works, but less well than it could.
    pub(crate) fn warning(code: &'static str, found: impl Into<String>, remedy: &str) -> Self {
        Self::new(Verdict::Warning, code, found.into(), Some(remedy))
    }

    /// In the way of renting.
    pub(crate) fn bad(code: &'static str, found: impl Into<String>, remedy: &str) -> Self {
        Self::new(Verdict::Bad, code, found.into(), Some(remedy))
    }

    /// With a name, or words of somebody else.
    pub(crate) fn name(mut self, name: &str, value: impl Into<String>) -> Self {
        let value = Figure::Text(value.into());
        self.figures.insert(name.to_owned(), value);
        self
    }

    /// With a number; one beyond what fits is held at the largest that does.
    pub(crate) fn number(mut self, name: &str, value: u64) -> Self {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        self.figures.insert(name.to_owned(), Figure::Number(value));
        self
    }
}

/// A finding under the name of what was looked at, and why it matters.
pub(crate) fn check(name: &str, purpose: &str, finding: Finding) -> Check {
    Check {
        name: name.to_owned(),
        verdict: finding.verdict,
        found: finding.found,
        purpose: purpose.to_owned(),
        remedy: finding.remedy,
        code: finding.code.to_owned(),
        figures: finding.figures,
    }
}

fn agent(observed: &Observed) -> Check {
    // A warning, so that the doctor can pass a machine on which the agent was never started.
    let finding = match &observed.agent {
        Some(version) => Finding::good("agent_runs", format!("It runs, version {version}."))
            .name("version", version),
        None => {
            let data = observed.data.display().to_string();
            Finding::warning(
                "agent_away",
                format!("It is not running for the data folder {data}."),
                "Start it with `sublet run`.",
            )
            .name("folder", data)
        }
    };
    check("Agent", "Nothing is rented while it does not run.", finding)
}

fn folder(observed: &Observed) -> Check {
    let data = observed.data.display().to_string();
    let finding = match &observed.folder {
        Folder::Writable => Finding::good("folder_writable", format!("{data} can be written.")),
        Folder::NotYet => Finding::good(
            "folder_new",
            format!("{data} will be made when the agent starts."),
        ),
        Folder::Refused(why) => Finding::bad(
            "folder_refused",
            format!("{data} cannot be written: {why}."),
            "Give this user the right to write there, or name another folder with --data.",
        )
        .name("problem", why),
    };
    check(
        "Data folder",
        "The ledger of your earnings lives there; without it nothing is rented.",
        finding.name("folder", data),
    )
}

fn disk(observed: &Observed) -> Check {
    let finding = match &observed.free {
        Err(why) => Finding::bad(
            "disk_unknown",
            format!("The free space is not known: {why}."),
            "Look at the disk that holds the data folder.",
        )
        .name("problem", why),
        Ok(free) => {
            let found = format!("{} GiB free.", tenths_of_gib(*free));
            let finding = if *free < DISK_LEAST {
                Finding::bad("disk_full", found, "Free at least 256 MiB, better 10 GiB.")
            } else if *free < DISK_EASY {
                Finding::warning(
                    "disk_tight",
                    found,
                    "Free 10 GiB: images of jobs take a few GiB each.",
                )
            } else {
                Finding::good("disk_good", found)
            };
            finding.number("free_bytes", *free)
        }
    };
    check(
        "Disk",
        "Images and outputs of jobs need room, and so does the ledger.",
        finding,
    )
}

fn tenths_of_gib(bytes: u64) -> String {
    let tenths = u128::from(bytes) * 10 / (1 << 30);
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn keys(observed: &Observed) -> Check {
    let finding = match observed.key_place {
        Some(place) => Finding::good("keys_place", format!("They can be kept in {place}."))
            .name("place", place),
        None => Finding::bad(
            "keys_nowhere",
            "There is no keyring here, no systemd credentials, and no passphrase for a file.",
            "Write a passphrase into a file that only this user can read (mode 0600) and name it in SUBLET_KEY_PASSPHRASE_FILE.",
        ),
    };
    check(
        "Keys",
        "The rig's identity and the payout key need a safe place.",
        finding,
    )
}

fn docker(observed: &Observed) -> Check {
    let finding = match &observed.docker {
        Err(why) => Finding::bad(
            "docker_away",
            format!("{}.", why.trim_end_matches('.')),
            "Start Docker and let this user reach its socket (on Linux: the group docker). To install it on Debian and Ubuntu: apt install docker.io",
        )
        .name("problem", why),
        Ok(facts) if !facts.seccomp => Finding::bad(
            "docker_unfiltered",
            format!("{} answers, but filters no system calls.", facts.engine),
            "Start Docker with its default seccomp profile: no job runs without it.",
        )
        .name("engine", &facts.engine),
        Ok(facts) => Finding::good("docker_good", format!("{} answers.", facts.engine))
            .name("engine", &facts.engine),
    };
    check(
        "Docker",
        "Every job runs in a container of its own.",
        finding,
    )
}

fn nvidia(observed: &Observed) -> Check {
    let container = observed.docker.as_ref().map(hands_out_nvidia);
    let finding = match (&observed.nvidia_driver, observed.nvidia_card, container) {
        (Some(version), _, Ok(Err(why))) => Finding::bad(
            "nvidia_not_in_docker",
            format!("Driver {version}, but Docker cannot hand out NVIDIA GPUs: {why}."),
            "Install the NVIDIA Container Toolkit and restart Docker.",
        )
        .name("driver", version),
        (Some(version), _, _) => {
            Finding::good("nvidia_good", format!("Driver {version}.")).name("driver", version)
        }
        (None, Some(true), _) => Finding::bad(
            "nvidia_not_loaded",
            "There is an NVIDIA card, but its driver is not loaded.",
            "Install NVIDIA's driver, or load it (modprobe nvidia), then restart the agent.",
        ),
        (None, Some(false), _) => {
            Finding::good("nvidia_none", "No NVIDIA card here, so none is needed.")
        }
        (None, None, _) => Finding::warning(
            "nvidia_unknown",
            "No NVIDIA driver was found.",
            "Install it where this machine has an NVIDIA card.",
        ),
    };
    check(
        "NVIDIA driver",
        "It tells temperature, power and memory of NVIDIA cards.",
        finding,
    )
}

/// Whether containers get NVIDIA GPUs, else why not.
fn hands_out_nvidia(facts: &SandboxFacts) -> Result<(), String> {
    let found = facts.enforced.as_ref();
    if found.is_some_and(|found| !found.cdi.is_empty()) {
        return Ok(());
    }
    match found.map(|found| &found.nvidia) {
        Some(Part::Broken { why }) => Err(why.trim_end_matches('.').to_owned()),
        _ if facts.nvidia => Ok(()),
        _ => Err("it has no NVIDIA runtime".to_owned()),
    }
}

fn vulkan(observed: &Observed) -> Check {
    let finding = match &observed.vulkan {
        Some(file) => {
            let file = file.display().to_string();
            Finding::good("vulkan_good", format!("{file}.")).name("file", file)
        }
        None => Finding::warning(
            "vulkan_missing",
            "The Vulkan loader was not found.",
            "On Debian and Ubuntu: apt install libvulkan1",
        ),
    };
    check(
        "Vulkan loader",
        "GPUs are found and measured through it.",
        finding,
    )
}

fn adapters(observed: &Observed) -> Check {
    let finding = match &observed.adapters {
        Err(why) => Finding::bad(
            "adapters_failed",
            format!("{}.", why.trim_end_matches('.')),
            "Update the graphics driver; `sublet gpus` tells what can be seen without it.",
        )
        .name("problem", why),
        Ok(adapters) if adapters.is_empty() => Finding::bad(
            "adapters_none",
            "No graphics adapter was found.",
            "Install the driver of your card, with its Vulkan part.",
        ),
        Ok(adapters) => {
            let mut names: Vec<&str> = adapters.iter().map(|seen| seen.name.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            let names = names.join(", ");
            let finding = if adapters.iter().all(|seen| seen.software) {
                Finding::warning(
                    "adapters_software",
                    format!("Only software: {names}."),
                    "A software adapter is rented only with `sublet run --allow-software-gpu`.",
                )
            } else {
                Finding::good("adapters_good", format!("{names}."))
            };
            finding.name("names", names)
        }
    };
    check("Graphics adapters", "They are what is rented.", finding)
}

#[cfg(test)]
mod tests;
