//! The doctor's look at this machine. Leaves nothing behind, but for the image of a few KiB of which the probe's
//! containers are made; every question has an end.

use super::{AdapterSeen, Folder, Observed};
use crate::keys::Surroundings;
use crate::probe::{self, AdapterKind};
use crate::sandbox::{Sandbox, SandboxError};
use crate::sensors::presence::{PresenceWatch, SourceState, SourceView};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Looks at everything. `exe` is the agent's own program, which lists the graphics adapters in a child process;
/// `agent` is the version of the agent that serves `data`, where one does. Takes up to half a minute where parts
/// are stuck.
pub async fn observe(data: &Path, graphics: &Path, agent: Option<String>) -> Observed {
    let (docker, adapters, presence) = tokio::join!(docker(), adapters(graphics), presence());
    let (nvidia_card, nvidia_driver) = nvidia();
    Observed {
        key_place: agent.is_none().then(key_place).flatten(),
        agent,
        data: data.to_owned(),
        folder: folder(data),
        free: fs4::available_space(existing(data)).map_err(|error| error.to_string()),
        docker,
        nvidia_card,
        nvidia_driver,
        vulkan: vulkan_loader(),
        adapters,
        presence,
    }
}

async fn docker() -> Result<sublet_protocol::offer::SandboxFacts, String> {
    let asked = async { Sandbox::connect().await?.facts_measured().await };
    asked.await.map_err(|error| match error {
        // The remedy is the check's to give.
        SandboxError::DockerUnavailable { why } => format!("It does not answer: {why}"),
        other => other.to_string(),
    })
}

async fn adapters(graphics: &Path) -> Result<Vec<AdapterSeen>, String> {
    let found = probe::run(graphics, probe::TIMEOUT).await;
    let found = found.map_err(|error| error.to_string())?;
    let seen = |adapter: probe::Adapter| AdapterSeen {
        software: adapter.kind == AdapterKind::Software,
        name: adapter.name,
    };
    Ok(found.into_iter().map(seen).collect())
}

/// The sources of presence, once all have answered, or what they say until then.
async fn presence() -> Vec<SourceView> {
    const WITHIN: Duration = Duration::from_secs(5);
    const LOOK: Duration = Duration::from_millis(50);
    let watch = PresenceWatch::start();
    let looking = || {
        let sources = watch.sources();
        sources.is_empty() || sources.iter().any(|it| it.state == SourceState::Looking)
    };
    let end = Instant::now() + WITHIN;
    while looking() && Instant::now() < end {
        tokio::time::sleep(LOOK).await;
    }
    watch.sources()
}

/// The folder itself, or the nearest one above it that is there.
fn existing(data: &Path) -> &Path {
    data.ancestors()
        .find(|folder| folder.exists())
        .unwrap_or(data)
}

/// A file is written and removed again: rights alone do not tell of read-only mounts and quotas.
fn folder(data: &Path) -> Folder {
    let nearest = existing(data);
    match tempfile::Builder::new()
        .prefix(".sublet-doctor")
        .tempfile_in(nearest)
    {
        Ok(_) if nearest == data => Folder::Writable,
        Ok(_) => Folder::NotYet,
        Err(error) => Folder::Refused(error.to_string()),
    }
}

/// The first place that the agent would try and that seems to be there. A keyring is not asked: it might ask its
/// owner for a password.
fn key_place() -> Option<&'static str> {
    let surroundings = Surroundings::from_environment();
    if surroundings.credentials.is_some() {
        Some("systemd credentials")
    } else if surroundings.keyring && has_keyring() {
        Some("the system's keyring")
    } else if surroundings
        .passphrase_file
        .is_some_and(|file| file.exists())
    {
        Some("an encrypted file")
    } else {
        None
    }
}

/// A session bus, on which a keyring is reached.
#[cfg(target_os = "linux")]
fn has_keyring() -> bool {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let user = rustix::process::geteuid().as_raw();
    set("DBUS_SESSION_BUS_ADDRESS").is_some()
        || PathBuf::from(format!("/run/user/{user}/bus")).exists()
}

#[cfg(not(target_os = "linux"))]
fn has_keyring() -> bool {
    true
}

/// Whether there is a card, and the driver's version.
#[cfg(target_os = "linux")]
fn nvidia() -> (Option<bool>, Option<String>) {
    const NVIDIA: &str = "0x10de";
    const DISPLAY: &str = "0x03";
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    let card = std::fs::read_dir("/sys/bus/pci/devices")
        .ok()
        .map(|devices| {
            devices.flatten().any(|device| {
                read(device.path().join("vendor")).trim() == NVIDIA
                    && read(device.path().join("class")).starts_with(DISPLAY)
            })
        });
    let version = read(PathBuf::from("/sys/module/nvidia/version"));
    let version = version.trim();
    (card, (!version.is_empty()).then(|| version.to_owned()))
}

/// Whether there is a card is not looked up; NVIDIA's driver brings this library.
#[cfg(not(target_os = "linux"))]
fn nvidia() -> (Option<bool>, Option<String>) {
    let there = system_folder().join("nvml.dll").exists();
    (None, there.then(|| "(its library is there)".to_owned()))
}

#[cfg(unix)]
fn vulkan_loader() -> Option<PathBuf> {
    const NAMES: [&str; 3] = ["libvulkan.so.1", "libvulkan.so", "libvulkan.1.dylib"];
    let named = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let usual = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib64",
        "/usr/lib",
        "/usr/local/lib",
        "/lib/x86_64-linux-gnu",
        "/lib64",
        "/lib",
    ];
    std::env::split_paths(&named)
        .chain(usual.map(PathBuf::from))
        .flat_map(|folder| NAMES.map(|name| folder.join(name)))
        .find(|file| file.exists())
}

#[cfg(windows)]
fn vulkan_loader() -> Option<PathBuf> {
    let file = system_folder().join("vulkan-1.dll");
    file.exists().then_some(file)
}

#[cfg(not(target_os = "linux"))]
fn system_folder() -> PathBuf {
    let root = std::env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into());
    PathBuf::from(root).join("System32")
}
