//! `sublet settings`: what is in force and who says so, and changes of it. Works on the file itself while no agent
//! runs.

use super::command::{SettingsArgs, SettingsCommand};
use super::exit::{CliError, Exit};
use super::look::{Look, QUIET};
use super::page::{Align, Cell, Page, Table};
use super::{Desk, words};
use crate::control::client::ClientError;
use crate::settings::{Address, ChangeError, Kind, Watched, parse_text, told};
use anstyle::Style;
use serde_json::{Value as Json, json};
use std::path::Path;
use sublet_protocol::local::settings::{
    SettingsChange, SettingsDifference, SettingsEdit, SettingsFault, SettingsPreset,
    SettingsPreview, SettingsPut, SettingsSource, SettingsValue, SettingsView,
};

impl Desk {
    pub(super) async fn settings(&self, args: &SettingsArgs) -> Result<Exit, CliError> {
        let json = args.json;
        match &args.command {
            None => {
                let view = self.settings_view().await?;
                self.show(json, &view, render)?;
                Ok(match view.problem {
                    Some(_) => Exit::NeedsOwner,
                    None => Exit::Fine,
                })
            }
            Some(SettingsCommand::Set { key, values }) => {
                let address: Address = key.parse().map_err(usage)?;
                let value = Some(value_of(&address.key.kind, values));
                let key = address.to_string();
                self.change(
                    SettingsChange::Edits(vec![SettingsEdit { key, value }]),
                    json,
                )
                .await
            }
            Some(SettingsCommand::Unset { key }) => {
                let address: Address = key.parse().map_err(usage)?;
                let key = address.to_string();
                let edit = SettingsEdit { key, value: None };
                self.change(SettingsChange::Edits(vec![edit]), json).await
            }
            Some(SettingsCommand::Check { file }) => self.check(file, json).await,
            Some(SettingsCommand::Preset { name: None, .. }) => {
                let presets = self.settings_view().await?.presets;
                self.show(json, &presets, |presets, look| {
                    render_presets(presets, look)
                })
            }
            Some(SettingsCommand::Preset {
                name: Some(name),
                dry_run,
            }) => {
                name.parse::<crate::settings::Preset>().map_err(usage)?;
                let change = SettingsChange::Preset(name.clone());
                if *dry_run {
                    let preview = self.preview(&change).await?;
                    self.show(json, &preview, render_preview)
                } else {
                    self.change(change, json).await
                }
            }
        }
    }

    /// Shows what a change does, and makes it.
    async fn change(&self, change: SettingsChange, json: bool) -> Result<Exit, CliError> {
        let revision = self.settings_view().await?.revision;
        let preview = self.preview(&change).await?;
        let put = SettingsPut { revision, change };
        let view = match self.client.change_settings(&put).await {
            Err(ClientError::NotRunning(_)) => {
                crate::store::make_folder(&self.data).map_err(anyhow::Error::from)?;
                self.file().change(&put).map_err(failed)?
            }
            answered => self.told(answered)?,
        };
        self.show(json, &view, |view, look| {
            render_changed(view, &preview.changes, look)
        })
    }

    async fn settings_view(&self) -> Result<SettingsView, CliError> {
        match self.client.settings().await {
            Err(ClientError::NotRunning(_)) => Ok(self.file().view()),
            answered => self.told(answered),
        }
    }

    async fn preview(&self, change: &SettingsChange) -> Result<SettingsPreview, CliError> {
        match self.client.check_settings(change).await {
            Err(ClientError::NotRunning(_)) => self.file().check(change).map_err(failed),
            answered => self.told(answered),
        }
    }

    /// The file itself, while no agent has it.
    fn file(&self) -> Watched {
        Watched::peek(&self.data)
    }

    /// Checks a file as this rig would read it; without the agent, as a rig of unknown GPUs would.
    async fn check(&self, file: &Path, json: bool) -> Result<Exit, CliError> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| CliError::Usage(format!("{}: {error}", file.display())))?;
        let change = SettingsChange::Text(text.clone());
        let preview = match self.client.check_settings(&change).await {
            Err(ClientError::NotRunning(_)) => {
                let parsed = parse_text(&text, &[]);
                SettingsPreview {
                    text,
                    faults: told(parsed.as_ref().err().map_or(&[], Vec::as_slice)),
                    warnings: parsed
                        .map(|parsed| told(&parsed.warnings))
                        .unwrap_or_default(),
                    changes: Vec::new(),
                }
            }
            answered => self.told(answered)?,
        };
        self.show(json, &preview, |preview, look| {
            render_check(file, preview, look)
        })?;
        Ok(if preview.faults.is_empty() {
            Exit::Fine
        } else {
            Exit::Failed
        })
    }
}

