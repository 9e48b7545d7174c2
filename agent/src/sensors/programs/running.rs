//! Follows the processes of the machine, and looks only at those that are new.
//!
//! Threads are looked at like processes, since to look is cheaper than to tell them apart. A process may become another
//! program under its old number, as a rule right after its start; so each is looked at three times, and every so often
//! it is asked of all of them whether they still are the same program.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Found;
use super::rules::Rules;
use crate::sensors::process;
#[cfg(unix)]
use crate::sensors::tasks::{NewTasks, is_process};
#[cfg(windows)]
use crate::sensors::tasks_windows::{NewTasks, is_process};

/// How often every process is asked after.
const SWEEP: Duration = Duration::from_secs(20);
/// How often a new process is looked at again, once for each look around.
const LOOKS: u8 = 2;

#[derive(Debug)]
pub(super) struct Running {
    root: PathBuf,
    whole_machine: bool,
    tasks: NewTasks,
    young: Vec<(u32, u8)>,
    found: Vec<Found>,
    swept: Option<Instant>,
    /// Every process at the last sweep with its program's mark.
    known: HashMap<u32, u64>,
}

impl Running {
    pub(super) fn new(root: PathBuf) -> Self {
        Self {
            whole_machine: process::sees_whole_machine(&root) && !hidden(&root),
            tasks: NewTasks::new(root.clone()),
            root,
            young: Vec::new(),
            found: Vec::new(),
            swept: None,
            known: HashMap::new(),
        }
    }

    /// The rules changed: at the next look every process is judged anew.
    pub(super) fn forget(&mut self) {
        self.swept = None;
        self.known.clear();
    }

    /// What was found at the last look.
    pub(super) fn found(&self) -> &[Found] {
        &self.found
    }

    /// Looks around; false where processes cannot be seen.
    pub(super) fn look(&mut self, rules: &Rules, now: Instant) -> bool {
        if !self.whole_machine {
            return false;
        }
        let due = |at: Instant| now.saturating_duration_since(at) >= SWEEP;
        if self.swept.is_none_or(due) {
            let Some(all) = self.tasks.all() else {
                return false;
            };
            self.swept = Some(now);
            let mut known = HashMap::with_capacity(all.len());
            let mut changed: Vec<u32> = Vec::new();
            for pid in all {
                let mark = process::program_mark(&self.root, pid);
                if self.known.get(&pid) != Some(&mark) {
                    changed.push(pid);
                }
                known.insert(pid, mark);
            }
            self.known = known;
            self.again(rules, changed);
            return true;
        }
        let Some(new) = self.tasks.since() else {
            self.swept = None;
            return self.look(rules, now);
        };
        self.again(rules, new);
        true
    }

    /// Looks at new ones, at those of the last looks, and at what was found, which may have ended.
    fn again(&mut self, rules: &Rules, new: Vec<u32>) {
        let mut all: Vec<u32> = self.found.drain(..).map(|found| found.pid).collect();
        all.extend(self.young.iter().map(|(pid, _)| *pid));
        self.young.retain_mut(|(_, left)| {
            *left -= 1;
            *left > 0
        });
        self.young.extend(new.iter().map(|pid| (*pid, LOOKS)));
        all.extend(new);
        all.sort_unstable();
        all.dedup();
        self.judge(rules, all);
    }

    fn judge(&mut self, rules: &Rules, pids: Vec<u32>) {
        for pid in pids {
            let program = process::look(&self.root, pid)
                .and_then(|process| rules.judge(&process, &self.root, pid));
            if let Some(program) = program
                && is_process(&self.root, pid)
            {
                self.found.push(Found { pid, program });
            }
        }
    }
}

/// Whether this user may not see the processes of others, and is nobody who would play games: a service's account under
/// `hidepid`.
#[cfg(unix)]
fn hidden(root: &std::path::Path) -> bool {
    const FIRST_PERSON: u32 = 1000;
    rustix::process::geteuid().as_raw() < FIRST_PERSON && !root.join("1").exists()
}

#[cfg(windows)]
fn hidden(_root: &std::path::Path) -> bool {
    false
}
