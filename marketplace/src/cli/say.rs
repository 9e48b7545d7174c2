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
