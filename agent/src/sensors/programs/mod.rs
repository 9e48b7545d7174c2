//! Programs that the owner wants the machine for: games, found by their libraries and by GameMode, and what the owner
//! chose. One that starts is noticed within a second.
//!
//! [`running`] follows processes and looks only at those that are new, [`rules`] judges one, [`libraries`] finds where
//! games lie, [`gamemode`] hears what games say of themselves.

#[cfg(target_os = "linux")]
mod gamemode;
mod launchers;
mod libraries;
mod rules;
mod running;
mod steam;
#[cfg(all(test, target_os = "linux"))]
mod tests;
mod vdf;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use sublet_core::facts::{Aged, Program, ProgramKind};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};

use libraries::Libraries;
use rules::{Place, Rules};
use running::Running;

/// How often is looked at rest, and while something is rented.
const AT_REST: Duration = Duration::from_secs(1);
const RENTING: Duration = Duration::from_millis(250);
/// How often it is looked whether the libraries changed.
const LIBRARIES: Duration = Duration::from_secs(60);

/// A choice of the owner's: while such a program runs, the machine is theirs.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Chosen {
    /// By its name, such as `blender`; a final `.exe` and upper case do not matter.
    Name(String),
    /// Every program in a folder, whose absolute path this is.
    Folder(PathBuf),
}

/// Where to look.
#[derive(Clone, Debug)]
pub struct ProgramSources {
    /// The system's `/proc`.
    pub proc: PathBuf,
    /// The homes of the people whose games count.
    pub homes: Vec<PathBuf>,
    /// The address of the session bus, where there is one.
    pub session_bus: Option<String>,
}

impl ProgramSources {
    /// This machine's: every home, since a service has none of its own.
    #[must_use]
    pub fn of_machine() -> Self {
        Self {
            proc: "/proc".into(),
            homes: libraries::homes(),
            #[cfg(target_os = "linux")]
            session_bus: super::bus::session_address(),
            #[cfg(not(target_os = "linux"))]
            session_bus: None,
        }
    }
}

/// A program that runs, by its process.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Found {
    pid: u32,
    program: Program,
}

#[derive(Debug)]
struct Seen {
    /// Absent where processes cannot be seen.
    programs: Option<Vec<Program>>,
    at: Instant,
}

/// The newest list of such programs. Dropping it ends the watching.
#[derive(Debug)]
pub struct ProgramWatch {
    seen: watch::Receiver<Option<Seen>>,
    changes: watch::Receiver<u64>,
    chosen: watch::Sender<Vec<Chosen>>,
    renting: watch::Sender<bool>,
}

impl ProgramWatch {
    /// Begins to watch this machine. To be called within a tokio runtime.
    #[must_use]
    pub fn start(chosen: Vec<Chosen>) -> Self {
        Self::start_at(ProgramSources::of_machine(), chosen)
    }

    /// Begins to watch what lies there.
    #[must_use]
    pub fn start_at(sources: ProgramSources, chosen: Vec<Chosen>) -> Self {
        let (see, seen) = watch::channel(None);
        let (change, changes) = watch::channel(0);
        let (chosen, choices) = watch::channel(chosen);
        let (renting, pace) = watch::channel(false);
        tokio::spawn(follow(sources, choices, pace, see, change));
        Self {
            seen,
            changes,
            chosen,
            renting,
        }
    }

    /// The owner chose anew; it counts from the next look on, for programs that run already too.
    pub fn set_chosen(&self, chosen: Vec<Chosen>) {
        self.chosen.send_replace(chosen);
    }

    /// Whether something is rented: then it is looked four times a second, otherwise once.
    pub fn pace(&self, renting: bool) {
        self.renting.send_if_modified(|known| {
            let changed = *known != renting;
            *known = renting;
            changed
        });
    }

