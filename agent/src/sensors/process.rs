//! What the system tells of a running process: its program, its arguments, its name for people.

use std::path::{Path, PathBuf};

/// A process as it was a moment ago.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Process {
    /// Its program file; absent where the agent's user may not see it.
    pub exe: Option<PathBuf>,
    /// What it was started with, the program's own name first; empty where that cannot be seen.
    pub arguments: Vec<String>,
    /// What the kernel calls it: at most 15 characters, and the program may change it.
    pub comm: String,
}

impl Process {
    /// What people call it: the name of the Windows program that Wine runs, of the script that Python runs, of the
    /// program file otherwise.
    #[must_use]
    pub fn name(&self) -> String {
        if let Some(program) = self.windows_program() {
            let file = program.rsplit(['\\', '/']).next().unwrap_or(program);
            return file[..file.len() - ".exe".len()].to_owned();
        }
        let Some(file) = self.exe_file() else {
            return self.comm.clone();
        };
        match self.script() {
            Some(script) if file.starts_with("python") => format!("{script} ({file})"),
            _ => file.to_owned(),
        }
    }

    /// The program file's name without its folder.
    #[must_use]
    pub fn exe_file(&self) -> Option<&str> {
        let file = self.exe.as_deref()?.file_name()?.to_str()?;
        // What Linux adds once an update replaced the file.
        Some(file.strip_suffix(" (deleted)").unwrap_or(file))
    }

    /// Where Wine (or Proton) runs a Windows program: that program, as it was started.
    #[must_use]
    pub fn windows_program(&self) -> Option<&str> {
        let wine = self.exe_file().is_some_and(|file| file.starts_with("wine"));
        let named = self.exe.is_none() || self.comm.to_ascii_lowercase().ends_with(".exe");
        if cfg!(windows) || !(wine || named) {
            return None;
        }
        self.arguments
            .iter()
            .take(4)
            .map(String::as_str)
            .find(|argument| {
                let end = argument.len().saturating_sub(".exe".len());
                argument.is_char_boundary(end) && argument[end..].eq_ignore_ascii_case(".exe")
            })
    }

    fn script(&self) -> Option<&str> {
        let script = self
            .arguments
            .get(1)
            .filter(|text| !text.starts_with('-'))?;
        Path::new(script).file_name()?.to_str()
    }
}

/// Looks at a process through the `/proc` at `root`; `None` where it is gone, or is a part of the kernel.
#[cfg(unix)]
pub(super) fn look(root: &Path, pid: u32) -> Option<Process> {
    let folder = root.join(pid.to_string());
    let comm = std::fs::read(folder.join("comm")).ok()?;
    let exe = std::fs::read_link(folder.join("exe")).ok();
    let arguments = arguments(&folder.join("cmdline"));
    // A kernel thread has neither.
    (exe.is_some() || !arguments.is_empty()).then(|| Process {
        exe,
        arguments,
        comm: String::from_utf8_lossy(&comm).trim_end().to_owned(),
    })
}

/// A number that changes when the process becomes another program; cheap to ask for.
#[cfg(unix)]
pub(super) fn program_mark(root: &Path, pid: u32) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    std::fs::read_link(root.join(format!("{pid}/exe")))
        .ok()
        .hash(&mut hasher);
    hasher.finish()
}

/// The first arguments: as many as fit in a page. The rest may be megabytes long, and says nothing here.
#[cfg(unix)]
fn arguments(file: &Path) -> Vec<String> {
    use std::io::Read;
    let mut text = Vec::new();
    let read = std::fs::File::open(file).and_then(|file| file.take(4096).read_to_end(&mut text));
    if read.is_err() {
        return Vec::new();
    }
    text.split(|byte| *byte == 0)
        .filter(|part| !part.is_empty())
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect()
}

/// The control groups of a process, as the kernel lists them: a container's id stands in them.
#[cfg(unix)]
pub(super) fn cgroups(root: &Path, pid: u32) -> Option<String> {
    std::fs::read_to_string(root.join(pid.to_string()).join("cgroup")).ok()
}

/// Whether the process ids here are the machine's own, and not those of a container or of a subsystem inside Windows.
#[cfg(target_os = "linux")]
pub(super) fn sees_whole_machine(root: &Path) -> bool {
    // The kernel gives its first process namespace this number (PROC_PID_INIT_INO).
    std::fs::read_link(root.join("self/ns/pid"))
        .is_ok_and(|namespace| namespace == Path::new("pid:[4026531836]"))
}

#[cfg(all(unix, not(target_os = "linux")))]
pub(super) fn sees_whole_machine(_root: &Path) -> bool {
    false
}

#[cfg(windows)]
pub(super) use super::process_windows::{cgroups, look, program_mark, sees_whole_machine};

#[cfg(test)]
mod tests {
    use super::*;

    fn process(exe: Option<&str>, arguments: &[&str], comm: &str) -> Process {
        Process {
            exe: exe.map(PathBuf::from),
            arguments: arguments.iter().map(|&text| text.to_owned()).collect(),
            comm: comm.to_owned(),
        }
    }

    #[test]
    fn a_process_is_called_as_people_call_it() {
        let blender = process(Some("/usr/bin/blender"), &["blender"], "blender");
        assert_eq!(blender.name(), "blender");
        let updated = process(Some("/opt/obs/obs (deleted)"), &["obs"], "obs");
        assert_eq!(updated.name(), "obs");
        let hidden = process(None, &[], "secretive");
        assert_eq!(hidden.name(), "secretive");
        let script = process(
            Some("/usr/bin/python3.11"),
            &["python3", "/home/u/train.py", "--epochs=9"],
            "python3",
        );
        assert_eq!(script.name(), "train.py (python3.11)");
        let interactive = process(Some("/usr/bin/python3.11"), &["python3", "-i"], "python3");
        assert_eq!(interactive.name(), "python3.11");
    }

    #[cfg(unix)]
    #[test]
    fn under_wine_the_windows_program_gives_the_name() {
        let game = process(
            Some("/data/common/Proton 9.0/files/bin/wine64-preloader"),
            &[
                r"Z:\data\common\Witcher 3\bin\x64\witcher3.EXE",
                "-fullscreen",
            ],
            "witcher3.exe",
        );
        assert_eq!(game.name(), "witcher3");
        let started = process(
            Some("/usr/bin/wine64-preloader"),
            &["/usr/bin/wine64", "/games/é.exe"],
            "wine64-preloader",
        );
        assert_eq!(started.name(), "é");
        let other = process(Some("/usr/bin/less"), &["less", "setup.exe"], "less");
        assert_eq!(other.name(), "less");
    }
}
