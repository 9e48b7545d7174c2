//! Named steps of a program, at which the recovery tests can make it stand still: whoever stands still at a step can
//! be killed exactly there.
//!
//! A program that was not asked to rehearse pays one look at a variable for each step. One that was writes each step
//! that it reaches into the folder's `trail`, a line each. Where `order` says `N STEP`, it stands still when it has
//! reached that step for the `N`th time since the order was given: it takes the order away, writes the step into
//! `stands`, and goes on when that file is removed. An order `N STEP*` means any step that begins so.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may stop at once"))]

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// How often one who stands still looks whether it may go on.
const LOOK_EVERY: Duration = Duration::from_millis(1);

static REHEARSAL: OnceLock<Mutex<Rehearsal>> = OnceLock::new();

/// From now on this process writes its steps into `folder`, and obeys the orders there. Only the first call counts.
///
/// # Errors
/// The folder cannot be made, or its trail not written.
pub fn rehearse(folder: &Path) -> std::io::Result<()> {
    let rehearsal = Rehearsal::in_folder(folder)?;
    // A second rehearsal of one process has no meaning.
    let _ = REHEARSAL.set(Mutex::new(rehearsal));
    Ok(())
}

/// Whether this process does.
pub fn rehearses() -> bool {
    REHEARSAL.get().is_some()
}

/// The program is at this step. Blanks in its name become hyphens.
pub fn reach(step: impl Display) {
    if let Some(rehearsal) = REHEARSAL.get() {
        let mut rehearsal = rehearsal.lock().unwrap_or_else(PoisonError::into_inner);
        rehearsal.reach(&step.to_string().replace(' ', "-"));
    }
}

/// For a list of names that cannot forget one: a function that names each variant of an enum, and a constant with
/// every name it can give. The match is the compiler's to check.
#[macro_export]
macro_rules! names {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($type:ty), const $all:ident; $($pattern:pat => $word:literal),+ $(,)?) => {
        #[doc = concat!("Every name that [`", stringify!($name), "`] can give.")]
        $vis const $all: &[&str] = &[$($word),+];
        $(#[$doc])*
        $vis fn $name(it: &$type) -> &'static str {
            match it { $($pattern => $word),+ }
        }
    };
}

struct Rehearsal {
    folder: PathBuf,
    trail: File,
    order: String,
    /// How often the ordered step was reached since.
    reached: u64,
}

impl Rehearsal {
    fn in_folder(folder: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let trail = OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.join("trail"))?;
        Ok(Self {
            folder: folder.to_owned(),
            trail,
            order: String::new(),
            reached: 0,
        })
    }

    fn reach(&mut self, step: &str) {
        // One write, so that lines of several processes do not mix. Nobody could be told that it failed.
        let _ = self.trail.write_all(format!("{step}\n").as_bytes());
        if self.is_ordered(step) {
            let stands = self.folder.join("stands");
            let _ = std::fs::remove_file(self.folder.join("order"));
            if std::fs::write(&stands, step).is_ok() {
                stand_still(&stands);
            }
        }
    }

    fn is_ordered(&mut self, step: &str) -> bool {
        let order = std::fs::read_to_string(self.folder.join("order")).unwrap_or_default();
        if order != self.order {
            self.order = order;
            self.reached = 0;
        }
        let Some((number, wanted)) = self.order.trim().split_once(' ') else {
            return false;
        };
        let meant = match wanted.strip_suffix('*') {
            Some(beginning) => step.starts_with(beginning),
            None => step == wanted,
        };
        if meant {
            self.reached += 1;
        }
        meant && number.parse() == Ok(self.reached)
    }
}

/// Returns when `stands` is gone. The whole process stands, not only this thread: nothing else of it may go on.
fn stand_still(stands: &Path) {
    while stands.exists() {
        #[cfg(unix)]
        if rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP)
            .is_err()
        {
            return;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    enum Fruit {
        Apple,
        Pear { ripe: bool },
    }

    names! {
        /// What it is called.
        fn fruit(Fruit), const FRUITS;
        Fruit::Apple => "apple",
        Fruit::Pear { ripe: true } => "pear",
        Fruit::Pear { ripe: false } => "hard-pear",
    }

    #[test]
    fn every_variant_has_a_name_in_the_list() {
        assert_eq!(FRUITS, ["apple", "pear", "hard-pear"]);
        assert_eq!(fruit(&Fruit::Apple), "apple");
        assert_eq!(fruit(&Fruit::Pear { ripe: false }), "hard-pear");
        assert_eq!(fruit(&Fruit::Pear { ripe: true }), "pear");
    }

    #[test]
    fn an_order_counts_from_when_it_was_given_and_is_for_one_step_or_those_that_begin_so() {
        let folder = tempfile::tempdir().unwrap();
        let mut rehearsal = Rehearsal::in_folder(folder.path()).unwrap();
        assert!(!rehearsal.is_ordered("a"));
        std::fs::write(folder.path().join("order"), "2 a").unwrap();
        assert!(!rehearsal.is_ordered("a"));
        assert!(!rehearsal.is_ordered("ab"));
        assert!(rehearsal.is_ordered("a"));
        assert!(!rehearsal.is_ordered("a"), "once");
        std::fs::write(folder.path().join("order"), "1 a*").unwrap();
        assert!(rehearsal.is_ordered("ab"));
    }

    #[test]
    fn steps_leave_a_trail() {
        let folder = tempfile::tempdir().unwrap();
        let mut rehearsal = Rehearsal::in_folder(folder.path()).unwrap();
        rehearsal.reach("one");
        rehearsal.reach("two");
        let trail = std::fs::read_to_string(folder.path().join("trail")).unwrap();
        assert_eq!(trail, "one\ntwo\n");
    }
}
