//! A page of text: the sentence first, then tables without boxes. Styles are always in it; whoever writes it out
//! takes them away where the output is no terminal.

use super::look::{LEAD, Look, QUIET};
use anstyle::Style;
use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr;

/// A page under construction.
#[derive(Debug)]
pub struct Page<'a> {
    look: &'a Look,
    text: String,
}

impl<'a> Page<'a> {
    /// Opens with the one sentence that answers the question.
    pub fn led_by(look: &'a Look, sentence: &str) -> Self {
        let mut page = Self {
            look,
            text: String::new(),
        };
        page.put(0, LEAD, sentence);
        page
    }

    /// An empty line.
    pub fn space(&mut self) {
        self.text.push('\n');
    }

    /// A plain line.
    pub fn line(&mut self, text: &str) {
        self.put(0, Style::new(), text);
    }

    /// A line of less weight.
    pub fn quiet(&mut self, text: &str) {
        self.put(0, QUIET, text);
    }

    /// The next command to think of, after an empty line.
    pub fn hint(&mut self, text: &str) {
        self.space();
        self.quiet(text);
    }

    /// The rows of a table, two columns in, with their notes below each. Columns in which no row has anything are
    /// left out.
    pub fn table(&mut self, table: &Table) {
        let columns = Columns::of(table, self.look);
        if let Some(head) = columns.head() {
            let _ = writeln!(self.text, "  {QUIET}{head}{QUIET:#}");
        }
        for (row, cells) in table.rows.iter().zip(&columns.rows) {
            let line = columns.line(row, cells);
            let _ = writeln!(self.text, "  {line}");
            for note in &row.notes {
                self.put(NOTE_INDENT, QUIET, note);
            }
        }
    }

    /// The finished page.
    pub fn finish(self) -> String {
        self.text
    }

    fn put(&mut self, indent: usize, style: Style, text: &str) {
        let text = self.look.say(text);
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{:indent$}{style}{text}{style:#}", "");
    }
}

/// How a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Figures of one unit.
    Right,
    /// Amounts: their decimal points stand below each other.
    Point,
}

/// One cell with its style.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A cell in a style.
    pub fn styled(text: impl Into<String>, style: Style) -> Self {
        Self {
            text: text.into(),
            style,
        }
    }
}

impl<T: ToString> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text.to_string(), Style::new())
    }
}

#[derive(Debug)]
struct Row {
    cells: Vec<Cell>,
    notes: Vec<String>,
}

/// Rows under an optional head.
#[derive(Debug)]
pub struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Row>,
}

impl Table {
    /// A table with these columns; where every name is empty, it has no head.
    pub fn new(columns: &[(&'static str, Align)]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row. Missing cells are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.row_with_notes(cells, Vec::new());
    }

    /// Adds a row with lines of its own below it.
    pub fn row_with_notes(&mut self, cells: impl IntoIterator<Item = Cell>, notes: Vec<String>) {
        let mut cells: Vec<Cell> = cells.into_iter().collect();
        cells.resize_with(self.columns.len(), || Cell::from(""));
        self.rows.push(Row { cells, notes });
    }
}

const GAP: &str = "  ";

/// Notes begin below the name, which stands behind the one character of a state's shape.
const NOTE_INDENT: usize = 5;

/// The cells as they will stand, padded where their points must meet, and the widths.
struct Columns<'a> {
    table: &'a Table,
    rows: Vec<Vec<String>>,
    widths: Vec<usize>,
}

impl<'a> Columns<'a> {
    fn of(table: &'a Table, look: &Look) -> Self {
        let mut rows: Vec<Vec<String>> = table
            .rows
            .iter()
            .map(|row| row.cells.iter().map(|cell| look.say(&cell.text)).collect())
            .collect();
        let mut widths = Vec::new();
        for (at, (name, align)) in table.columns.iter().enumerate() {
            if *align == Align::Point {
                meet_at_point(&mut rows, at);
            }
            let widest = rows.iter().map(|row| row[at].width()).max().unwrap_or(0);
            widths.push(if widest == 0 {
                0
            } else {
                widest.max(name.width())
            });
        }
        Self {
            table,
            rows,
            widths,
        }
    }

    fn head(&self) -> Option<String> {
        let names = self.table.columns.iter().map(|(name, _)| *name);
        if names.clone().all(str::is_empty) || self.rows.is_empty() {
            return None;
        }
        let cells = names.zip(&self.table.columns).enumerate();
        let cells = cells.filter(|(at, _)| self.widths[*at] > 0);
        Some(joined(cells.map(|(at, (name, (_, align)))| {
            padded(name, Style::new(), *align, self.widths[at])
        })))
    }

    fn line(&self, row: &Row, cells: &[String]) -> String {
        let shown = (0..cells.len()).filter(|at| self.widths[*at] > 0);
        joined(shown.map(|at| {
            let align = self.table.columns[at].1;
            padded(&cells[at], row.cells[at].style, align, self.widths[at])
        }))
    }
}

fn joined(cells: impl Iterator<Item = String>) -> String {
    let line = cells.collect::<Vec<_>>().join(GAP);
    line.trim_end().to_owned()
}

fn padded(text: &str, style: Style, align: Align, width: usize) -> String {
    let pad = " ".repeat(width.saturating_sub(text.width()));
    let styled = if text.is_empty() {
        String::new()
    } else {
        format!("{style}{text}{style:#}")
    };
    match align {
        Align::Left => styled + &pad,
        Align::Right | Align::Point => pad + &styled,
    }
}

/// Pads the cells of a column on the right until their last points stand below each other.
fn meet_at_point(rows: &mut [Vec<String>], at: usize) {
    let behind = |text: &str| text.rfind('.').map_or(0, |point| text[point..].width());
    let most = rows.iter().map(|row| behind(&row[at])).max().unwrap_or(0);
    for row in rows.iter_mut().filter(|row| !row[at].is_empty()) {
        let pad = most - behind(&row[at]);
        row[at].push_str(&" ".repeat(pad));
    }
}
