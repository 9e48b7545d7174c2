//! What a demo or a test may leave behind: containers, networks, volumes, mounts and processes.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::docker::Docker;
use crate::mounts;

/// Everything of ours in Docker has a name or a label with this word in it.
const OURS: &str = "sublet";

/// One thing that should not outlive a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Container { id: String, name: String },
    Network { id: String, name: String },
    Volume { name: String },
    Mount { place: String },
    Process { id: i32, command: String },
}

/// What is there now.
#[derive(Clone, Debug, Default)]
pub struct Leftovers(BTreeSet<Thing>);

impl Leftovers {
    /// Looks at Docker, the mounts and the processes; of the latter two, at those that have to do with `folders`.
    pub fn look(docker: &Docker, folders: &[&Path]) -> anyhow::Result<Leftovers> {
        let mut all = BTreeSet::new();
        in_docker(&mut all, docker)?;
        for folder in folders {
            let mounts = mounts::below(folder)?.into_iter();
            all.extend(mounts.map(|place| Thing::Mount { place }));
            processes(&mut all, folder.as_os_str().as_bytes())?;
        }
        Ok(Leftovers(all))
    }

    /// What was not there before.
    pub fn since(self, before: &Leftovers) -> Leftovers {
        Leftovers(self.0.difference(&before.0).cloned().collect())
    }

    /// A list for people; none when there is nothing.
    pub fn listed(&self) -> Option<String> {
        let named: Vec<String> = self
            .0
            .iter()
            .map(|thing| match thing {
                Thing::Container { name, .. } => format!("container {name}"),
                Thing::Network { name, .. } => format!("network {name}"),
                Thing::Volume { name } => format!("volume {name}"),
                Thing::Mount { place } => format!("mount {place}"),
                Thing::Process { id, command } => format!("process {id} ({command})"),
            })
            .collect();
        (!named.is_empty()).then(|| named.join(", "))
    }

    /// Removes what is left, so that the next run does not meet it. Containers go first: they hold the others. In a
    /// Docker that others use too, things may be another agent's: there they are told, and never taken away.
    pub fn remove(&self, docker: &Docker) -> anyhow::Result<()> {
        let shared = docker.our_process().is_none();
        for thing in &self.0 {
            match thing {
                Thing::Container { .. } | Thing::Network { .. } | Thing::Volume { .. }
                    if shared => {}
                Thing::Container { id, .. } => {
                    docker.delete(&format!("/containers/{id}?force=1&v=1"))?;
                }
                Thing::Network { id, .. } => docker.delete(&format!("/networks/{id}"))?,
                Thing::Volume { name } => docker.delete(&format!("/volumes/{name}?force=1"))?,
                Thing::Mount { place } => {
                    rustix::mount::unmount(place.as_str(), rustix::mount::UnmountFlags::DETACH)?;
                }
                Thing::Process { id, .. } => {
                    if let Some(id) = Pid::from_raw(*id) {
                        kill_process(id, Signal::KILL)?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn in_docker(all: &mut BTreeSet<Thing>, docker: &Docker) -> anyhow::Result<()> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for container in list(&docker.get("/containers/json?all=1")?) {
        let name = text(&container["Names"][0]);
        if is_ours(&name, &container["Labels"]) {
            let id = text(&container["Id"]);
            all.insert(Thing::Container { id, name });
        }
    }
    for network in list(&docker.get("/networks")?) {
        let name = text(&network["Name"]);
        if is_ours(&name, &network["Labels"]) {
            let id = text(&network["Id"]);
            all.insert(Thing::Network { id, name });
        }
    }
    for volume in list(&docker.get("/volumes")?["Volumes"]) {
        let name = text(&volume["Name"]);
        if is_ours(&name, &volume["Labels"]) {
            all.insert(Thing::Volume { name });
        }
    }
    Ok(())
}

fn is_ours(name: &str, labels: &Value) -> bool {
    let labelled =
        |labels: &serde_json::Map<String, Value>| labels.keys().any(|k| k.contains(OURS));
    name.contains(OURS) || labels.as_object().is_some_and(labelled)
}

/// Processes that have `run` in their arguments or environment, ourselves aside.
fn processes(all: &mut BTreeSet<Thing>, run: &[u8]) -> anyhow::Result<()> {
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(id) = entry
            .file_name()
            .to_str()
            .and_then(|n| n.parse::<i32>().ok())
        else {
            continue;
        };
        if u32::try_from(id).is_ok_and(|id| id == std::process::id()) {
            continue;
        }
        // A process may end while we look, and others' environments are closed to us: both are not ours.
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        let has_run = |bytes: &[u8]| bytes.windows(run.len()).any(|part| part == run);
        if has_run(&arguments) || has_run(&environment) {
            let command = String::from_utf8_lossy(&arguments).replace('\0', " ");
            all.insert(Thing::Process {
                id,
                command: command.trim().to_owned(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;
    use serde_json::json;
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};

    #[test]
    fn a_thing_is_ours_by_name_or_by_label() {
        assert!(is_ours("/sublet-lease-1", &Value::Null));
        assert!(is_ours(
            "/quiet_name",
            &json!({ "com.example.sublet.lease": "1" })
        ));
        assert!(!is_ours("/postgres", &json!({ "maintainer": "x" })));
    }

    #[test]
    fn a_process_of_the_run_is_seen_and_what_was_there_before_is_not_counted() {
        let run = tempfile::tempdir().unwrap();
        // It has answered, so it has its own arguments and environment: those of a program that is only being
        // started may still be read as empty.
        let mut process = Command::new("cat")
            .arg("-")
            .env("RUN", run.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        process.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        let mut answer = [0];
        let answers = process.stdout.as_mut().unwrap();
        answers.read_exact(&mut answer).unwrap();
        let look = || {
            let mut all = BTreeSet::new();
            processes(&mut all, run.path().as_os_str().as_bytes()).unwrap();
            Leftovers(all)
        };
        let seen = look();
        let told = seen.listed().unwrap_or_default();
        assert!(
            told.contains(&format!("process {} (cat -)", process.id())),
            "{told}"
        );
        assert_eq!(look().since(&seen).listed(), None);
        process.kill().unwrap();
        process.wait().unwrap();
        assert_eq!(look().listed(), None);
    }
}
