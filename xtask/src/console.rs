//! What the chores say: short sentences on standard error, results on standard output.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const STRONG: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();

/// Without a terminal, a task that takes long says so this often.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);

/// Where people read along.
pub struct Console {
    terminal: bool,
}

impl Console {
    pub fn new() -> Console {
        Console {
            terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Whether somebody can be asked.
    pub fn can_ask(&self) -> bool {
        self.terminal && std::io::stdin().is_terminal()
    }

    /// One line of progress.
    pub fn say(&self, text: &str) {
        to_stderr(text);
    }

    /// A line that opens a part.
    pub fn heading(&self, text: &str) {
        to_stderr(&format!("\n{STRONG}{text}{STRONG:#}"));
    }

    /// A line of the result, on standard output.
    pub fn result(&self, text: &str) {
        // A reader that went away wants no more results.
        drop(writeln!(anstream::stdout(), "{text}"));
    }

    pub fn error(&self, error: &anyhow::Error) {
        to_stderr(&format!("\n{BAD}Stopped:{BAD:#} {error:#}"));
    }

    /// Puts a question; true only for a yes.
    pub fn ask(&self, question: &str) -> std::io::Result<bool> {
        let mut stderr = anstream::stderr();
        write!(stderr, "{question} [y/N] ")?;
        stderr.flush()?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    /// Something that takes a while.
    pub fn task(&self, title: &str) -> Task {
        let bar = if self.terminal {
            let style = ProgressStyle::with_template("{spinner} {prefix} {wide_msg:.dim}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = ProgressBar::new_spinner().with_style(style.tick_chars("◐◓◑◒ "));
            bar.set_prefix(title.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            Some(bar)
        } else {
            to_stderr(&format!("{title} ..."));
            None
        };
        let now = Instant::now();
        Task {
            title: title.to_owned(),
            bar,
            started: now,
            spoke: now,
        }
    }
}

/// One thing under way. Dropped without an end, it vanishes from the terminal.
pub struct Task {
    title: String,
    bar: Option<ProgressBar>,
    started: Instant,
    spoke: Instant,
}

impl Task {
    /// What it is at just now.
    pub fn note(&mut self, text: &str) {
        match &self.bar {
            Some(bar) if !text.is_empty() => bar.set_message(text.to_owned()),
            Some(_) => {}
            None if self.spoke.elapsed() >= SIGN_OF_LIFE => {
                self.spoke = Instant::now();
                let seconds = self.started.elapsed().as_secs();
                to_stderr(&format!("  {} ... {seconds} s so far", self.title));
            }
            None => {}
        }
    }

    /// Ends well.
    pub fn done(self) {
        let told = format!(
            "{GOOD}✓{GOOD:#} {} {FAINT}{}{FAINT:#}",
            self.title,
            seconds(self.started.elapsed())
        );
        self.end(&told);
    }

    /// Ends badly; what went wrong is told by the error.
    pub fn failed(self) {
        let told = format!(
            "{BAD}✗{BAD:#} {} {FAINT}{}{FAINT:#}",
            self.title,
            seconds(self.started.elapsed())
        );
        self.end(&told);
    }

    fn end(mut self, told: &str) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        to_stderr(told);
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// A duration as people say it: `0.4 s`, `37 s`, `3 min 5 s`.
pub fn seconds(duration: Duration) -> String {
    let whole = duration.as_secs();
    if whole < 10 {
        format!("{:.1} s", duration.as_secs_f64())
    } else if whole < 120 {
        format!("{whole} s")
    } else {
        format!("{} min {} s", whole / 60, whole % 60)
    }
}

fn to_stderr(text: &str) {
    // Nobody is left to tell when standard error is closed.
    drop(writeln!(anstream::stderr(), "{text}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_naturally() {
        let said = |ms| seconds(Duration::from_millis(ms));
        assert_eq!(said(420), "0.4 s");
        assert_eq!(said(37_900), "37 s");
        assert_eq!(said(185_000), "3 min 5 s");
    }
}
