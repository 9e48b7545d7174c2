//! The reading of keys that take lists: programs, categories, publishers, hours, bands.

use super::fault::Faults;
use super::hours::{self, BandRule, Days, HoursRule};
use super::kind::{ELECTRICITY, read, written};
use super::value::Value;
use sublet_protocol::job::Category;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// How many programs or publishers can be named; beyond that a folder or a registry is meant.
const ITEMS_MAX: usize = 200;

type Items<'a, 'i> = std::slice::Iter<'a, Spanned<DeValue<'i>>>;

pub fn programs(name: &str, items: Items<'_, '_>, faults: &mut Faults<'_>) -> Option<Vec<String>> {
    let limit = format!("names more than {ITEMS_MAX} programs; name a folder instead");
    let instead = "write a program's name, such as \"blender\", or a folder from its root, such as \"/opt/games\"";
    let read = |text: &str| is_program(text).then(|| text.to_owned());
    texts(name, items, faults, &limit, instead, read)
}

pub fn categories(
    name: &str,
    items: Items<'_, '_>,
    faults: &mut Faults<'_>,
) -> Option<Vec<Category>> {
    let all: Vec<&str> = Category::ALL.iter().map(|one| one.name()).collect();
    let limit = format!(
        "names more than {ITEMS_MAX} categories; there are {}",
        all.len()
    );
    let instead = format!("there are {}", all.join(", "));
    texts(name, items, faults, &limit, &instead, Category::of)
}

pub fn publishers(
    name: &str,
    items: Items<'_, '_>,
    faults: &mut Faults<'_>,
) -> Option<Vec<String>> {
    let limit = format!("names more than {ITEMS_MAX} publishers; name a registry instead");
    let instead = "write the beginning of an image's name, such as \"registry.example/studio\"";
    let read = |text: &str| is_publisher(text).then(|| text.to_owned());
    texts(name, items, faults, &limit, instead, read)
}

