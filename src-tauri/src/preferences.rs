//! The desktop's own choices, in `desktop.toml` in the agent's data folder. One that cannot be read counts as not
//! there, is told in the log, and is left as it is until the owner chooses anew.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::words::{Language, Words, from_environment};

/// Which notifications are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notices {
    /// A job ended and paid.
    pub paid: bool,
    /// The owner's return ended a job.
    pub reclaimed: bool,
    /// A GPU grew too hot to rent.
    pub hot: bool,
    /// Something that only the owner can mend.
    pub needs_you: bool,
}

impl Default for Notices {
    /// What asks for the owner; not what can wait until the window is opened.
    fn default() -> Self {
        Self {
            paid: false,
            reclaimed: false,
            hot: true,
            needs_you: true,
        }
    }
}

/// All of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Choices {
    /// What the pages are in.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<Language>,
    /// The owner was told that there is no tray.
    told_of_no_tray: bool,
    notices: Notices,
}

/// The choices, and where they are kept.
#[derive(Debug)]
pub struct Kept {
    path: PathBuf,
    choices: Mutex<Choices>,
    language: watch::Sender<Language>,
}

impl Kept {
    /// Reads them from a data folder.
    pub fn read(data: &Path) -> Self {
        let path = data.join("desktop.toml");
        let read = match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Choices::default()),
            Err(error) => Err(error),
        };
        let choices = read.unwrap_or_else(|error| {
            let path = path.display();
            tracing::warn!(%path, %error, "the desktop's choices cannot be read; the usual ones hold");
            Choices::default()
        });
        let language = choices.language.unwrap_or_else(from_environment);
        Self {
            path,
            choices: Mutex::new(choices),
            language: watch::Sender::new(language),
        }
    }

    /// Which notifications are shown.
    pub fn notices(&self) -> Notices {
        self.lock().notices
    }

    /// What is spoken.
    pub fn words(&self) -> &'static Words {
        Words::of(*self.language.borrow())
    }

    /// Tells when another language is spoken.
    pub fn spoken(&self) -> watch::Receiver<Language> {
        self.language.subscribe()
    }

    /// Chooses notifications anew.
    ///
    /// # Errors
    /// When it cannot be written; nothing has changed then.
    pub fn keep_notices(&self, notices: Notices) -> io::Result<()> {
        self.keep(|choices| choices.notices = notices)
    }

    /// Speaks another language from now on.
    ///
    /// # Errors
    /// As [`Kept::keep_notices`]; it is spoken all the same.
    pub fn keep_language(&self, language: Language) -> io::Result<()> {
        self.language.send_if_modified(|spoken| {
            let other = *spoken != language;
            *spoken = language;
            other
        });
        self.keep(|choices| choices.language = Some(language))
    }

    /// Whether the owner is to be told now that there is no tray; true once, and never again.
    pub fn tell_of_no_tray(&self) -> bool {
        if self.lock().told_of_no_tray {
            return false;
        }
        if let Err(error) = self.keep(|choices| choices.told_of_no_tray = true) {
            tracing::warn!(%error, "the desktop's choices cannot be kept");
        }
        true
    }

    /// The file is replaced in one step.
    fn keep(&self, change: impl FnOnce(&mut Choices)) -> io::Result<()> {
        let mut choices = self.lock();
        let mut changed = *choices;
        change(&mut changed);
        if changed == *choices {
            return Ok(());
        }
        let text = toml::to_string(&changed).map_err(io::Error::other)?;
        let beside = self.path.with_extension("toml.new");
        std::fs::write(&beside, text)?;
        std::fs::rename(&beside, &self.path)?;
        *choices = changed;
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Choices> {
        self.choices
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_kept_and_a_bad_file_is_not_lost_by_reading_it() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::read(folder.path());
        assert_eq!(kept.notices(), Notices::default());
        let all = Notices {
            paid: true,
            reclaimed: true,
            ..Notices::default()
        };
        kept.keep_notices(all).unwrap();
        kept.keep_language(Language::German).unwrap();
        assert!(kept.tell_of_no_tray());
        let again = Kept::read(folder.path());
        assert_eq!(again.notices(), all);
        assert_eq!(*again.spoken().borrow(), Language::German);
        assert!(!again.tell_of_no_tray(), "once is enough");
        let path = folder.path().join("desktop.toml");
        std::fs::write(&path, "[notices]\npaid = maybe\n").unwrap();
        assert_eq!(Kept::read(folder.path()).notices(), Notices::default());
        assert!(std::fs::read_to_string(&path).unwrap().contains("maybe"));
    }
}
