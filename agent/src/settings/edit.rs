//! Changes of the owner's text: single keys are replaced where they stand, and everything else stays as it was
//! written.

use super::assemble::said_by;
use super::document;
use super::fault::{Fault, Faults, Summary};
use super::key::{Address, NoSuchKey};
use super::preset::{NoSuchPreset, Preset};
use serde_json::Value as Json;
use sublet_protocol::local::settings::{SettingsChange, SettingsEdit};
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};

/// Why a change cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The key does not exist.
    #[error(transparent)]
    NoSuchKey(#[from] NoSuchKey),
    /// The preset does not exist.
    #[error(transparent)]
    NoSuchPreset(#[from] NoSuchPreset),
    /// Single keys can be changed only in a text that reads as TOML.
    #[error("single settings cannot be changed while the file is not TOML: {}. Mend it, or replace the whole text", Summary(.0))]
    NotToml(Vec<Fault>),
    /// What stands in the way is not a table.
    #[error(
        "`{0}` cannot be changed here, because the file has something else in its place; edit the file"
    )]
    InTheWay(String),
    /// No value of TOML.
    #[error("`{0}` takes no such value")]
    NoValue(String),
}

/// The text with a change made. It need not hold: that is for the reader to say.
///
/// # Errors
/// [`EditError`]; the text is then unchanged.
pub fn changed(text: &str, change: &SettingsChange) -> Result<String, EditError> {
    match change {
        SettingsChange::Text(text) => Ok(text.clone()),
        SettingsChange::Edits(edits) => edited(text, edits),
        SettingsChange::Preset(name) => edited(text, &edits_of(name.parse()?)),
    }
}

/// A preset as edits: what only other presets name goes back to its default.
fn edits_of(preset: Preset) -> Vec<SettingsEdit> {
    let said = said_by(preset);
    Preset::keys()
        .map(|key| SettingsEdit {
            key: key.path.to_owned(),
            value: said
                .get(None, key.path)
                .map(|placed| placed.value.to_json()),
        })
        .collect()
}

fn edited(text: &str, edits: &[SettingsEdit]) -> Result<String, EditError> {
    let start = if text.trim().is_empty() {
        format!("version = {}\n", super::VERSION)
    } else {
        text.to_owned()
    };
    let mut document: DocumentMut = match start.parse() {
        Ok(document) => document,
        Err(_) => {
            let mut faults = Faults::of(text);
            document::read(text, &mut faults);
            return Err(EditError::NotToml(faults.finish()));
        }
    };
    for edit in edits {
        let address: Address = edit.key.parse()?;
        match &edit.value {
            Some(value) => put(&mut document, &address, value)?,
            None => take_out(&mut document, &address),
        }
    }
    Ok(document.to_string())
}

fn put(document: &mut DocumentMut, address: &Address, json: &Json) -> Result<(), EditError> {
    let steps = address.steps();
    let Some((last, tables)) = steps.split_last() else {
        return Ok(());
    };
    let value = value_of(json).ok_or_else(|| EditError::NoValue(address.to_string()))?;
    let empty = document.iter().next().is_none();
    let mut at: &mut dyn TableLike = document.as_table_mut();
    let mut blocks = true;
    for (depth, step) in tables.iter().enumerate() {
        if !at.contains_key(step) {
            let last_step = depth + 1 == tables.len();
            at.insert(step, new_table(blocks, last_step, empty));
        }
        let item = at.get_mut(step);
        let item = item.ok_or_else(|| EditError::InTheWay(address.to_string()))?;
        blocks = blocks && item.as_table().is_some_and(|table| !table.is_dotted());
        at = item
            .as_table_like_mut()
            .ok_or_else(|| EditError::InTheWay(address.to_string()))?;
    }
    let new = match rows(json) {
        Some(rows) if blocks && !rows.is_empty() => Item::ArrayOfTables(rows),
        _ => Item::Value(value),
    };
    match (at.get_mut(last), new) {
        (Some(Item::Value(old)), Item::Value(mut new)) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        (_, new) => {
            at.insert(last, new);
        }
    }
    Ok(())
}

