//! `cargo xtask test`: everything that must hold before a change lands, in groups.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::cargo_build::{Folders, Kind};
use crate::console::{Console, seconds};
use crate::desktop::{self, SHELL};
use crate::ground::Ground;
use crate::interrupt;
use crate::machine;
use crate::packages::{self, Purpose};
use crate::process::Life;
use crate::run::Run;
use crate::windows;
use crate::{Group, TestArgs};

/// What runs when no group is named.
const ALL: [Group; 6] = [
    Group::Fmt,
    Group::Clippy,
    Group::Unit,
    Group::System,
    Group::Hostile,
    Group::Ui,
];

/// The tests of the agent that send hostile jobs into its sandbox.
const HOSTILE: &str = "sandbox::tests::hostile::";

/// The stories of the desktop shell, and how they find it.
const STORIES: &str = "package(sublet-tests) and binary(desktop)";
const SHELL_VARIABLE: &str = "SUBLET_DESKTOP_BIN";

const ICDS: &str = "/usr/share/vulkan/icd.d";

impl Group {
    fn name(self) -> &'static str {
        match self {
            Group::Fmt => "fmt",
            Group::Clippy => "clippy",
            Group::Unit => "unit",
            Group::System => "system",
            Group::Hostile => "hostile",
            Group::Ui => "ui",
            Group::Desktop => "desktop",
            Group::Recovery => "recovery",
            Group::Windows => "windows",
        }
    }

    fn purposes(self) -> &'static [Purpose] {
        match self {
            Group::Fmt => &[],
            Group::Clippy | Group::Windows => &[Purpose::Build],
            Group::Unit | Group::System | Group::Hostile | Group::Recovery => &[
                Purpose::Build,
                Purpose::Run,
                Purpose::Test,
                Purpose::Display,
            ],
            Group::Ui => &[Purpose::Build, Purpose::Run, Purpose::Pages],
            Group::Desktop => &[
                Purpose::Build,
                Purpose::Run,
                Purpose::Test,
                Purpose::Pages,
                Purpose::Desktop,
            ],
        }
    }

    /// Whether its tests meet Docker, a registry and our own programs.
    fn needs_ground(self) -> bool {
        matches!(
            self,
            Group::Unit
                | Group::System
                | Group::Hostile
                | Group::Recovery
                | Group::Ui
                | Group::Desktop
        )
    }
}

struct Outcome {
    group: Group,
    passed: bool,
    took: Duration,
}

