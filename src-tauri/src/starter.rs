//! Keeps an agent running: starts it where none answers, and again when it ended, ever more seldom where it ends at
//! once.

use std::process::Child;
use std::time::{Duration, Instant};

use crate::agent::Agent;

const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A start that takes longer than this is told as one that hangs. The first one on a machine looks for drivers.
const UP_WITHIN: Duration = Duration::from_secs(30);

/// What is done about an agent that does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absence {
    /// It is being started.
    Starting,
    /// It was started a while ago and says nothing.
    Hangs,
    /// It ended again at once, with these last words; it is started again later.
    Ended(String),
    /// The system does not start it, and says why.
    Refused(String),
}

/// Whoever starts the agent.
pub struct Starter {
    agent: Agent,
    running: Option<(Child, Instant)>,
    wait: Duration,
    not_before: Option<Instant>,
    last: Option<Absence>,
}

impl Starter {
    /// One that has started nothing yet.
    pub fn new(agent: Agent) -> Self {
        Self {
            agent,
            running: None,
            wait: FIRST_WAIT,
            not_before: None,
            last: None,
        }
    }

    /// The agent answered: its next end is the first one again.
    pub fn answered(&mut self) {
        self.wait = FIRST_WAIT;
        self.not_before = None;
        self.last = None;
    }

    /// The agent does not answer.
    pub fn absent(&mut self) -> Absence {
        let now = Instant::now();
        match self
            .running
            .as_mut()
            .map(|(child, since)| (child.try_wait(), *since))
        {
            Some((Ok(None), since)) => {
                return if now.duration_since(since) < UP_WITHIN {
                    Absence::Starting
                } else {
                    Absence::Hangs
                };
            }
            Some((Ok(Some(status)), since)) => {
                tracing::warn!(%status, "the agent ended");
                self.running = None;
                // One that gave up says why; one that was killed has nothing to say.
                let gave_up = status.code().is_some_and(|code| code != 0);
                if gave_up && now.duration_since(since) < LONGEST_WAIT {
                    self.last = Some(Absence::Ended(self.agent.last_words()));
                }
            }
            Some((Err(error), _)) => {
                tracing::warn!(%error, "the agent's end could not be awaited");
                self.running = None;
            }
            None => {}
        }
        if self.not_before.is_some_and(|then| now < then) {
            return self.last.clone().unwrap_or(Absence::Starting);
        }
        self.not_before = Some(now + self.wait);
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        match self.agent.start() {
            Ok(child) => {
                tracing::info!(pid = child.id(), "the agent was started");
                self.running = Some((child, now));
                // Its last end is told until it is up: it may well end so again.
                self.last.clone().unwrap_or(Absence::Starting)
            }
            Err(error) => {
                let refused = Absence::Refused(error.to_string());
                self.last = Some(refused.clone());
                refused
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn until(starter: &mut Starter, wanted: impl Fn(&Absence) -> bool) -> Absence {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let absence = starter.absent();
            if wanted(&absence) {
                return absence;
            }
            assert!(Instant::now() < deadline, "{absence:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn agent(folder: &std::path::Path, script: &str) -> Agent {
        let program = folder.join("sublet");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Agent::at(program, folder.join("data"))
    }

    #[test]
    fn an_agent_that_ends_at_once_is_started_again_later_and_its_last_words_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let script = format!(
            "echo x >> {}/starts; echo 'no marketplace is named' >&2; exit 1",
            folder.path().display()
        );
        let mut starter = Starter::new(agent(folder.path(), &script));
        let ended = until(&mut starter, |absence| matches!(absence, Absence::Ended(_)));
        assert_eq!(ended, Absence::Ended("no marketplace is named".into()));
        // Within the wait, it is left alone.
        let starts = || std::fs::read_to_string(folder.path().join("starts")).unwrap();
        assert_eq!(starts(), "x\n");
        assert_eq!(starter.absent(), ended);
        assert_eq!(starts(), "x\n");
    }

    #[test]
    fn one_that_starts_is_not_started_twice() {
        let folder = tempfile::tempdir().unwrap();
        let mut starter = Starter::new(agent(folder.path(), "exec sleep 30"));
        assert_eq!(starter.absent(), Absence::Starting);
        let (child, _) = starter.running.as_ref().unwrap();
        let pid = child.id();
        assert_eq!(starter.absent(), Absence::Starting);
        let (child, _) = starter.running.as_mut().unwrap();
        assert_eq!(child.id(), pid);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_program_that_is_gone_is_told() {
        let mut starter = Starter::new(Agent::at("/nowhere/sublet".into(), "/nowhere".into()));
        assert!(matches!(starter.absent(), Absence::Refused(_)));
    }
}