/// A list of texts, each of which `read` takes; `instead` ends the sentence on one that it does not.
fn texts<T>(
    name: &str,
    items: Items<'_, '_>,
    faults: &mut Faults<'_>,
    limit: &str,
    instead: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Option<Vec<T>> {
    let mut taken = Vec::new();
    let mut fine = true;
    for item in items {
        let at = item.span().start;
        if taken.len() == ITEMS_MAX {
            faults.add(at, name, limit.to_owned());
            return None;
        }
        let found = item.get_ref().as_str().and_then(&read);
        match found {
            Some(found) => taken.push(found),
            None => {
                let is = written(item.get_ref());
                faults.add(at, name, format!("has {is}; {instead}"));
                fine = false;
            }
        }
    }
    fine.then_some(taken)
}

/// As names of images are written, without a tag or digest.
fn is_publisher(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/:".contains(&b);
    let parts = text.trim_end_matches('/').split('/');
    text.len() <= 255 && text.bytes().all(fits) && parts.into_iter().all(|part| !part.is_empty())
}

/// A name, or a folder from its root as one of the systems writes it.
fn is_program(text: &str) -> bool {
    let plain = !text.trim().is_empty()
        && text.trim() == text
        && text.len() <= 1024
        && !text.chars().any(char::is_control);
    let bytes = text.as_bytes();
    let drive = bytes.len() > 2
        && bytes[0].is_ascii_alphabetic()
        && bytes[1] == b':'
        && matches!(bytes[2], b'/' | b'\\');
    let rooted = text.starts_with('/') || text.starts_with("\\\\") || drive;
    plain && (rooted || !text.contains(['/', '\\']))
}

/// The fields of one table of a list, each named at most once.
struct Fields<'a, 'i> {
    name: &'a str,
    at: usize,
    table: &'a DeTable<'i>,
}

impl<'a, 'i> Fields<'a, 'i> {
    fn of(
        name: &'a str,
        known: &[&str],
        item: &'a Spanned<DeValue<'i>>,
        faults: &mut Faults<'_>,
    ) -> Option<Self> {
        let at = item.span().start;
        let Some(table) = item.get_ref().as_table() else {
            let is = written(item.get_ref());
            faults.add(
                at,
                name,
                format!("has {is}; each of its entries has {}", known.join(", ")),
            );
            return None;
        };
        let mut fine = true;
        for key in table.keys() {
            if !known.contains(&key.get_ref().as_ref()) {
                let what = format!("is not known; each `{name}` has {}", known.join(", "));
                faults.add(key.span().start, &format!("{name}.{}", key.get_ref()), what);
                fine = false;
            }
        }
        fine.then_some(Self { name, at, table })
    }

    fn get(&self, field: &str, faults: &mut Faults<'_>) -> Option<&'a Spanned<DeValue<'i>>> {
        let found = self.table.get(field);
        if found.is_none() {
            faults.add(self.at, self.name, format!("has no `{field}`"));
        }
        found
    }

    fn time(&self, field: &str, faults: &mut Faults<'_>) -> Option<u16> {
        let value = self.get(field, faults)?;
        let minutes = value.get_ref().as_str().and_then(hours::minutes);
        if minutes.is_none() {
            let is = written(value.get_ref());
            let what = format!("is {is}; it must be a time of day from \"00:00\" to \"24:00\"");
            faults.add(value.span().start, &format!("{}.{field}", self.name), what);
        }
        minutes
    }

    /// `from` and `to`; `00:00` at the end is midnight, `24:00`.
    fn span(&self, faults: &mut Faults<'_>) -> Option<(u16, u16)> {
        let (from, to) = (self.time("from", faults), self.time("to", faults));
        let (from, to) = (from?, to?);
        let to = if to == 0 { hours::DAY_MIN } else { to };
        if from == to || from == hours::DAY_MIN {
            let what = format!(
                "runs from {} to {}; a whole day is from \"00:00\" to \"24:00\"",
                hours::clock(from),
                hours::clock(to)
            );
            faults.add(self.at, self.name, what);
            return None;
        }
        Some((from, to))
    }
}

pub fn week(name: &str, items: Items<'_, '_>, faults: &mut Faults<'_>) -> Option<Vec<HoursRule>> {
    let places: Vec<usize> = items.clone().map(|item| item.span().start).collect();
    let rules: Vec<HoursRule> = items.filter_map(|item| rule(name, item, faults)).collect();
    if rules.len() < places.len() {
        return None;
    }
    if let Err((later, earlier)) = hours::week(&rules) {
        let line = faults.place(places[earlier]).line;
        let what = if later == earlier {
            format!("({}) overlaps itself on the next day", rules[later])
        } else {
            format!(
                "({}) overlaps the hours of line {line} ({})",
                rules[later], rules[earlier]
            )
        };
        faults.add(places[later], name, what);
        return None;
    }
    Some(rules)
}

fn rule(name: &str, item: &Spanned<DeValue<'_>>, faults: &mut Faults<'_>) -> Option<HoursRule> {
    let fields = Fields::of(name, &["days", "from", "to"], item, faults)?;
    let days = match fields.table.get("days") {
        None => Some(Days::ALL),
        Some(value) => days(&format!("{name}.days"), value, faults),
    };
    let (from, to) = fields.span(faults)?;
    let rule = HoursRule {
        days: days?,
        from,
        to,
    };
    if !rule.on_quarters() {
        let what = format!(
            "runs from {} to {}; it must begin and end on a quarter of an hour",
            hours::clock(from),
            hours::clock(to)
        );
        faults.add(fields.at, name, what);
        return None;
    }
    Some(rule)
}

fn days(name: &str, value: &Spanned<DeValue<'_>>, faults: &mut Faults<'_>) -> Option<Days> {
    let read = |text: &str| text.parse::<Days>();
    let found = match value.get_ref() {
        DeValue::String(text) => read(text),
        DeValue::Array(items) if items.iter().next().is_some() => {
            items
                .iter()
                .try_fold(Days::NONE, |days, item| match item.get_ref() {
                    DeValue::String(text) => Ok(days.and(read(text)?)),
                    other => Err(format!(
                        "has {}; write days such as \"mon\"",
                        written(other)
                    )),
                })
        }
        other => Err(format!(
            "is {}; write days such as \"mon-fri\" or [\"mon\", \"fri\"]",
            written(other)
        )),
    };
    found
        .map_err(|what| faults.add(value.span().start, name, what))
        .ok()
}

pub fn bands(name: &str, items: Items<'_, '_>, faults: &mut Faults<'_>) -> Option<Vec<BandRule>> {
    let places: Vec<usize> = items.clone().map(|item| item.span().start).collect();
    let bands: Vec<BandRule> = items.filter_map(|item| band(name, item, faults)).collect();
    if bands.len() < places.len() {
        return None;
    }
    for (later, band) in bands.iter().enumerate() {
        let other = bands[..later].iter().position(|other| band.overlaps(other));
        if let Some(earlier) = other {
            let line = faults.place(places[earlier]).line;
            let what = format!(
                "({band}) overlaps the hours of line {line} ({})",
                bands[earlier]
            );
            faults.add(places[later], name, what);
            return None;
        }
    }
    Some(bands)
}

fn band(name: &str, item: &Spanned<DeValue<'_>>, faults: &mut Faults<'_>) -> Option<BandRule> {
    let fields = Fields::of(name, &["from", "to", "electricity"], item, faults)?;
    let span = fields.span(faults);
    let price = fields.get("electricity", faults)?;
    let price = read(&ELECTRICITY, &format!("{name}.electricity"), price, faults)?;
    let (Value::Money(electricity), Some((from, to))) = (price, span) else {
        return None;
    };
    Some(BandRule {
        from,
        to,
        electricity,
    })
}
