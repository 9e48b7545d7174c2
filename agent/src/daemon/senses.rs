//! What is sensed beside the GPUs: the owner, their programs, the machine's power and network. Nothing is heard more
//! finely than what is rented asks for.

use crate::sensors::machine::MachineSources;
use crate::sensors::presence::PresenceWatch;
use crate::sensors::{Chosen, MachineWatch, ProgramWatch};
use std::path::{Path, PathBuf};
use std::time::Instant;
use sublet_core::facts::{Aged, MachineFacts, OwnerFacts, Program};
use tokio::sync::watch;

/// The senses.
pub struct Senses {
    presence: PresenceWatch,
    programs: ProgramWatch,
    machine: MachineWatch,
    chosen: Vec<String>,
}

/// Tells at once that something changed that the owner did.
pub struct Alarms {
    touched: watch::Receiver<u64>,
    programs: watch::Receiver<u64>,
}

impl Alarms {
    /// The next one. A sense that ended is silent from then on, and keeps the other from nothing; its readings grow
    /// old, which says enough.
    pub async fn next(&mut self) {
        tokio::select! {
            Ok(()) = self.touched.changed() => {}
            Ok(()) = self.programs.changed() => {}
            else => std::future::pending().await,
        }
    }
}

impl Senses {
    /// Opens them. `chosen` are the programs of the settings; `sys` stands in for the system's `/sys`.
    pub fn open(chosen: &[String], sys: Option<PathBuf>) -> (Self, Alarms) {
        let mut sources = MachineSources::of_machine();
        if let Some(sys) = sys {
            sources.sys = sys;
        }
        let senses = Self {
            presence: PresenceWatch::start(),
            programs: ProgramWatch::start(choices(chosen)),
            machine: MachineWatch::start_at(sources),
            chosen: chosen.to_vec(),
        };
        let alarms = Alarms {
            touched: senses.presence.touched(),
            programs: senses.programs.changed(),
        };
        (senses, alarms)
    }

    /// The owner may have chosen other programs.
    pub fn choose(&mut self, chosen: &[String]) {
        if self.chosen != chosen {
            self.chosen = chosen.to_vec();
            self.programs.set_chosen(choices(chosen));
        }
    }

    /// Whether something is rented: then the owner's hand is heard within milliseconds. At rest a look once a second
    /// is enough.
    pub fn pace(&self, renting: bool) {
        self.presence.listen(renting);
        self.programs.pace(renting);
    }

    /// Whether somebody sits here.
    pub fn owner(&self, now: Instant) -> OwnerFacts {
        self.presence.latest(now)
    }

    /// The owner's programs that run.
    pub fn programs(&self, now: Instant) -> Option<Aged<Vec<Program>>> {
        self.programs.latest(now)
    }

    /// Power and network.
    pub fn machine(&self, now: Instant) -> MachineFacts {
        self.machine.latest(now)
    }
}

/// A choice with a folder in it is that folder, any other a program's name.
fn choices(chosen: &[String]) -> Vec<Chosen> {
    let one = |text: &String| match Path::new(text) {
        path if path.is_absolute() => Chosen::Folder(path.to_owned()),
        _ => Chosen::Name(text.clone()),
    };
    chosen.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn alarms() -> (watch::Sender<u64>, watch::Sender<u64>, Alarms) {
        let (touch, touched) = watch::channel(0);
        let (start, programs) = watch::channel(0);
        (touch, start, Alarms { touched, programs })
    }

    /// Whether there is an alarm already. Asked without end, a task is made to wait for its turn: not here.
    fn rings(alarms: &mut Alarms) -> bool {
        let next = tokio::task::unconstrained(alarms.next());
        next.now_or_never().is_some()
    }

    /// Which branch is asked first is a matter of chance: each case is tried often enough to meet both.
    const OFTEN: usize = 64;

    #[test]
    fn a_sense_that_ended_does_not_hold_up_the_other() {
        for _ in 0..OFTEN {
            let (touch, start, mut alarms) = alarms();
            drop(touch);
            assert!(!rings(&mut alarms));
            start.send_modify(|count| *count += 1);
            assert!(rings(&mut alarms), "a program started");

            let (touch, start, mut alarms) = self::alarms();
            drop(start);
            touch.send_modify(|count| *count += 1);
            assert!(rings(&mut alarms), "a hand moved");
        }
    }

    #[tokio::test]
    async fn an_alarm_wakes_whoever_already_waits() {
        let (touch, start, mut alarms) = alarms();
        drop(touch);
        let waits = tokio::spawn(async move { alarms.next().await });
        tokio::task::yield_now().await;
        start.send_modify(|count| *count += 1);
        let woken = tokio::time::timeout(std::time::Duration::from_secs(5), waits).await;
        woken.unwrap().unwrap();
    }

    #[test]
    fn where_both_ended_there_is_silence() {
        for _ in 0..OFTEN {
            let (_, _, mut alarms) = alarms();
            assert!(!rings(&mut alarms));
        }
    }
}
