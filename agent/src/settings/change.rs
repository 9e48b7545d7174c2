//! What the local API asks of the settings: show, check, change. Also for the command line while no agent runs.

use super::assemble::{Parsed, parse_under};
use super::edit::{EditError, changed};
use super::fault::{Fault, Summary};
use super::sentence::sentence;
use super::watched::{SettingsError, Watched, text_of};
use super::{Choices, view};
use crate::store::durable;
use sha2::{Digest, Sha256};
use std::io;
use std::path::PathBuf;
use sublet_protocol::local::settings::{
    SettingsChange, SettingsFault, SettingsPreview, SettingsPut, SettingsView,
};
use sublet_protocol::problem::{Problem, ProblemCode};

/// Why a change was not made. Nothing is written then.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// Somebody was faster.
    #[error(
        "The settings were changed since you read them, so nothing was written. Read them again and repeat your change."
    )]
    Stale,
    /// It cannot be made.
    #[error("{0}.")]
    Edit(#[from] EditError),
    /// The text would not hold.
    #[error("The settings were not changed: {}.", refused(.faults, .by_text))]
    Refused {
        /// Why.
        faults: Vec<Fault>,
        /// The caller wrote the text, and so knows its lines.
        by_text: bool,
    },
    /// The file cannot be read.
    #[error("{path} cannot be read, so it was not changed: {source}.", path = .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("{path} cannot be written, and is as it was: {source}.", path = .path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn refused(faults: &[Fault], by_text: &bool) -> String {
    match faults {
        [only] if !by_text => only.said(),
        _ => Summary(faults).to_string(),
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        let code = match error {
            ChangeError::Stale => ProblemCode::Conflict,
            ChangeError::Edit(_) | ChangeError::Refused { .. } => ProblemCode::BadRequest,
            ChangeError::Unreadable { .. } => ProblemCode::Conflict,
            ChangeError::Unwritable { .. } => ProblemCode::Internal,
        };
        Problem::new(code, error.to_string())
    }
}

/// Stands for a text.
pub fn revision(text: &str) -> String {
    hex::encode(&Sha256::digest(text.as_bytes())[..16])
}

impl Watched {
    /// How the settings stand. The file is looked at first.
    pub fn view(&mut self) -> SettingsView {
        self.look();
        // A file that cannot be read is shown empty, with the problem told; a change of it is refused.
        let text = text_of(&self.path).unwrap_or_default();
        let faults = match &self.problem {
            Some(SettingsError::Refused { faults, .. }) => view::faults(faults),
            _ => Vec::new(),
        };
        SettingsView {
            sentence: match &self.problem {
                None => sentence(&self.good),
                Some(_) => "Nothing new is rented until the settings file is mended; the last good settings are in force."
                    .to_owned(),
            },
            file: self.path.display().to_string(),
            revision: revision(&text),
            text,
            problem: self.problem.as_ref().map(ToString::to_string),
            faults,
            warnings: view::faults(&self.in_force.warnings),
            values: view::values(&self.in_force),
            presets: view::presets(&self.good),
        }
    }

    /// What a change would do.
    ///
    /// # Errors
    /// A change that cannot be made at all; a text that would not hold is told in the preview.
    pub fn check(&mut self, change: &SettingsChange) -> Result<SettingsPreview, ChangeError> {
        self.look();
        let text = changed(&self.text()?, change)?;
        let (faults, parsed) = match self.parse(&text) {
            Ok(parsed) => (Vec::new(), Some(parsed)),
            Err(faults) => (view::faults(&faults), None),
        };
        Ok(SettingsPreview {
            faults,
            warnings: parsed
                .as_ref()
                .map(|parsed| view::faults(&parsed.warnings))
                .unwrap_or_default(),
            changes: parsed
                .map(|parsed| view::differences(&self.in_force, &parsed))
                .unwrap_or_default(),
            text,
        })
    }

    /// What would be in force after a change; nothing is written.
    ///
    /// # Errors
    /// A change that cannot be made at all. A text that would not hold is no error: its faults are the answer.
    pub fn proposed(
        &mut self,
        change: &SettingsChange,
    ) -> Result<Result<Choices, Vec<SettingsFault>>, ChangeError> {
        self.look();
        let text = changed(&self.text()?, change)?;
        Ok(match self.parse(&text) {
            Ok(parsed) => Ok(parsed.choices),
            Err(faults) => Err(view::faults(&faults)),
        })
    }

    /// Makes a change: written whole or not at all, and in force when this returns.
    ///
    /// # Errors
    /// [`ChangeError`]; the file is then as it was.
    pub fn change(&mut self, put: &SettingsPut) -> Result<SettingsView, ChangeError> {
        let text = self.text()?;
        if revision(&text) != put.revision {
            return Err(ChangeError::Stale);
        }
        let new = changed(&text, &put.change)?;
        if let Err(faults) = self.parse(&new) {
            return Err(ChangeError::Refused {
                faults,
                by_text: matches!(put.change, SettingsChange::Text(_)),
            });
        }
        if new != text {
            durable::write_file(&self.path, new.as_bytes()).map_err(|source| {
                ChangeError::Unwritable {
                    path: self.path.clone(),
                    source,
                }
            })?;
        }
        self.reload();
        Ok(self.view())
    }

    fn text(&self) -> Result<String, ChangeError> {
        text_of(&self.path).map_err(|source| ChangeError::Unreadable {
            path: self.path.clone(),
            source,
        })
    }

    fn parse(&self, text: &str) -> Result<Parsed, Vec<Fault>> {
        parse_under(text, &self.overrides, &self.known)
    }
}
