//! The ground that the demo and the whole-system tests stand on: Docker, a registry, a folder of their own, and every
//! program they start. What is on it when they end is taken away again, and it is checked that nothing is left.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::cargo_build::{Folders, Kind};
use crate::console::Console;
use crate::docker::Docker;
use crate::image::Image;
use crate::leftovers::Leftovers;
use crate::process::{Life, Process, wait_until};
use crate::registry::Registry;
use crate::temporary::Temporary;

/// How long to wait for another chore of the same user to leave the ground.
const TURN_WITHIN: Duration = Duration::from_secs(45 * 60);

/// A file of this name marks the folder of a run that somebody asked to keep.
const KEPT: &str = "kept";

pub struct Ground {
    // In the order of ending: programs, last started first; then what they stand on; the lock last.
    processes: Vec<Process>,
    registry: Registry,
    docker: Docker,
    folders: Folders,
    /// Of this run alone; gone afterwards.
    run: PathBuf,
    temporary: Temporary,
    before: Leftovers,
    life: Life,
    cleaned: bool,
    _lock: File,
}

impl Ground {
    /// Waits for its turn, then finds or starts Docker and starts a registry.
    pub fn prepare(console: &Console, folders: &Folders, life: Life) -> anyhow::Result<Ground> {
        let kept = folders.kept();
        fs::create_dir_all(folders.logs())
            .with_context(|| format!("the folder {} cannot be made", kept.display()))?;
        let lock = take_turn(console, &kept.join("lock"))?;
        let docker = Docker::find_or_start(console, &kept.join("docker"), &folders.logs(), life)?;
        let registry = Registry::start(console, &kept.join("registry"), &folders.logs(), life)?;
        let runs = kept.join("run");
        forget_dead_runs(&runs)?;
        let run = runs.join(std::process::id().to_string());
        fs::create_dir_all(&run)
            .with_context(|| format!("the folder {} cannot be made", run.display()))?;
        let temporary = Temporary::make()?;
        let before = Leftovers::look(&docker, &[&run, temporary.path()])?;
        Ok(Ground {
            processes: Vec::new(),
            registry,
            docker,
            folders: folders.clone(),
            run,
            temporary,
            before,
            life,
            cleaned: false,
            _lock: lock,
        })
    }

    pub fn docker(&self) -> &Docker {
        &self.docker
    }

    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    pub fn folders(&self) -> &Folders {
        &self.folders
    }

    /// An empty folder for this run alone; everything in it is gone afterwards.
    pub fn run_folder(&self) -> &Path {
        &self.run
    }

    /// The folder in which this run's tests make their temporary ones; gone afterwards, with whatever is in it.
    pub fn temporary_folder(&self) -> &Path {
        self.temporary.path()
    }

    /// Builds the sample job into an image, pushes it and returns its full name with the digest.
    pub fn sample_image(&self, console: &Console) -> anyhow::Result<String> {
        self.folders
            .build(console, Kind::StaticRelease, &["sample-job"])?;
        let program = self.folders.built(Kind::StaticRelease, "sample-job")?;
        let bytes =
            fs::read(&program).with_context(|| format!("{} cannot be read", program.display()))?;
        let task = console.task("Pushing the sample job's image");
        let name =
            Image::of_program("sample-job", &bytes)?.push(&self.registry, "sublet/path-tracer")?;
        task.done();
        Ok(name)
    }

    /// Starts a program that ends with the ground. Its output goes to `NAME.log` among the logs. It finds Docker by
    /// `DOCKER_HOST`.
    pub fn start(&mut self, name: &str, mut command: Command) -> anyhow::Result<&mut Process> {
        command.env("DOCKER_HOST", self.docker.host());
        let log = self.folders.logs().join(format!("{name}.log"));
        let process = Process::start(name, command, &log, self.life)?;
        self.processes.push(process);
        self.processes.last_mut().context("just pushed")
    }

    /// Leaves everything running, and returns what ends it: a shell command.
    pub fn keep(mut self) -> anyhow::Result<String> {
        fs::write(self.run.join(KEPT), b"")?;
        self.cleaned = true;
        let ours = self.processes.iter().rev().map(Process::id);
        let ground = [Some(self.registry.process()), self.docker.our_process()];
        let groups: Vec<String> = ours
            .chain(ground.into_iter().flatten())
            .map(|id| format!("-{id}"))
            .collect();
        Ok(format!(
            "kill -TERM -- {}; rm -r {}",
            groups.join(" "),
            self.run.display()
        ))
    }

    /// Ends everything in reverse order, removes the run's folder, and fails when anything at all is left.
    pub fn clean(mut self, console: &Console) -> anyhow::Result<()> {
        let task = console.task("Cleaning up");
        let outcome = self.end();
        match outcome {
            Ok(()) => task.done(),
            Err(_) => task.failed(),
        }
        outcome
    }

    fn end(&mut self) -> anyhow::Result<()> {
        self.cleaned = true;
        let mut wrong: Vec<String> = Vec::new();
        let mut note = |outcome: anyhow::Result<()>| {
            if let Err(error) = outcome {
                wrong.push(format!("{error:#}"));
            }
        };
        while let Some(mut process) = self.processes.pop() {
            note(process.stop());
        }
        let left = Leftovers::look(&self.docker, &[&self.run, self.temporary.path()])
            .map(|now| now.since(&self.before));
        match left {
            Ok(left) => {
                if let Some(list) = left.listed() {
                    note(Err(anyhow::anyhow!("these were left behind: {list}")));
                    note(left.remove(&self.docker));
                }
            }
            Err(error) => note(Err(error)),
        }
        note(self.registry.stop());
        note(self.docker.stop());
        note(self.temporary.remove());
        if self.run.exists() {
            note(
                fs::remove_dir_all(&self.run)
                    .with_context(|| format!("{} cannot be removed", self.run.display())),
            );
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            bail!("cleaning up went wrong: {}", wrong.join("; "))
        }
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if !self.cleaned
            && let Err(error) = self.end()
        {
            Console::new().error(&error);
        }
    }
}

/// Removes the folders of runs that were killed. It is our turn, so none of them is under way.
fn forget_dead_runs(runs: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(runs)
        .with_context(|| format!("the folder {} cannot be made", runs.display()))?;
    for entry in fs::read_dir(runs)? {
        let run = entry?.path();
        if !run.join(KEPT).exists() {
            fs::remove_dir_all(&run)
                .with_context(|| format!("{} cannot be removed", run.display()))?;
        }
    }
    Ok(())
}

fn take_turn(console: &Console, path: &Path) -> anyhow::Result<File> {
    let lock = File::create(path)
        .with_context(|| format!("the lock {} cannot be made", path.display()))?;
    let mut told = false;
    wait_until("another chore to end", TURN_WITHIN, || {
        match lock.try_lock() {
            Ok(()) => Ok(Some(())),
            Err(TryLockError::WouldBlock) => {
                if !told {
                    console.say(
                        "Another demo or test is running here; this one begins when it has ended.",
                    );
                    told = true;
                }
                Ok(None)
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("{} cannot be locked", path.display()))
            }
        }
    })?;
    Ok(lock)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;

    #[test]
    fn folders_of_killed_runs_go_and_kept_ones_stay() {
        let runs = tempfile::tempdir().unwrap();
        for run in ["1", "2"] {
            fs::create_dir_all(runs.path().join(run).join("data")).unwrap();
        }
        fs::write(runs.path().join("2").join(KEPT), b"").unwrap();
        forget_dead_runs(runs.path()).unwrap();
        assert!(!runs.path().join("1").exists());
        assert!(runs.path().join("2/data").exists());
    }
}
