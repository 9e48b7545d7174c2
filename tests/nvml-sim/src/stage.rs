//! Setting the stage of a test: a folder with a copy of the shared library and a scenario beside it.

use std::env::{self, consts};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Applied, SCENARIO_FILE, Scenario};

/// Environment variable that names the built shared library.
pub const LIBRARY_VARIABLE: &str = "SUBLET_NVML_SIM";

/// A folder in which a simulated machine lives.
#[derive(Debug)]
pub struct Stage {
    library: PathBuf,
    scenario: PathBuf,
}

/// Why there is no stage.
#[derive(Debug)]
pub enum StageError {
    /// The shared library was not built.
    NoLibrary {
        /// The files that were looked for.
        looked_for: Vec<PathBuf>,
    },
    /// The folder could not be filled.
    Folder(io::Error),
}

impl std::fmt::Display for StageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoLibrary { looked_for } => {
                write!(f, "the NVML simulator was not found (looked for")?;
                for path in looked_for {
                    write!(f, " {}", path.display())?;
                }
                write!(
                    f,
                    "): run `cargo build -p nvml-sim`, or name the library in the environment variable {LIBRARY_VARIABLE}"
                )
            }
            Self::Folder(error) => write!(f, "the simulator's folder could not be filled: {error}"),
        }
    }
}

impl std::error::Error for StageError {}

/// The built shared library: the one that [`LIBRARY_VARIABLE`] names, otherwise the one that cargo put beside or above
/// the running test.
///
/// # Errors
/// [`StageError::NoLibrary`] when there is none; its text says what to run.
pub fn library() -> Result<PathBuf, StageError> {
    let file = format!("{}nvml_sim{}", consts::DLL_PREFIX, consts::DLL_SUFFIX);
    let looked_for: Vec<PathBuf> = match env::var_os(LIBRARY_VARIABLE) {
        Some(named) => vec![named.into()],
        None => env::current_exe()
            .map_err(StageError::Folder)?
            .ancestors()
            .skip(1)
            .take(2)
            .map(|folder| folder.join(&file))
            .collect(),
    };
    match looked_for.iter().find(|path| path.is_file()) {
        Some(found) => Ok(found.clone()),
        None => Err(StageError::NoLibrary { looked_for }),
    }
}

/// Copies the shared library into `folder` and writes `scenario` beside it. Each stage is a machine of its own, also
/// within one process.
///
/// # Errors
/// See [`StageError`].
pub fn stage(folder: &Path, scenario: &Scenario) -> Result<Stage, StageError> {
    let source = library()?;
    let stage = Stage {
        library: folder.join(format!(
            "{}nvml_sim{}",
            consts::DLL_PREFIX,
            consts::DLL_SUFFIX
        )),
        scenario: folder.join(SCENARIO_FILE),
    };
    fs::copy(source, &stage.library).map_err(StageError::Folder)?;
    stage.set(scenario).map_err(StageError::Folder)?;
    Ok(stage)
}

impl Stage {
    /// The shared library to load in place of NVIDIA's.
    #[must_use]
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// The scenario file.
    #[must_use]
    pub fn scenario(&self) -> &Path {
        &self.scenario
    }

    /// Changes the world.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn set(&self, scenario: &Scenario) -> io::Result<()> {
        scenario.write_atomically(&self.scenario)
    }

    /// What was done to the world so far.
    ///
    /// # Errors
    /// When the record exists and cannot be read.
    pub fn applied(&self) -> io::Result<Applied> {
        Applied::read(&self.scenario)
    }
}