    /// The programs that run, and how old that knowledge is; absent before the first look, and where processes cannot
    /// be seen.
    #[must_use]
    pub fn latest(&self, now: Instant) -> Option<Aged<Vec<Program>>> {
        let seen = self.seen.borrow();
        let seen = seen.as_ref()?;
        let age = now.saturating_duration_since(seen.at);
        Some(Aged {
            value: seen.programs.clone()?,
            age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Counts up whenever the list changes.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }
}

async fn follow(
    sources: ProgramSources,
    mut choices: watch::Receiver<Vec<Chosen>>,
    mut pace: watch::Receiver<bool>,
    see: watch::Sender<Option<Seen>>,
    change: watch::Sender<u64>,
) {
    let mut rules = Rules::default();
    rules.choose(&choices.borrow_and_update());
    let mut running = Running::new(sources.proc.clone());
    // Files may lie on a network that hangs, so another thread reads them. Before the first answer nothing is known.
    let mut reading = Some(read(Libraries::new(sources.homes.clone())));
    let mut libraries = None;
    if let Some(Ok((read, places))) = settle(&mut reading).await {
        libraries = Some(read);
        rules.place(places.unwrap_or_default());
    }
    let mut reread = tokio::time::Instant::now() + LIBRARIES;
    let mut games = said_games(&sources);
    let mut next = tokio::time::Instant::now();
    loop {
        let every = if *pace.borrow_and_update() {
            RENTING
        } else {
            AT_REST
        };
        tokio::select! {
            () = tokio::time::sleep_until(next.min(tokio::time::Instant::now() + every)) => {}
            Ok(()) = choices.changed() => {
                rules.choose(&choices.borrow_and_update());
                running.forget();
            }
            Ok(()) = games.changed() => {}
            Ok(()) = pace.changed() => continue,
            () = see.closed() => return,
            else => return,
        }
        next = tokio::time::Instant::now() + every;
        if next >= reread
            && let Some(taken) = libraries.take()
        {
            reread = next + LIBRARIES;
            reading = Some(read(taken));
        }
        if reading.as_ref().is_some_and(JoinHandle::is_finished)
            && let Some(Ok((read, places))) = settle(&mut reading).await
        {
            libraries = Some(read);
            if let Some(places) = places {
                rules.place(places);
                running.forget();
            }
        }
        let now = Instant::now();
        let looked = running.look(&rules, now);
        let programs = looked.then(|| list(running.found(), &games.borrow_and_update()));
        let news = see
            .borrow()
            .as_ref()
            .is_none_or(|seen: &Seen| seen.programs != programs);
        see.send_replace(Some(Seen { programs, at: now }));
        if news {
            change.send_modify(|count| *count += 1);
        }
    }
}

type Read = (Libraries, Option<Vec<Place>>);

fn read(mut libraries: Libraries) -> JoinHandle<Read> {
    tokio::task::spawn_blocking(move || {
        let places = libraries.look();
        (libraries, places)
    })
}

async fn settle(reading: &mut Option<JoinHandle<Read>>) -> Option<Result<Read, JoinError>> {
    Some(reading.take()?.await)
}

#[cfg(target_os = "linux")]
fn said_games(sources: &ProgramSources) -> watch::Receiver<Vec<Found>> {
    gamemode::follow(sources.session_bus.clone(), sources.proc.clone())
}

/// Elsewhere no game says so.
#[cfg(not(target_os = "linux"))]
fn said_games(_sources: &ProgramSources) -> watch::Receiver<Vec<Found>> {
    watch::channel(Vec::new()).1
}

/// Each program once, in the order of their names. What GameMode tells of a process that a library names already says
/// nothing new.
fn list(found: &[Found], said: &[Found]) -> Vec<Program> {
    let new = |game: &&Found| {
        !found
            .iter()
            .any(|known| known.pid == game.pid && known.program.kind == ProgramKind::Game)
    };
    let all = found.iter().chain(said.iter().filter(new));
    let mut programs: Vec<Program> = all.map(|found| found.program.clone()).collect();
    programs.sort_by(|a, b| (&a.name, a.kind as u8).cmp(&(&b.name, b.kind as u8)));
    programs.dedup();
    programs
}
