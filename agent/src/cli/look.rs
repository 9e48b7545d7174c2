//! What the terminal can show, and what a state looks like on it: the same five shapes and hues everywhere.

use anstyle::{AnsiColor, Style};
use jiff::tz::TimeZone;
use sublet_protocol::local::Verdict;
use sublet_protocol::reason::RigState;

/// Everything that rendering needs to know beside the data.
#[derive(Debug, Clone)]
pub struct Look {
    /// The terminal shows more than ASCII.
    pub unicode: bool,
    /// The owner's time zone.
    pub zone: TimeZone,
    /// Now, ms since 1970.
    pub now_ms: u64,
}

impl Look {
    /// As this process finds it. Colour is decided where the text is written.
    pub fn here() -> Self {
        let variable = |name| std::env::var(name).ok();
        Self {
            unicode: cfg!(windows)
                || shows_unicode(["LC_ALL", "LC_CTYPE", "LANG"].map(variable).as_slice()),
            zone: TimeZone::system(),
            now_ms: u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0),
        }
    }

    /// The text as this terminal can show it, without anything that would steer it: names and messages come from
    /// drivers and renters.
    pub fn say(&self, text: &str) -> String {
        let mut said = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '\n' | '\t' => said.push(' '),
                c if c.is_control() || is_invisible(c) => said.push('?'),
                c if self.unicode || c.is_ascii() => said.push(c),
                c => said.push_str(in_ascii(c)),
            }
        }
        said
    }
}

/// The first locale variable that is set decides, as the C library has it.
fn shows_unicode(variables: &[Option<String>]) -> bool {
    let first = variables.iter().flatten().find(|value| !value.is_empty());
    first.is_some_and(|locale| {
        let locale = locale.to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// Marks that reorder or hide text.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn in_ascii(c: char) -> &'static str {
    match c {
        YOURS => "o",
        READY => ".",
        RENTING => "@",
        WAITING => "~",
        NEEDS_YOU => "!",
        GOOD => "+",
        BAD => "x",
        '°' => "deg ",
        '…' => "...",
        '·' | '–' | '—' => "-",
        '×' => "x",
        '’' | '‘' => "'",
        '“' | '”' => "\"",
        '\u{a0}' | '\u{202f}' => " ",
        _ => "?",
    }
}

const YOURS: char = '○';
const READY: char = '•';
const RENTING: char = '●';
const WAITING: char = '◐';
const NEEDS_YOU: char = '▲';
const GOOD: char = '✓';
const BAD: char = '✗';

/// The shape of a state.
pub fn glyph(state: RigState) -> char {
    match state {
        RigState::Yours => YOURS,
        RigState::Ready => READY,
        RigState::Renting => RENTING,
        RigState::Waiting => WAITING,
        RigState::NeedsYou => NEEDS_YOU,
    }
}

/// The word for a state, which always stands beside its shape.
pub fn word(state: RigState) -> &'static str {
    match state {
        RigState::Yours => "yours",
        RigState::Ready => "ready",
        RigState::Renting => "renting",
        RigState::Waiting => "waiting",
        RigState::NeedsYou => "needs you",
    }
}

/// The hue of a state.
pub fn hue(state: RigState) -> Style {
    match state {
        RigState::Yours => Style::new(),
        RigState::Ready => AnsiColor::Blue.on_default(),
        RigState::Renting => AnsiColor::Green.on_default(),
        RigState::Waiting => AnsiColor::Yellow.on_default(),
        RigState::NeedsYou => AnsiColor::Red.on_default(),
    }
}

/// Shape, word and hue of a check.
pub fn verdict(verdict: Verdict) -> (char, &'static str, Style) {
    match verdict {
        Verdict::Good => (GOOD, "good", AnsiColor::Green.on_default()),
        Verdict::Warning => (WAITING, "could be better", AnsiColor::Yellow.on_default()),
        Verdict::Bad => (BAD, "in the way", AnsiColor::Red.on_default()),
    }
}

/// For what matters less.
pub const QUIET: Style = Style::new().dimmed();

/// For the sentence that leads.
pub const LEAD: Style = Style::new().bold();

#[cfg(test)]
mod tests {
    use super::*;

    fn look(unicode: bool) -> Look {
        Look {
            unicode,
            zone: TimeZone::UTC,
            now_ms: 0,
        }
    }

    #[test]
    fn what_a_renter_wrote_cannot_steer_the_terminal() {
        let evil = "a\x1b[2Jb\u{202e}c\u{9b}d\ne";
        assert_eq!(look(true).say(evil), "a?[2Jb?c?d e");
        assert_eq!(look(false).say("84 °C …"), "84 deg C ...");
    }

    #[test]
    fn the_first_locale_variable_that_is_set_decides() {
        let set = |values: &[&str]| {
            let values: Vec<_> = values
                .iter()
                .map(|value| Some((*value).to_owned()))
                .collect();
            shows_unicode(&values)
        };
        assert!(set(&["", "", "de_DE.UTF-8"]));
        assert!(set(&["C.utf8", "C", "C"]));
        assert!(!set(&["C", "", "en_US.UTF-8"]));
        assert!(!shows_unicode(&[None, None, None]));
    }
}
