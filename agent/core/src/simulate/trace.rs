//! Weeks of facts as text: JSON, one document a line. docs/operations.md describes it.

use super::change::{Change, Head};
use super::local::LocalTime;
use std::fmt;

/// The one version that there is.
pub const VERSION: u32 = 1;
/// The longest trace, in s: a year and a day.
const LONGEST_S: u64 = 366 * 24 * 3_600;
const MOST_GPUS: usize = 64;

/// A trace that reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// What holds for all of it.
    pub head: Head,
    /// What changes, in order.
    pub changes: Vec<Change>,
}

/// What is wrong with a trace, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct TraceError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what is allowed.
    pub what: String,
}

impl Trace {
    /// Reads and checks a text. Empty lines do not count.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        let mut lines = (1..)
            .zip(text.lines())
            .filter(|(_, line)| !line.trim().is_empty());
        let Some((line, first)) = lines.next() else {
            let what =
                "the trace is empty; its first line is the head, such as {\"sublet_trace\":1, …}";
            return Err(TraceError {
                line: 1,
                what: what.to_owned(),
            });
        };
        let wrong = |line, what| TraceError { line, what };
        let head: Head = read(first).map_err(|what| wrong(line, what))?;
        check_head(&head).map_err(|what| wrong(line, what))?;
        let mut changes = Vec::new();
        let mut last = head.from;
        for (line, text) in lines {
            let change: Change = read(text).map_err(|what| wrong(line, what))?;
            check_change(&head, last, &change).map_err(|what| wrong(line, what))?;
            last = change.at;
            changes.push(change);
        }
        Ok(Self { head, changes })
    }
}

fn read<T: serde::de::DeserializeOwned>(line: &str) -> Result<T, String> {
    serde_json::from_str(line).map_err(|error| {
        let text = error.to_string();
        // Each document stands on one line, whose number we say ourselves.
        match text.split_once(" at line ") {
            Some((what, _)) => format!("column {}: {what}", error.column()),
            None => text,
        }
    })
}

fn check_head(head: &Head) -> Result<(), String> {
    if head.sublet_trace != VERSION {
        let version = head.sublet_trace;
        return Err(format!(
            "`sublet_trace` is {version}; this program reads {VERSION}"
        ));
    }
    let LocalTime(from) = head.from;
    let LocalTime(to) = head.to;
    if to <= from || to - from > LONGEST_S {
        return Err("`to` must be after `from`, by at most 366 days".to_owned());
    }
    if head.utc_offset_min.unsigned_abs() > 18 * 60 {
        return Err("`utc_offset_min` must be -1080 to 1080".to_owned());
    }
    let [least, most] = head.demand_percent;
    if least > most || most > 100 {
        return Err(
            "`demand_percent` must be two numbers from 0 to 100, the lower one first".to_owned(),
        );
    }
    if head.gpus.is_empty() || head.gpus.len() > MOST_GPUS {
        return Err(format!("`gpus` must name 1 to {MOST_GPUS} GPUs"));
    }
    for (at, card) in head.gpus.iter().enumerate() {
        let refuse = |what: &str| Err(format!("GPU {}: {what}", card.id));
        if head.gpus[..at].iter().any(|other| other.id == card.id) {
            return refuse("it is there twice");
        }
        if !(1..=5_000).contains(&card.limit_w) {
            return refuse("`limit_w` must be 1 to 5000");
        }
        if card.lowest_w.is_some_and(|lowest| lowest > card.limit_w) {
            return refuse("`lowest_w` must be at most `limit_w`");
        }
        if card.job_w > card.limit_w || card.idle_w > card.limit_w {
            return refuse("`job_w` and `idle_w` must be at most `limit_w`");
        }
        if !(0.001..=5.0).contains(&card.c_per_w) {
            return refuse("`c_per_w` must be 0.001 to 5");
        }
        if !(1..=36_000).contains(&card.tau_s) {
            return refuse("`tau_s` must be 1 to 36000");
        }
        check_ambient(card.ambient_c)?;
    }
    Ok(())
}

fn check_ambient(ambient_c: i32) -> Result<(), String> {
    if (-50..=80).contains(&ambient_c) {
        Ok(())
    } else {
        Err("`ambient_c` must be -50 to 80".to_owned())
    }
}

fn check_change(head: &Head, last: LocalTime, change: &Change) -> Result<(), String> {
    if change.at < last {
        return Err(format!(
            "`at` is {}, before the line above it ({last})",
            change.at
        ));
    }
    if change.at >= head.to {
        return Err(format!(
            "`at` is {}, and the trace ends at {}",
            change.at, head.to
        ));
    }
    if change
        .battery
        .flatten()
        .is_some_and(|percent| percent > 100)
    {
        return Err("`battery` must be 0 to 100, or null on mains".to_owned());
    }
    for (id, card) in &change.gpus {
        let Some(known) = head.gpus.iter().find(|known| known.id == *id) else {
            return Err(format!("the head names no GPU `{id}`"));
        };
        if card.own_w.is_some_and(|watts| watts > known.limit_w) {
            return Err("`own_w` must be at most the GPU's `limit_w`".to_owned());
        }
        card.ambient_c.map_or(Ok(()), check_ambient)?;
    }
    Ok(())
}

/// As it is read.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |json: serde_json::Result<String>| json.map_err(|_| fmt::Error);
        writeln!(f, "{}", line(serde_json::to_string(&self.head))?)?;
        for change in &self.changes {
            writeln!(f, "{}", line(serde_json::to_string(change))?)?;
        }
        Ok(())
    }
}
