//! What an attack tried and what it got, as one line of JSON.

use std::fmt::Write as _;
use std::io::{Error, Result, Write as _};

pub struct Report {
    attack: String,
    /// What was refused, each with how.
    tried: Vec<String>,
    /// What should not have been had.
    got: Vec<String>,
}

impl Report {
    pub fn of(attack: &str) -> Report {
        Report {
            attack: attack.to_owned(),
            tried: Vec::new(),
            got: Vec::new(),
        }
    }

    pub fn got(&mut self, what: impl Into<String>) {
        self.got.push(what.into());
    }

    pub fn tried(&mut self, what: impl Into<String>) {
        self.tried.push(what.into());
    }

    /// Counts a success as loot.
    pub fn outcome<T>(&mut self, what: &str, outcome: Result<T>) -> Option<T> {
        match outcome {
            Ok(value) => {
                self.got(what);
                Some(value)
            }
            Err(error) => {
                self.tried(format!("{what}: {error}"));
                None
            }
        }
    }

    /// The answer of a system call: below zero is an error, anything else is loot.
    pub fn call(&mut self, what: &str, answer: i64) -> Option<i64> {
        self.outcome(what, checked(answer))
    }

    /// A call that no one makes with sense: one that was permitted fails by another error than a forbidden one.
    pub fn permission(&mut self, what: &str, answer: i64) {
        let Err(error) = checked(answer) else {
            return self.got(what);
        };
        let forbidden = [libc::EPERM, libc::EACCES, libc::ENOSYS, libc::EAFNOSUPPORT];
        if error.raw_os_error().is_some_and(|n| forbidden.contains(&n)) {
            self.tried(format!("{what}: {error}"));
        } else {
            self.got(format!("{what}, as far as `{error}`"));
        }
    }

    /// One line. Called in between where the attacker may not live to see the end: the last line counts.
    pub fn tell(&self) {
        let line = format!(
            "{{\"attack\":{},\"tried\":{},\"got\":{}}}",
            quoted(&self.attack),
            list(&self.tried),
            list(&self.got)
        );
        let mut out = std::io::stdout().lock();
        // Where nobody listens any more there is nobody to tell.
        let _ = writeln!(out, "{line}");
        let _ = out.flush();
    }
}

pub fn checked(answer: i64) -> Result<i64> {
    if answer < 0 {
        Err(Error::last_os_error())
    } else {
        Ok(answer)
    }
}

fn list(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", quoted.join(","))
}

fn quoted(text: &str) -> String {
    let mut line = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => {
                line.push('\\');
                line.push(letter);
            }
            c if c.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(line, "\\u{:04x}", u32::from(c));
            }
            c => line.push(c),
        }
    }
    line.push('"');
    line
}
