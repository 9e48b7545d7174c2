//! The clock on the wall of one agent, which a test sets: by the library of `clock-sim`, from outside.

use crate::program::given;
use crate::rig::With;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const MINUTE_S: i64 = 60;

/// A clock that shows the machine's time until it is set.
pub struct WallClock {
    file: PathBuf,
}

impl WallClock {
    /// One whose state lies in `folder`, which is made.
    pub fn new(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let clock = Self {
            file: folder.join("clock"),
        };
        clock.set_minutes(0);
        clock
    }

    /// What makes an agent go by it.
    pub fn given_to(&self, mut with: With) -> With {
        let file = self.file.to_str().unwrap().to_owned();
        with.env.push(("CLOCK_SIM_FILE".into(), file));
        with.env
            .push(("LD_PRELOAD".into(), given("SUBLET_CLOCK_SIM")));
        with
    }

    /// It is set to so many minutes after the machine's, or before it.
    pub fn set_minutes(&self, ahead: i64) {
        // A half-written file would be another time.
        let new = self.file.with_extension("new");
        std::fs::write(&new, (ahead * MINUTE_S).to_string()).unwrap();
        std::fs::rename(new, &self.file).unwrap();
    }
}

/// The machine's own clock, in ms since 1970.
pub fn now_ms() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since_1970.as_millis().try_into().unwrap()
}
