//! A value that an owner chose.

use super::hours::{BandRule, HoursRule, clock};
use serde_json::json;
use std::fmt;
use sublet_protocol::job::Category;
use sublet_protocol::money::MicroUsd;

/// A value of one of the kinds in [`super::Kind`].
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// One of several words.
    Word(&'static str),
    /// A whole number.
    Whole(u32),
    /// A number with decimals.
    Decimal(f64),
    /// An amount of money.
    Money(MicroUsd),
    /// Yes or no.
    YesNo(bool),
    /// Names and folders of programs.
    Programs(Vec<String>),
    /// Categories of work.
    Categories(Vec<Category>),
    /// Beginnings of images' names.
    Publishers(Vec<String>),
    /// Hours of the week.
    Hours(Vec<HoursRule>),
    /// Hours of the day with their price of electricity.
    Bands(Vec<BandRule>),
    /// A marketplace's address.
    Address(String),
}

impl Value {
    /// As JSON, and so as TOML has it: an amount is text, hours are objects.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Word(word) => json!(word),
            Self::Address(url) => json!(url),
            Self::Whole(number) => json!(number),
            Self::Decimal(number) => json!(number),
            Self::Money(amount) => json!(plain(*amount)),
            Self::YesNo(yes) => json!(yes),
            Self::Programs(names) | Self::Publishers(names) => json!(names),
            Self::Categories(categories) => json!(categories),
            Self::Hours(rules) => rules
                .iter()
                .map(|rule| {
                    json!({"days": rule.days.to_string(), "from": clock(rule.from), "to": clock(rule.to)})
                })
                .collect(),
            Self::Bands(bands) => bands
                .iter()
                .map(|band| {
                    json!({"from": clock(band.from), "to": clock(band.to), "electricity": plain(band.electricity)})
                })
                .collect(),
        }
    }
}

/// An amount as an owner writes it: without the currency's sign.
fn plain(amount: MicroUsd) -> String {
    amount.to_string().trim_start_matches('$').to_owned()
}

/// As a page shows it, without its unit.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn listed(items: &[impl ToString]) -> String {
            let items: Vec<String> = items.iter().map(ToString::to_string).collect();
            if items.is_empty() {
                "none".to_owned()
            } else {
                items.join("; ")
            }
        }
        match self {
            Self::Word(word) => f.write_str(word),
            Self::Address(url) => f.write_str(url),
            Self::Whole(number) => number.fmt(f),
            Self::Decimal(number) => number.fmt(f),
            Self::Money(amount) => amount.fmt(f),
            Self::YesNo(true) => f.write_str("yes"),
            Self::YesNo(false) => f.write_str("no"),
            Self::Programs(names) | Self::Publishers(names) => f.write_str(&listed(names)),
            Self::Categories(categories) => {
                let names: Vec<&str> = categories.iter().map(|one| one.name()).collect();
                f.write_str(&listed(&names))
            }
            Self::Hours(rules) => f.write_str(&listed(rules)),
            Self::Bands(bands) => f.write_str(&listed(bands)),
        }
    }
}
