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
    /// The next one. A sense that ended is silent from then on; its readings grow old, which says enough.
    pub async fn next(&mut self) {
        let told = tokio::select! {
            told = self.touched.changed() => told,
            told = self.programs.changed() => told,
        };
        if told.is_err() {
            std::future::pending::<()>().await;
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
