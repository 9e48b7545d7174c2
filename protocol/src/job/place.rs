//! Where in a text something is wrong.

use serde_saphyr::Spanned;

/// A job spec that cannot be taken, and where in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct JobError {
    /// From 1.
    pub line: u64,
    /// From 1.
    pub column: u64,
    /// What is wrong, and what to write instead.
    pub what: String,
}

/// The largest text that is read, in bytes.
const MOST_BYTES: usize = 64 * 1024;

/// An error at a value.
pub(super) fn at<T>(spanned: &Spanned<T>, what: impl Into<String>) -> JobError {
    JobError {
        line: spanned.referenced.line().max(1),
        column: spanned.referenced.column().max(1),
        what: what.into(),
    }
}

/// Refuses a text that is too long to be read, where it becomes so.
pub(super) fn check_length(text: &str) -> Result<(), JobError> {
    let Some(read) = text
        .as_bytes()
        .get(..MOST_BYTES)
        .filter(|read| read.len() < text.len())
    else {
        return Ok(());
    };
    let lines = read.split(|byte| *byte == b'\n');
    let (count, last) = lines.fold((0, 0), |(count, _), line| (count + 1, line.len()));
    Err(JobError {
        line: count,
        column: last as u64 + 1,
        what: format!(
            "the text is {} bytes long; at most {MOST_BYTES} are read, which end here",
            text.len()
        ),
    })
}

/// What the reader of YAML found wrong, at its place; at the beginning where it names none.
pub(super) fn from_reader(error: &serde_saphyr::Error) -> JobError {
    let place = error.location();
    JobError {
        line: place.map_or(1, |p| p.line()).max(1),
        column: place.map_or(1, |p| p.column()).max(1),
        what: bare_message(error),
    }
}

fn bare_message(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    // The place is already in our own fields.
    match text.rsplit_once(" at line ") {
        Some((what, place)) if place.bytes().next().is_some_and(|b| b.is_ascii_digit()) => {
            what.to_owned()
        }
        _ => text,
    }
}
