//! What a key takes, and the reading of it from TOML.

use super::fault::Faults;
use super::lists;
use super::value::Value;
use crate::market::check_address;
use std::fmt;
use sublet_protocol::job::Category;
use sublet_protocol::money::MicroUsd;
use toml::Spanned;
use toml::de::DeValue;

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// One of several words, each with what it means.
    Word(&'static [(&'static str, &'static str)]),
    /// A whole number within bounds.
    Whole {
        /// The least.
        least: u32,
        /// The most.
        most: u32,
        /// Its unit, for people.
        unit: &'static str,
    },
    /// A number with decimals within bounds.
    Decimal {
        /// The least.
        least: f64,
        /// The most.
        most: f64,
        /// Its unit, for people.
        unit: &'static str,
    },
    /// An amount of US dollars.
    Money {
        /// The most.
        most: MicroUsd,
        /// For what, such as "an hour".
        per: &'static str,
    },
    /// `true` or `false`.
    YesNo,
    /// Names and folders of programs.
    Programs,
    /// Categories of work.
    Categories,
    /// Beginnings of images' names.
    Publishers,
    /// `[[…]]` tables of days, from, to.
    Hours,
    /// `[[…]]` tables of from, to, electricity.
    Bands,
    /// Where a marketplace is.
    Address,
}

/// What is allowed, as the end of "it must be …".
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(words) => {
                let words: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
                match words.split_last() {
                    Some((last, rest)) if !rest.is_empty() => {
                        write!(f, "{} or {last}", rest.join(", "))
                    }
                    _ => f.write_str(&words.concat()),
                }
            }
            Self::Whole { least, most, unit } => write!(f, "{least} to {most} {unit}"),
            Self::Decimal { least, most, unit } => write!(f, "{least} to {most} {unit}"),
            Self::Money { most, per } => {
                write!(f, "an amount from \"0\" to \"{}\" US dollars {per}", most.0 / 1_000_000)
            }
            Self::YesNo => f.write_str("true or false"),
            Self::Programs => f.write_str("a list such as [\"blender\", \"/opt/games\"]"),
            Self::Categories => {
                let names: Vec<String> =
                    Category::ALL.iter().map(|one| format!("\"{}\"", one.name())).collect();
                write!(f, "a list of {}", names.join(", "))
            }
            Self::Publishers => {
                f.write_str("a list such as [\"registry.example\", \"registry.example/studio\"]")
            }
            Self::Address => f.write_str(
                "an address such as \"https://market.example\"; http:// only on this machine",
            ),
            Self::Hours => f.write_str(
                "tables with days, from and to, in quarters of an hour, such as {days = \"mon-fri\", from = \"22:00\", to = \"08:00\"}",
            ),
            Self::Bands => f.write_str(
                "tables with from, to and electricity, such as {from = \"22:00\", to = \"06:00\", electricity = \"0.18\"}",
            ),
        }
    }
}

/// How many hours or bands there can be.
const RULES_MAX: usize = 100;

/// The numbers and texts of TOML as they were written, short enough to be quoted.
pub fn written(value: &DeValue<'_>) -> String {
    let text = match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(yes) => yes.to_string(),
        DeValue::Datetime(moment) => moment.to_string(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    };
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Reads the value of a key that is called `name`; what is wrong goes to `faults`.
pub fn read(
    kind: &Kind,
    name: &str,
    value: &Spanned<DeValue<'_>>,
    faults: &mut Faults<'_>,
) -> Option<Value> {
    let at = value.span().start;
    let found = match (kind, value.get_ref()) {
        (Kind::Word(words), DeValue::String(text)) => {
            let known = words.iter().find(|(word, _)| word == text);
            known.map(|(word, _)| Value::Word(word))
        }
        (Kind::Whole { least, most, .. }, DeValue::Integer(number)) => {
            let number = i64::from_str_radix(number.as_str(), number.radix()).ok();
            let number = number.and_then(|number| u32::try_from(number).ok());
            number
                .filter(|number| (least..=most).contains(&number))
                .map(Value::Whole)
        }
        (Kind::Decimal { least, most, .. }, number @ (DeValue::Integer(_) | DeValue::Float(_))) => {
            let number: Option<f64> = written(number).parse().ok();
            number
                .filter(|number| (least..=most).contains(&number))
                .map(Value::Decimal)
        }
        (Kind::Money { most, .. }, value) => money(value)
            .filter(|amount| amount <= most)
            .map(Value::Money),
        (Kind::YesNo, DeValue::Boolean(yes)) => Some(Value::YesNo(*yes)),
        // The client's own rule, which knows no client: one that it would refuse is told with its line.
        (Kind::Address, DeValue::String(text)) => check_address(text)
            .ok()
            .map(|url| Value::Address(url.to_string())),
        (Kind::Programs, DeValue::Array(items)) => {
            return lists::programs(name, items.iter(), faults).map(Value::Programs);
        }
        (Kind::Categories, DeValue::Array(items)) => {
            return lists::categories(name, items.iter(), faults).map(Value::Categories);
        }
        (Kind::Publishers, DeValue::Array(items)) => {
            return lists::publishers(name, items.iter(), faults).map(Value::Publishers);
        }
        (Kind::Hours, DeValue::Array(items)) if items.len() <= RULES_MAX => {
            return lists::week(name, items.iter(), faults).map(Value::Hours);
        }
        (Kind::Bands, DeValue::Array(items)) if items.len() <= RULES_MAX => {
            return lists::bands(name, items.iter(), faults).map(Value::Bands);
        }
        _ => None,
    };
    if found.is_none() {
        let is = written(value.get_ref());
        faults.add(at, name, format!("is {is}; it must be {kind}"));
    }
    found
}

/// `"0.35"`, or `0.35` as it is written: no float is made of it.
fn money(value: &DeValue<'_>) -> Option<MicroUsd> {
    match value {
        DeValue::String(text) => text.parse().ok(),
        DeValue::Integer(number) if number.radix() == 10 => number.as_str().parse().ok(),
        DeValue::Float(number) => number.as_str().parse().ok(),
        _ => None,
    }
}

/// The most that a kilowatt-hour may be said to cost.
pub const ELECTRICITY: Kind = Kind::Money {
    most: MicroUsd(10_000_000),
    per: "a kilowatt-hour",
};