fn usage(error: impl ToString) -> CliError {
    CliError::Usage(error.to_string())
}

fn failed(error: ChangeError) -> CliError {
    CliError::Other(anyhow::anyhow!(error.to_string()))
}

/// What was written on the command line, as the key takes it. What it does not take goes on as it is: the one reader
/// of settings says what is wrong with it.
fn value_of(kind: &Kind, written: &[String]) -> Json {
    let only = match written {
        [only] => only.as_str(),
        _ => "",
    };
    match kind {
        Kind::Programs | Kind::Categories | Kind::Publishers => json!(
            written
                .iter()
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
        ),
        Kind::Hours => written.iter().map(|rule| hours_of(rule)).collect(),
        Kind::Bands => written.iter().map(|rule| band_of(rule)).collect(),
        Kind::YesNo => match only {
            "yes" | "true" | "on" => json!(true),
            "no" | "false" | "off" => json!(false),
            _ => json!(written.join(" ")),
        },
        Kind::Whole { .. } => match only.parse::<i64>() {
            Ok(number) => json!(number),
            Err(_) => json!(written.join(" ")),
        },
        Kind::Decimal { .. } => match only.parse::<f64>() {
            Ok(number) if number.is_finite() => json!(number),
            _ => json!(written.join(" ")),
        },
        Kind::Money { .. } | Kind::Word(_) | Kind::Address => json!(written.join(" ")),
    }
}

/// `mon-fri 22:00 to 08:00`, or without the days.
fn hours_of(rule: &str) -> Json {
    match rule.split_whitespace().collect::<Vec<_>>()[..] {
        [from, "to", to] => json!({"from": from, "to": to}),
        [days, from, "to", to] => json!({"days": days, "from": from, "to": to}),
        _ => json!(rule),
    }
}

/// `22:00 to 06:00 0.18`
fn band_of(rule: &str) -> Json {
    match rule.split_whitespace().collect::<Vec<_>>()[..] {
        [from, "to", to, price] => json!({"from": from, "to": to, "electricity": price}),
        _ => json!(rule),
    }
}

/// The page of all settings.
pub fn render(view: &SettingsView, look: &Look) -> String {
    let mut page = Page::led_by(look, &view.sentence);
    if let Some(problem) = &view.problem {
        if view.faults.is_empty() {
            page.line(problem);
        }
        notes(&mut page, &view.faults);
    }
    notes(&mut page, &view.warnings);
    if !view.values.is_empty() {
        page.space();
        page.table(&table(&view.values));
    }
    page.space();
    page.quiet(&format!("File  {}", view.file));
    page.hint(match view.problem {
        Some(_) => "`sublet settings check FILE` looks at a file before it is used.",
        None => {
            "`sublet settings set KEY VALUE` changes one, `sublet settings preset` a whole rule."
        }
    });
    page.finish()
}

fn notes(page: &mut Page<'_>, faults: &[SettingsFault]) {
    for fault in faults {
        page.line(&match (fault.line, fault.column) {
            (Some(line), Some(column)) => format!("line {line}, column {column}: {}", fault.text),
            _ => fault.text.clone(),
        });
    }
}

fn table(values: &[SettingsValue]) -> Table {
    let mut table = Table::new(&[
        ("setting", Align::Left),
        ("value", Align::Left),
        ("from", Align::Left),
    ]);
    for value in values {
        let chosen = value.source != SettingsSource::Default;
        let style = if chosen { Style::new() } else { QUIET };
        table.row([
            Cell::from(&value.key),
            Cell::styled(value.shown.as_str(), style),
            Cell::styled(source(value), QUIET),
        ]);
    }
    table
}

fn source(value: &SettingsValue) -> String {
    match (value.source, value.line) {
        (SettingsSource::Default, _) => "default".to_owned(),
        (SettingsSource::File, Some(line)) => format!("line {line}"),
        (SettingsSource::File, None) => "file".to_owned(),
        (SettingsSource::Preset, _) => "--preset".to_owned(),
        (SettingsSource::CommandLine, _) => "command line".to_owned(),
    }
}

