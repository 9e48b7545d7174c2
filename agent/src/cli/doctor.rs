//! `sublet doctor`: every check with its verdict, what was found, and the way out. Asks the agent; where none
//! runs, looks itself.

use super::exit::{CliError, Exit};
use super::look::{self, Look};
use super::page::{Align, Cell, Page, Table};
use super::words;
use crate::control::client::{Client, ClientError};
use crate::doctor::{diagnose, observe};
use std::path::Path;
use sublet_protocol::local::{Check, Doctor, Verdict};

/// The agent's own diagnosis, since it may run under another user's rights; ours where no agent answers.
pub async fn ask(client: &Client, data: &Path) -> Result<Doctor, CliError> {
    match client.doctor().await {
        Ok(doctor) => Ok(doctor),
        Err(ClientError::NotRunning(_)) => {
            let gpus = crate::child::graphics_program().map_err(anyhow::Error::from)?;
            Ok(diagnose(&observe(data, &gpus, None).await))
        }
        Err(error) => Err(CliError::Agent { error, data: None }),
    }
}

/// Failed where anything stands in the way of renting.
pub fn exit(doctor: &Doctor) -> Exit {
    if doctor
        .checks
        .iter()
        .any(|check| check.verdict == Verdict::Bad)
    {
        Exit::Failed
    } else {
        Exit::Fine
    }
}

/// The page.
pub fn render(doctor: &Doctor, look: &Look) -> String {
    let mut page = Page::led_by(look, &sentence(&doctor.checks));
    page.space();
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left), ("", Align::Left)]);
    for check in &doctor.checks {
        let (glyph, _, style) = look::verdict(check.verdict);
        let notes = match &check.remedy {
            Some(remedy) => vec![check.purpose.clone(), remedy.clone()],
            None => Vec::new(),
        };
        table.row_with_notes(
            [
                Cell::styled(glyph, style),
                Cell::from(&check.name),
                Cell::from(&check.found),
            ],
            notes,
        );
    }
    page.table(&table);
    page.finish()
}

fn sentence(checks: &[Check]) -> String {
    let count = |verdict| {
        checks
            .iter()
            .filter(|check| check.verdict == verdict)
            .count()
    };
    let (bad, warnings) = (count(Verdict::Bad), count(Verdict::Warning));
    let things = words::count(warnings, "thing", "things");
    match (bad, warnings) {
        (0, 0) => "Everything that renting needs is there.".to_owned(),
        (0, _) => format!("Nothing stands in the way of renting; {things} could be better."),
        (1, _) => "One thing stands in the way of renting.".to_owned(),
        _ => format!("{bad} things stand in the way of renting."),
    }
}