pub fn test(console: &Console, args: &TestArgs) -> anyhow::Result<ExitCode> {
    let folders = Folders::find()?;
    let groups = chosen(args.group, folders.root().join("ui/package.json").is_file())?;
    let mut purposes: Vec<Purpose> = Vec::new();
    for purpose in groups.iter().flat_map(|group| group.purposes()) {
        if !purposes.contains(purpose) {
            purposes.push(*purpose);
        }
    }
    packages::ensure(
        console,
        machine::supported()?,
        &purposes,
        args.set_up.yes,
        &folders.logs(),
    )?;

    let mut tests = Tests {
        console,
        folders: &folders,
        ground: None,
        name: args.name.as_deref(),
    };
    let mut outcomes = Vec::new();
    for group in groups {
        console.heading(group.name());
        let started = Instant::now();
        let outcome = tests.run(group);
        interrupt::check()?;
        if let Err(error) = &outcome {
            console.say(&format!("{error:#}"));
        }
        outcomes.push(Outcome {
            group,
            passed: outcome.is_ok(),
            took: started.elapsed(),
        });
    }
    let cleaned = match tests.ground.take() {
        Some((ground, _)) => ground.clean(console),
        None => Ok(()),
    };
    for line in summary(&outcomes) {
        console.result(&line);
    }
    cleaned?;
    let all_passed = outcomes.iter().all(|outcome| outcome.passed);
    Ok(if all_passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn chosen(asked: Option<Group>, has_pages: bool) -> anyhow::Result<Vec<Group>> {
    match asked {
        Some(Group::Ui | Group::Desktop) if !has_pages => {
            bail!("there are no pages to test: ui/package.json is not there.")
        }
        Some(group) => Ok(vec![group]),
        None => Ok(ALL
            .into_iter()
            .filter(|group| !matches!(group, Group::Ui | Group::Desktop) || has_pages)
            .collect()),
    }
}

fn summary(outcomes: &[Outcome]) -> Vec<String> {
    let mut lines = vec![String::new()];
    for outcome in outcomes {
        let word = if outcome.passed { "passed" } else { "failed" };
        lines.push(format!(
            "{:<8} {word}  {:>12}",
            outcome.group.name(),
            seconds(outcome.took)
        ));
    }
    let passed = outcomes.iter().filter(|outcome| outcome.passed).count();
    lines.push(format!(
        "{passed} passed, {} failed",
        outcomes.len() - passed
    ));
    lines
}

type Variables = Vec<(&'static str, String)>;

struct Tests<'a> {
    console: &'a Console,
    folders: &'a Folders,
    /// What the tests stand on, once a group needs it, and the variables that tell them where it is.
    ground: Option<(Ground, Variables)>,
    /// Only tests with this in their names.
    name: Option<&'a str>,
}

impl Tests<'_> {
    fn run(&mut self, group: Group) -> anyhow::Result<()> {
        match group {
            Group::Fmt => self.cargo(group, "Checking the format", &["fmt", "--all", "--check"]),
            Group::Clippy => self.cargo(
                group,
                "Running clippy",
                &[
                    "clippy",
                    "--workspace",
                    "--exclude",
                    SHELL,
                    "--all-targets",
                    "--",
                    "--deny",
                    "warnings",
                ],
            ),
            Group::Unit => {
                let filter = format!("not package(sublet-tests) and not test({HOSTILE})");
                self.tests(group, "Running the unit tests", &filter)?;
                self.cargo(
                    group,
                    "Running the examples in the docs",
                    &["test", "--workspace", "--exclude", SHELL, "--doc"],
                )
            }
            Group::System => self.tests(
                group,
                "Running the whole-system tests",
                "package(sublet-tests) and not (binary(desktop) or binary(recovery))",
            ),
            Group::Hostile => {
                let filter = format!("package(sublet-agent) and test({HOSTILE})");
                self.tests(group, "Running the hostile jobs", &filter)
            }
            Group::Recovery => self.tests(
                group,
                "Killing at every moment",
                "package(sublet-tests) and binary(recovery)",
            ),
            Group::Ui => self.pages(),
            Group::Desktop => self.desktop(),
            Group::Windows => windows::check(self.console, self.folders),
        }
    }

    /// Both groups build the same selection of packages, so that the second finds everything built.
    fn tests(&mut self, group: Group, title: &str, filter: &str) -> anyhow::Result<()> {
        if has_nextest(self.folders) {
            let named = self.name.map(|name| format!("({filter}) and test({name})"));
            let filter = named.as_deref().unwrap_or(filter);
            // Only failures are told, so that the last lines of the log say what went wrong.
            let words = [
                "nextest",
                "run",
                "--workspace",
                "--exclude",
                SHELL,
                "--no-fail-fast",
                "--status-level=fail",
                "--final-status-level=none",
                "--failure-output=final",
                "-E",
                filter,
            ];
            return self.cargo(group, title, &words);
        }
        let mut words = vec!["test", "--no-fail-fast"];
        match group {
            Group::System => words.extend([
                "--package",
                "sublet-tests",
                "--lib",
                "--test",
                "system",
                "--",
            ]),
            Group::Desktop => {
                words.extend(["--package", "sublet-tests", "--test", "desktop", "--"]);
            }
            Group::Recovery => {
                words.extend(["--package", "sublet-tests", "--test", "recovery", "--"]);
            }
            Group::Hostile => words.extend([
                "--package",
                "sublet-agent",
                "--all-targets",
                "--",
                self.name.unwrap_or(HOSTILE),
            ]),
            _ => words.extend([
                "--workspace",
                "--all-targets",
                "--exclude",
                "sublet-tests",
                "--exclude",
                SHELL,
                "--",
                "--skip",
                HOSTILE,
            ]),
        }
        if group != Group::Hostile {
            words.extend(self.name);
        }
        self.cargo(group, title, &words)
    }

    fn cargo(&mut self, group: Group, title: &str, words: &[&str]) -> anyhow::Result<()> {
        let mut command = self.folders.cargo(words);
        if group.needs_ground() {
            for (name, value) in self.ground()? {
                command.env(name, value);
            }
        }
        if group == Group::Desktop {
            command.env(SHELL_VARIABLE, self.folders.built(Kind::Dev, SHELL)?);
        }
        Run::new(title, command)
            .again_with(&format!("cargo xtask test {}", group.name()))
            .in_task(self.console, &self.folders.logs())
    }

    /// Told against our own programs in a real browser, so on the same ground as the whole-system tests.
    fn pages(&mut self) -> anyhow::Result<()> {
        let pages = self.folders.root().join("ui");
        let npm = |words: &[&str]| {
            let mut command = Command::new("npm");
            command.args(words).current_dir(&pages);
            command
        };
        let logs = self.folders.logs();
        let again = "cargo xtask test ui";
        Run::new("Fetching what the pages are built with", npm(&["ci"]))
            .again_with(again)
            .in_task(self.console, &logs)?;
        let mut tests = npm(&["test"]);
        for (name, value) in self.ground()? {
            tests.env(name, value);
        }
        Run::new("Building and testing the pages", tests)
            .again_with(again)
            .in_task(self.console, &logs)
    }

    /// Its lints and its own tests are told here, because nothing else builds it; its stories are told on the same
    /// ground as the whole-system tests.
    fn desktop(&mut self) -> anyhow::Result<()> {
        desktop::build(self.console, self.folders, Kind::Dev)?;
        let lints = ["clippy", "--package", SHELL, "--all-targets"];
        let lints = [&lints[..], &["--", "--deny", "warnings"]].concat();
        self.cargo(Group::Desktop, "Running clippy on the shell", &lints)?;
        self.cargo(
            Group::Desktop,
            "Running the shell's unit tests",
            &["test", "--package", SHELL],
        )?;
        self.tests(Group::Desktop, "Running the desktop's stories", STORIES)
    }

    fn ground(&mut self) -> anyhow::Result<&Variables> {
        if self.ground.is_none() {
            let packages = ["sublet-agent", "sublet-market", "nvml-sim", "clock-sim"];
            self.folders.build(self.console, Kind::Dev, &packages)?;
            let ground = Ground::prepare(self.console, self.folders, Life::WithUs)?;
            let image = ground.sample_image(self.console)?;
            self.folders
                .build(self.console, Kind::StaticRelease, &["hostile"])?;
            let hostile = self.folders.built(Kind::StaticRelease, "hostile")?;
            let built = |name: &str| {
                let path = self.folders.built(Kind::Dev, name)?;
                anyhow::Ok(path.display().to_string())
            };
            let variables = vec![
                ("SUBLET_BIN", built("sublet")?),
                ("SUBLET_MARKET_BIN", built("sublet-market")?),
                ("SUBLET_NVML_SIM", built("libnvml_sim.so")?),
                ("SUBLET_CLOCK_SIM", built("libclock_sim.so")?),
                (
                    "SUBLET_TEST_REGISTRY",
                    ground.registry().address().to_string(),
                ),
                ("SUBLET_SAMPLE_IMAGE", image),
                ("SUBLET_HOSTILE", hostile.display().to_string()),
                ("VK_DRIVER_FILES", software_driver()?.display().to_string()),
                ("DOCKER_HOST", ground.docker().host()),
                ("TMPDIR", ground.temporary_folder().display().to_string()),
            ];
            self.ground = Some((ground, variables));
        }
        match &self.ground {
            Some((_, variables)) => Ok(variables),
            None => bail!("the ground was not prepared."),
        }
    }
}

fn has_nextest(folders: &Folders) -> bool {
    folders
        .cargo(&["nextest", "--version"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The description of the GPU made of software: tests mean the same on every machine, whatever GPU it has.
fn software_driver() -> anyhow::Result<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(ICDS)
        .with_context(|| format!("{ICDS} cannot be read"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // Debian has the 32-bit driver beside the other where both are installed.
            name.starts_with("lvp_icd") && !name.contains("i686") && name.ends_with(".json")
        })
        .collect();
    files.sort();
    match files.into_iter().next() {
        Some(file) => Ok(file),
        None => bail!(
            "the GPU made of software is not there: no lvp_icd file in {ICDS}. Reinstall it: sudo apt-get install --reinstall mesa-vulkan-drivers"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_groups_run_in_order_and_pages_only_where_there_are_some() {
        assert_eq!(chosen(None, true).ok(), Some(ALL.to_vec()));
        assert_eq!(chosen(None, false).ok(), Some(ALL[..5].to_vec()));
        assert!(chosen(Some(Group::Desktop), false).is_err());
        assert_eq!(chosen(Some(Group::Fmt), false).ok(), Some(vec![Group::Fmt]));
        assert!(
            chosen(Some(Group::Ui), false).is_err(),
            "asked for, so not skipped"
        );
        assert!(
            ![Group::Windows, Group::Recovery, Group::Desktop]
                .iter()
                .any(|group| ALL.contains(group)),
            "only where they are asked for: they take long"
        );
    }

    #[test]
    fn the_summary_ends_with_the_counts() {
        let outcome = |group, passed, ms| Outcome {
            group,
            passed,
            took: Duration::from_millis(ms),
        };
        let lines = summary(&[
            outcome(Group::Fmt, true, 800),
            outcome(Group::Unit, false, 154_000),
        ]);
        assert_eq!(lines.last().map(String::as_str), Some("1 passed, 1 failed"));
        assert!(
            lines[2].contains("unit     failed    2 min 34 s"),
            "{lines:?}"
        );
    }
}
