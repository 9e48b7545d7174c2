//! From text to values with their places; what stands for what is decided in [`super::assemble`].

use super::fault::{At, Faults, Place};
use super::key::{Key, hint, tables};
use super::kind;
use super::value::Value;
use super::{KEYS, VERSION};
use std::collections::BTreeMap;
use sublet_protocol::ids::GpuId;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and where it was said.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    pub value: Value,
    pub at: At,
}

/// What a text says: for the rig under no GPU, and for single GPUs. The path is the rig's in both cases.
#[derive(Debug, Clone, Default)]
pub struct Said {
    pub values: BTreeMap<(Option<GpuId>, &'static str), Placed>,
    /// The GPUs that have a table of their own, and where it is.
    pub gpus: BTreeMap<GpuId, Place>,
}

impl Said {
    /// What it says for one of these.
    pub fn get(&self, gpu: Option<&GpuId>, path: &'static str) -> Option<&Placed> {
        self.values.get(&(gpu.cloned(), path))
    }

    /// What holds for a GPU: its own word, else the rig's.
    pub fn holding(&self, gpu: &GpuId, path: &'static str) -> Option<&Placed> {
        self.get(Some(gpu), path).or_else(|| self.get(None, path))
    }
}

/// Reads a text; what is wrong goes to `faults`.
pub fn read(text: &str, faults: &mut Faults<'_>) -> Said {
    let mut said = Said::default();
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let place = faults.place(error.span().map_or(0, |span| span.start));
            faults.add_at(
                At::Text(place),
                None,
                format!("this is not TOML: {}", error.message()),
            );
            return said;
        }
    };
    let table = table.get_ref();
    if let Some(version) = table.get("version")
        && !version_fits(version, faults)
    {
        // Everything else may mean something else there.
        return said;
    }
    let names: Names = KEYS.iter().map(|key| (key.path, key)).collect();
    let rig = table
        .iter()
        .filter(|(key, _)| !["version", "gpu"].contains(&key.get_ref().as_ref()));
    walk(rig, "", "", &names, faults, &mut |key, placed| {
        said.values.insert((None, key.path), placed);
    });
    if let Some((key, value)) = table.get_key_value("gpu") {
        gpus(key.span().start, value, faults, &mut said);
    }
    said
}

fn version_fits(version: &Spanned<DeValue<'_>>, faults: &mut Faults<'_>) -> bool {
    let number = version.get_ref().as_integer();
    let number = number.and_then(|n| u32::from_str_radix(n.as_str(), n.radix()).ok());
    let what = match number {
        Some(known) if (1..=VERSION).contains(&known) => return true,
        Some(newer) if newer > VERSION => format!(
            "is {newer}, and this version of Sublet reads up to {VERSION}: update Sublet; the file is left as it is"
        ),
        _ => format!("must be a whole number from 1 to {VERSION}"),
    };
    faults.add(version.span().start, "version", what);
    false
}

type Names = Vec<(&'static str, &'static Key)>;

/// Takes the entries of a table whose path is `within`; keys are named to people with `title` before them.
fn walk<'a, 'i: 'a>(
    entries: impl Iterator<
        Item = (
            &'a Spanned<std::borrow::Cow<'i, str>>,
            &'a Spanned<DeValue<'i>>,
        ),
    >,
    within: &str,
    title: &str,
    names: &Names,
    faults: &mut Faults<'_>,
    take: &mut dyn FnMut(&'static Key, Placed),
) {
    for (key, value) in entries {
        let path = join(within, key.get_ref());
        let shown = join(title, &path);
        let at = key.span().start;
        if let Some((_, known)) = names.iter().find(|(name, _)| *name == path) {
            if let Some(value) = kind::read(&known.kind, &shown, value, faults) {
                let at = At::Text(faults.place(at));
                take(known, Placed { value, at });
            }
            continue;
        }
        let inner = format!("{path}.");
        if !names.iter().any(|(name, _)| name.starts_with(&inner)) {
            faults.add(
                at,
                &shown,
                format!("is not known; {}", near(&path, within, names)),
            );
        } else if let Some(table) = value.get_ref().as_table() {
            let entries: Vec<_> = table.iter().collect();
            walk(entries.into_iter(), &path, title, names, faults, take);
        } else {
            faults.add(
                at,
                &shown,
                format!("is a table; write [{shown}] above its keys"),
            );
        }
    }
}

fn join(before: &str, name: &str) -> String {
    let name: String = name.chars().take(80).collect();
    if before.is_empty() {
        name
    } else {
        format!("{before}.{name}")
    }
}

/// What may be meant: a name of the same table, else of any.
fn near(path: &str, within: &str, names: &Names) -> String {
    let all: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
    let last = path.rsplit('.').next().unwrap_or_default();
    let elsewhere = all
        .iter()
        .find(|name| name.rsplit('.').next() == Some(last));
    if let Some(name) = elsewhere {
        return format!("`{name}` may be meant");
    }
    let own = names.iter().any(|(name, _)| !name.contains('.'));
    if within.is_empty() && !own {
        return hint(path, &all, &tables());
    }
    let prefix = format!("{within}.");
    let here: Vec<&str> = all
        .iter()
        .copied()
        .filter(|name| within.is_empty() || name.starts_with(&prefix))
        .collect();
    hint(path, &[], &here)
}

fn gpus(at: usize, value: &Spanned<DeValue<'_>>, faults: &mut Faults<'_>, said: &mut Said) {
    let Some(table) = value.get_ref().as_table() else {
        faults.add(
            at,
            "gpu",
            "is a table; write [gpu.\"ID\"] with an id from `sublet gpus`",
        );
        return;
    };
    let names: Names = KEYS
        .iter()
        .filter_map(|key| Some((key.own()?, key)))
        .collect();
    for (id, value) in table {
        let (at, title) = (id.span().start, join("gpu", id.get_ref()));
        let gpu = match GpuId::new(id.get_ref().as_ref()) {
            Ok(gpu) => gpu,
            Err(error) => {
                faults.add(at, &title, format!("does not name a GPU: {error}"));
                continue;
            }
        };
        let Some(own) = value.get_ref().as_table() else {
            faults.add(
                at,
                &title,
                format!("is a table; write [gpu.\"{gpu}\"] above its keys"),
            );
            continue;
        };
        said.gpus.insert(gpu.clone(), faults.place(at));
        let entries: Vec<_> = own.iter().collect();
        walk(
            entries.into_iter(),
            "",
            &title,
            &names,
            faults,
            &mut |key, placed| {
                said.values.insert((Some(gpu.clone()), key.path), placed);
            },
        );
    }
}
