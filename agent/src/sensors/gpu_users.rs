//! Who holds a GPU: which of the processes that a driver lists are the owner's, and what they are called.
//!
//! Two kinds are left out. **Jobs of ours**: a process belongs to a container when its control groups name the
//! container's id, and it cannot leave them. So a game that starts beside a running job is seen, and the job is not.
//! **What draws the desktop**: display servers, compositors and shells hold a card for as long as anybody is logged
//! in, whatever else goes on, and so say nothing of its use; whether somebody sits there is another sensor's word.
//!
//! On Windows a container's processes live in a virtual machine, and the driver shows that machine as a whole
//! (`vmmem`, `vmwp.exe`). It counts as ours while a job of ours runs, and only then; something else that computes in
//! the same virtual machine at that time cannot be told from the job.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sublet_core::facts::GpuUser;

use super::process::{self, Process};
use super::{ProcessUse, SensorError};

/// What was found of a process is looked up again after so long.
const KNOWN_FOR: Duration = Duration::from_secs(10);

/// Display servers, compositors, desktop shells, login screens.
#[cfg(not(windows))]
const DESKTOP: [&str; 36] = [
    "budgie-wm",
    "cinnamon",
    "compton",
    "cosmic-comp",
    "gala",
    "gnome-shell",
    "Hyprland",
    "kscreenlocker_greet",
    "ksplashqml",
    "kwin",
    "kwin_wayland",
    "kwin_x11",
    "labwc",
    "lightdm-gtk-greeter",
    "lxqt-session",
    "marco",
    "mutter",
    "muffin",
    "niri",
    "picom",
    "plasma-desktop",
    "plasmashell",
    "river",
    "sddm-greeter",
    "sddm-greeter-qt6",
    "sway",
    "swaylock",
    "wayfire",
    "weston",
    "X",
    "xdg-desktop-portal-gnome",
    "xdg-desktop-portal-kde",
    "xfwm4",
    "Xorg",
    "Xorg.bin",
    "Xwayland",
];
#[cfg(windows)]
const DESKTOP: [&str; 14] = [
    "ApplicationFrameHost.exe",
    "csrss.exe",
    "dwm.exe",
    "explorer.exe",
    "LockApp.exe",
    "LogonUI.exe",
    "SearchHost.exe",
    "ShellExperienceHost.exe",
    "ShellHost.exe",
    "sihost.exe",
    "StartMenuExperienceHost.exe",
    "SystemSettings.exe",
    "TextInputHost.exe",
    "Widgets.exe",
];

/// Tells whose the processes on a GPU are.
#[derive(Debug)]
pub struct GpuUsers {
    root: PathBuf,
    whole_machine: bool,
    /// The ids of the containers that are ours.
    ours: Vec<String>,
    known: HashMap<u32, Known>,
}

#[derive(Debug)]
struct Known {
    process: Option<Process>,
    cgroups: String,
    agent: bool,
    at: Instant,
}

impl GpuUsers {
    /// Reads processes from the `/proc` at `root`.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self {
            whole_machine: process::sees_whole_machine(&root),
            root,
            ours: Vec::new(),
            known: HashMap::new(),
        }
    }

    /// From now on the processes of these containers, by their full ids, are ours.
    pub fn set_ours(&mut self, containers: Vec<String>) {
        self.ours = containers;
        // Ids that are cut short could stand in another container's.
        self.ours.retain(|id| id.len() >= 12);
    }

    /// The owner's programs among `processes`.
    ///
    /// # Errors
    /// [`SensorError::OtherProcesses`] where the agent does not see the machine's processes: nobody can then be told
    /// from anybody.
    pub fn among(
        &mut self,
        processes: &[ProcessUse],
        now: Instant,
    ) -> Result<Vec<GpuUser>, SensorError> {
        if !self.whole_machine {
            return Err(SensorError::OtherProcesses);
        }
        let mut users = Vec::new();
        for process in processes {
            self.learn(process.pid, now);
            let Some(known) = self.known.get(&process.pid) else {
                continue;
            };
            if !known.agent && !known.draws_desktop() && !self.belongs(process.pid, &self.ours) {
                users.push(self.user(process));
            }
        }
        Ok(users)
    }

    /// Whether a process on the GPU belongs to one of `containers`, as far as it was seen while it lived.
    #[must_use]
    pub fn belongs(&self, pid: u32, containers: &[String]) -> bool {
        let Some(known) = self.known.get(&pid) else {
            return false;
        };
        let virtual_machine = known.process.as_ref().is_some_and(is_virtual_machine);
        (virtual_machine && !containers.is_empty())
            || containers
                .iter()
                .any(|id| known.cgroups.contains(id.as_str()))
    }

    /// The process with its name.
    #[must_use]
    pub fn user(&self, process: &ProcessUse) -> GpuUser {
        let known = self.known.get(&process.pid);
        let name = known
            .and_then(|known| known.process.as_ref())
            .map(Process::name)
            .filter(|name| !name.is_empty());
        GpuUser {
            name: name.unwrap_or_else(|| format!("Process {}", process.pid)),
            pid: process.pid,
            memory_bytes: process.memory_bytes,
            load_percent: process.load_percent,
            computes: process.computes,
        }
    }

    /// Looks a process up, unless that was done a moment ago.
    pub fn learn(&mut self, pid: u32, now: Instant) {
        let old = |known: &Known| now.saturating_duration_since(known.at) >= KNOWN_FOR;
        if self.known.get(&pid).is_some_and(|known| !old(known)) {
            return;
        }
        let process = process::look(&self.root, pid);
        let cgroups = process::cgroups(&self.root, pid).unwrap_or_default();
        let before = self.known.remove(&pid);
        self.known.retain(|_, known| !old(known));
        // A process that was seen alive and is on its way out is still who it was.
        let known = match (process, before) {
            (None, Some(before)) => Known { at: now, ..before },
            (process, _) => Known {
                agent: self.is_agent(pid),
                process,
                cgroups,
                at: now,
            },
        };
        self.known.insert(pid, known);
    }

    /// Whether it runs the agent's own program, to measure or to list GPUs. Told by the file itself: a container may
    /// have another one of the same name.
    #[cfg(unix)]
    fn is_agent(&self, pid: u32) -> bool {
        use std::os::unix::fs::MetadataExt;
        let file = |pid: &str| {
            let found = std::fs::metadata(self.root.join(pid).join("exe")).ok()?;
            Some((found.dev(), found.ino()))
        };
        file("self").is_some_and(|own| file(&pid.to_string()) == Some(own))
    }

    #[cfg(windows)]
    fn is_agent(&self, pid: u32) -> bool {
        let exe = process::look(&self.root, pid).and_then(|process| process.exe);
        exe.is_some() && exe == std::env::current_exe().ok()
    }
}

impl Known {
    fn draws_desktop(&self) -> bool {
        self.process.as_ref().is_some_and(|process| {
            let name = process.exe_file().unwrap_or(&process.comm);
            let same = |known: &&str| {
                if cfg!(windows) {
                    known.eq_ignore_ascii_case(name)
                } else {
                    **known == *name || **known == *process.comm
                }
            };
            DESKTOP.iter().any(same)
        })
    }
}

fn is_virtual_machine(process: &Process) -> bool {
    let name = process.comm.to_ascii_lowercase();
    cfg!(windows) && (name.starts_with("vmmem") || name == "vmwp.exe")
}
