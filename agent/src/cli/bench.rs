//! `sublet bench`: measures every GPU through the agent, with a bar on standard error.

use super::exit::Exit;
use super::look::{self, Look};
use super::page::{Align, Cell, Page, Table};
use super::words;
use crate::control::client::{Client, ClientError};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::time::Duration;
use sublet_protocol::local::{BenchOutcome, BenchView};
use sublet_protocol::reason::RigState;

const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Starts a benchmark, or joins the one that runs, and follows it to its end.
pub async fn follow(client: &Client, look: &Look) -> Result<BenchView, ClientError> {
    let mut view = client.bench().await?;
    if !view.running {
        view = client.start_bench().await?;
    }
    let mut progress = Progress::new(look);
    while view.running {
        progress.show(&view);
        tokio::time::sleep(LOOK_EVERY).await;
        view = client.bench().await?;
    }
    progress.end();
    Ok(view)
}

/// Failed where a GPU has no figures.
pub fn exit(view: &BenchView) -> Exit {
    let measured = view.results.iter().all(|result| result.score.is_some());
    if measured && !view.results.is_empty() {
        Exit::Fine
    } else {
        Exit::Failed
    }
}

/// A bar on a terminal; elsewhere a line for each new step.
enum Progress<'a> {
    Bar(ProgressBar, &'a Look),
    Lines { said: String, look: &'a Look },
}

impl<'a> Progress<'a> {
    fn new(look: &'a Look) -> Self {
        if !std::io::stderr().is_terminal() {
            let said = String::new();
            return Self::Lines { said, look };
        }
        let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::stderr());
        let drawn = if look.unicode { "━╸─" } else { "#>-" };
        // The template is a constant; were it wrong, the plain bar would do.
        if let Ok(style) = ProgressStyle::with_template("{bar:32} {percent:>3} %  {msg}") {
            bar.set_style(style.progress_chars(drawn));
        }
        Self::Bar(bar, look)
    }

    fn show(&mut self, view: &BenchView) {
        match self {
            Self::Bar(bar, look) => {
                bar.set_position(view.progress_permille.into());
                bar.set_message(look.say(&view.step));
            }
            Self::Lines { said, look } => {
                if *said != view.step {
                    said.clone_from(&view.step);
                    let step = look.say(&view.step);
                    let done = words::permille(view.progress_permille.into());
                    // A closed standard error must not end the measurement.
                    let _ = writeln!(std::io::stderr(), "{done}  {step}");
                }
            }
        }
    }

    fn end(self) {
        if let Self::Bar(bar, _) = self {
            bar.finish_and_clear();
        }
    }
}

/// The page.
pub fn render(view: &BenchView, look: &Look) -> String {
    let mut page = Page::led_by(look, &sentence(view));
    if !view.results.is_empty() {
        page.space();
        page.table(&table(&view.results));
        page.hint("A score of 1000 is the reference card; the spread is that of the timed runs.");
    }
    page.finish()
}

fn sentence(view: &BenchView) -> String {
    let measured = view
        .results
        .iter()
        .filter(|result| result.score.is_some())
        .count();
    let failed = view.results.len() - measured;
    let gpus = words::count(measured, "GPU", "GPUs");
    match (view.running, measured, failed) {
        (true, ..) => format!(
            "A benchmark runs, {} done: {}.",
            words::permille(view.progress_permille.into()),
            view.step.trim_end_matches('.')
        ),
        (_, 0, 0) => "No GPU was measured.".to_owned(),
        (_, _, 0) => format!("{gpus} measured."),
        (_, 0, _) => "No GPU could be measured.".to_owned(),
        _ => format!("{gpus} measured; {failed} could not be."),
    }
}

fn table(results: &[BenchOutcome]) -> Table {
    let mut table = Table::new(&[
        ("", Align::Left),
        ("GPU", Align::Left),
        ("score", Align::Right),
        ("fp32", Align::Right),
        ("bandwidth", Align::Right),
        ("spread", Align::Right),
    ]);
    for result in results {
        let state = match result.score {
            Some(_) => RigState::Ready,
            None => RigState::NeedsYou,
        };
        let text = |text: Option<String>| Cell::from(text.unwrap_or_default());
        let score = result.score.as_ref();
        let spread = |permille: u32| format!("{}.{} %", permille / 10, permille % 10);
        let cells = [
            Cell::styled(look::glyph(state), look::hue(state)),
            Cell::from(&result.name),
            text(score.map(|score| score.score.to_string())),
            text(score.map(|score| words::flops(score.fp32_mflops))),
            text(score.map(|score| words::bandwidth(score.bandwidth_mb_s))),
            text(result.spread_permille.map(spread)),
        ];
        table.row_with_notes(cells, result.problem.clone().into_iter().collect());
    }
    table
}