/// The page after a change.
pub fn render_changed(view: &SettingsView, changes: &[SettingsDifference], look: &Look) -> String {
    let mut page = Page::led_by(look, &view.sentence);
    differences(&mut page, changes, "Nothing else is in force than before.");
    notes(&mut page, &view.warnings);
    page.finish()
}

/// The page of what a change would do.
pub fn render_preview(preview: &SettingsPreview, look: &Look) -> String {
    let count = words::count(preview.changes.len(), "setting", "settings");
    let mut page = Page::led_by(look, &format!("It would change {count}."));
    differences(&mut page, &preview.changes, "");
    notes(&mut page, &preview.faults);
    notes(&mut page, &preview.warnings);
    page.finish()
}

fn differences(page: &mut Page<'_>, changes: &[SettingsDifference], none: &str) {
    if changes.is_empty() {
        if !none.is_empty() {
            page.quiet(none);
        }
        return;
    }
    let mut table = Table::new(&[
        ("setting", Align::Left),
        ("before", Align::Left),
        ("after", Align::Left),
    ]);
    for change in changes {
        table.row([
            Cell::from(&change.key),
            Cell::styled(change.before.as_str(), QUIET),
            Cell::from(&change.after),
        ]);
    }
    page.space();
    page.table(&table);
}

/// The page of the four presets.
pub fn render_presets(presets: &[SettingsPreset], look: &Look) -> String {
    let in_force = presets.iter().find(|preset| preset.in_force);
    let sentence = match in_force {
        Some(preset) => format!("The rule in force is that of the preset {}.", preset.name),
        None => "The rule in force is your own.".to_owned(),
    };
    let mut page = Page::led_by(look, &sentence);
    page.space();
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    for preset in presets {
        table.row([
            Cell::from(&preset.name),
            Cell::from(format!("For {}. {}", preset.whom, preset.says)),
        ]);
    }
    page.table(&table);
    page.hint(
        "`sublet settings preset NAME` takes one; `--dry-run` shows first what it would change.",
    );
    page.finish()
}

/// The page of a file that was checked.
pub fn render_check(file: &Path, preview: &SettingsPreview, look: &Look) -> String {
    let name = file.display();
    let sentence = match preview.faults.len() {
        0 => format!("{name} holds."),
        count => format!(
            "{name} does not hold: {}.",
            words::count(count, "fault", "faults")
        ),
    };
    let mut page = Page::led_by(look, &sentence);
    notes(&mut page, &preview.faults);
    notes(&mut page, &preview.warnings);
    page.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(key: &str, written: &[&str]) -> Json {
        let address: Address = key.parse().unwrap();
        let written: Vec<String> = written.iter().map(|word| (*word).to_owned()).collect();
        value_of(&address.key.kind, &written)
    }

    #[test]
    fn values_are_written_as_people_speak() {
        assert_eq!(read("rent.away_minutes", &["10"]), json!(10));
        assert_eq!(read("rent.on_battery", &["yes"]), json!(true));
        assert_eq!(read("price.floor", &["0.35"]), json!("0.35"));
        assert_eq!(read("limits.cpus", &["1.5"]), json!(1.5));
        assert_eq!(
            read("programs.exclusive", &["blender", "/opt/games"]),
            json!(["blender", "/opt/games"])
        );
        assert_eq!(read("programs.exclusive", &[""]), json!([]));
        assert_eq!(
            read("rent.hours", &["mon-fri 22:00 to 08:00", "10:00 to 12:00"]),
            json!([{"days": "mon-fri", "from": "22:00", "to": "08:00"}, {"from": "10:00", "to": "12:00"}])
        );
        assert_eq!(
            read("price.bands", &["22:00 to 06:00 0.18"]),
            json!([{"from": "22:00", "to": "06:00", "electricity": "0.18"}])
        );
    }

    #[test]
    fn what_is_not_understood_goes_on_as_it_is() {
        assert_eq!(read("rent.away_minutes", &["soon"]), json!("soon"));
        assert_eq!(read("rent.on_battery", &["perhaps"]), json!("perhaps"));
        assert_eq!(read("rent.hours", &["at night"]), json!(["at night"]));
        assert_eq!(read("limits.cpus", &["inf"]), json!("inf"));
    }
}
