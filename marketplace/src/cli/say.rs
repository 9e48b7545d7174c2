//! How results are shown: a sentence, then a table; JSON where it is asked for; progress and troubles on stderr;
//! colour on a terminal only (anstream strips it elsewhere).

use super::CliError;
use anstyle::{AnsiColor, Style};
use comfy_table::{Table, presets};
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// The quiet colour of hints.
const HINT: Style = Style::new().dimmed();
const TROUBLE: Style = AnsiColor::Red.on_default().bold();

fn written(result: std::io::Result<()>) -> Result<(), CliError> {
    match result {
        // The reader has seen enough (`| head`).
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(CliError::failed("writing the output")),
    }
}

/// One line on stdout.
pub fn line(text: impl std::fmt::Display) -> Result<(), CliError> {
    written(writeln!(anstream::stdout(), "{text}"))
}

/// Bytes on stdout, as they are.
pub fn raw(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = std::io::stdout();
    written(out.write_all(bytes).and_then(|()| out.flush()))
}

/// A job's output on stdout. It comes from a stranger's machine: what could steer a terminal is shown as `?` there,
/// and kept as it is in a file or a pipe.
pub fn output(text: &str) -> Result<(), CliError> {
    if std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        raw(harmless(text).as_bytes())
    } else {
        raw(text.as_bytes())
    }
}

fn harmless(text: &str) -> String {
    let plain = |c: char| match c {
        '\n' | '\t' => c,
        // A bar that redraws its line becomes lines.
        '\r' => '\n',
        c if c.is_control() => '?',
        c => c,
    };
    text.replace("\r\n", "\n").chars().map(plain).collect()
}

/// A value as indented JSON on stdout.
pub fn json<T: Serialize>(value: &T) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value).map_err(CliError::failed("writing JSON"))?;
    line(text)
}

/// A table on stdout, below a sentence.
pub fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<(), CliError> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head.to_vec());
    for row in rows {
        table.add_row(row);
    }
    let text = table.to_string();
    for row in text.lines() {
        line(row.trim_end())?;
    }
    Ok(())
}

/// What is going on, on stderr.
pub fn progress(text: impl std::fmt::Display) {
    // A closed stderr is no reason to stop working.
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// The obvious next command, on stderr, for people only.
pub fn hint(text: impl std::fmt::Display) {
    if std::io::stderr().is_terminal() {
        progress(format_args!("{HINT}{text}{HINT:#}"));
    }
}

/// What went wrong, on stderr.
pub fn trouble(error: &CliError) {
    progress(format_args!("{TROUBLE}error:{TROUBLE:#} {error}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jobs_output_cannot_steer_a_terminal() {
        let text = "ok\ttab\r\n\x1b]0;title\x07\x1b[2J\u{9b}1m 50 %\r100 %\n";
        assert_eq!(harmless(text), "ok\ttab\n?]0;title??[2J?1m 50 %\n100 %\n");
    }
}