/// A table that is not there yet: a block of its own, or part of the inline table it goes into.
fn new_table(blocks: bool, last: bool, first: bool) -> Item {
    if !blocks {
        return Item::Value(Value::InlineTable(InlineTable::new()));
    }
    let mut table = Table::new();
    table.set_implicit(!last);
    table.decor_mut().set_prefix(if first { "" } else { "\n" });
    Item::Table(table)
}

fn value_of(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => return None,
        Json::Bool(yes) => Value::from(*yes),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::from(whole),
            None => Value::from(number.as_f64()?),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => {
            let values: Option<Array> = items.iter().map(value_of).collect();
            Value::Array(values?)
        }
        Json::Object(fields) => {
            let mut table = InlineTable::new();
            for (name, field) in fields {
                table.insert(name, value_of(field)?);
            }
            Value::InlineTable(table)
        }
    })
}

/// A list of objects as `[[…]]` blocks.
fn rows(json: &Json) -> Option<ArrayOfTables> {
    let mut blocks = ArrayOfTables::new();
    for item in json.as_array()? {
        let mut table = Table::new();
        table.decor_mut().set_prefix("\n");
        for (name, field) in item.as_object()? {
            table.insert(name, Item::Value(value_of(field)?));
        }
        blocks.push(table);
    }
    Some(blocks)
}

/// Takes a key out; what was written beside it stays as a comment, and a table that is left empty goes.
fn take_out(document: &mut DocumentMut, address: &Address) {
    let left = remove(document.as_table_mut(), &address.steps());
    if let Some(comment) = left.filter(|comment| comment.contains('#')) {
        let trailing = document.trailing().as_str().unwrap_or_default();
        document.set_trailing(format!("{trailing}{comment}"));
    }
}

/// The comments that are left over, where no key of the table follows to carry them.
fn remove(table: &mut dyn TableLike, steps: &[&str]) -> Option<String> {
    let (first, rest) = steps.split_first()?;
    if !rest.is_empty() {
        let inner = table.get_mut(first)?;
        let left = remove(inner.as_table_like_mut()?, rest);
        let bare = match inner {
            Item::Table(inner) => {
                let note = inner.decor().prefix().and_then(|prefix| prefix.as_str());
                inner.is_empty() && !note.is_some_and(|note| note.contains('#'))
            }
            Item::Value(Value::InlineTable(inner)) => inner.is_empty(),
            _ => false,
        };
        if bare {
            table.remove(first);
        }
        return left;
    }
    let comment = comment_of(table, first);
    let next = table
        .iter()
        .skip_while(|(name, _)| name != first)
        .skip(1)
        .find(|(_, item)| item.is_value())
        .map(|(name, _)| name.to_owned());
    table.remove(first)?;
    let comment = comment.filter(|comment| comment.contains('#'))?;
    let Some(mut next) = next.and_then(|next| table.key_mut(&next)) else {
        return Some(comment);
    };
    let decor = next.leaf_decor_mut();
    let own = decor.prefix().and_then(|prefix| prefix.as_str());
    let own = own.unwrap_or_default().to_owned();
    decor.set_prefix(format!("{comment}{own}"));
    None
}

/// The comment lines above a key, and the one behind its value as a line of its own.
fn comment_of(table: &dyn TableLike, name: &str) -> Option<String> {
    let key = table.key(name)?;
    let above = key.leaf_decor().prefix().and_then(|prefix| prefix.as_str());
    let mut comment = above.unwrap_or_default().to_owned();
    let value = table.get(name).and_then(Item::as_value);
    let behind = value.and_then(|value| value.decor().suffix()?.as_str());
    if let Some(behind) = behind.map(str::trim).filter(|behind| !behind.is_empty()) {
        comment.push_str(behind);
        comment.push('\n');
    }
    Some(comment)
}
