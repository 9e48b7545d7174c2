//! What is wrong with a text, and where.

use std::fmt;
use std::path::Path;

/// One thing that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {}{what}", named(.key.as_deref()))]
pub struct Fault {
    /// Where it was said.
    pub at: At,
    /// The key, such as `heat.hot_c`, where it is about one.
    pub key: Option<String>,
    /// What it is and what is allowed. With [`Self::key`] before it, it reads as a sentence.
    pub what: String,
}

impl Fault {
    /// What it says, without its place in the text.
    pub fn said(&self) -> String {
        match self.at {
            At::Text(_) => format!("{}{}", named(self.key.as_deref()), self.what),
            At::CommandLine(_) => self.to_string(),
        }
    }
}

fn named(key: Option<&str>) -> String {
    key.map(|key| format!("`{key}` ")).unwrap_or_default()
}

/// Where something stands in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

/// Where something was said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// In the settings text.
    Text(Place),
    /// On the command line, by these words: `--preset laptop`.
    CommandLine(String),
}

impl At {
    /// Its place in the text, where it is there.
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::Text(place) => Some(*place),
            Self::CommandLine(_) => None,
        }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(Place { line, column }) => write!(f, "line {line}, column {column}"),
            Self::CommandLine(words) => f.write_str(words),
        }
    }
}

/// Collects what is wrong with one text.
#[derive(Debug)]
pub struct Faults<'t> {
    text: &'t str,
    found: Vec<Fault>,
}

impl<'t> Faults<'t> {
    /// Of this text, none yet.
    pub fn of(text: &'t str) -> Self {
        Self {
            text,
            found: Vec::new(),
        }
    }

    /// Where the byte at `offset` stands.
    pub fn place(&self, offset: usize) -> Place {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.text[..offset];
        let line_begins = before.rfind('\n').map_or(0, |at| at + 1);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place {
            line: count(1 + before.bytes().filter(|byte| *byte == b'\n').count()),
            column: count(1 + before[line_begins..].chars().count()),
        }
    }

    /// Something about a key, at a byte of the text.
    pub fn add(&mut self, offset: usize, key: &str, what: impl Into<String>) {
        let at = At::Text(self.place(offset));
        self.add_at(at, Some(key), what);
    }

    /// Something that was said there.
    pub fn add_at(&mut self, at: At, key: Option<&str>, what: impl Into<String>) {
        self.found.push(Fault {
            at,
            key: key.map(str::to_owned),
            what: what.into(),
        });
    }

    /// All of them, from the top of the text to its end, then those of the command line.
    pub fn finish(mut self) -> Vec<Fault> {
        self.found.sort_by(|one, other| one.at.cmp(&other.at));
        self.found
    }
}

/// Where to look for the first of some faults: this file, or the command line.
pub fn source(path: &Path, faults: &[Fault]) -> String {
    match faults.first().map(|fault| &fault.at) {
        Some(At::CommandLine(_)) => "the command line".to_owned(),
        _ => path.display().to_string(),
    }
}

/// Faults as one text: the first, and how many more there are.
pub struct Summary<'a>(pub &'a [Fault]);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, rest)) = self.0.split_first() else {
            return Ok(());
        };
        write!(f, "{first}")?;
        match rest.len() {
            0 => Ok(()),
            1 => write!(f, " (and 1 more)"),
            more => write!(f, " (and {more} more)"),
        }
    }
}
