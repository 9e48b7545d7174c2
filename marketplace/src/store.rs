//! How values are written into the database, and read back: whole numbers, words and JSON.

use crate::fault::Fault;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// SQLite's integers have 63 bits.
///
/// # Errors
/// The number is larger.
pub fn to_db(number: u64) -> Result<i64, Fault> {
    i64::try_from(number).map_err(|_| Fault::Damaged(format!("{number} is too large to be stored")))
}

/// A whole number back.
///
/// # Errors
/// It is below zero.
pub fn to_u64(number: i64) -> Result<u64, Fault> {
    u64::try_from(number).map_err(|_| Fault::Damaged(format!("{number} is below zero")))
}

/// A value as JSON text.
///
/// # Errors
/// It has no JSON form, which no type here lacks.
pub fn to_json<T: Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::Damaged(error.to_string()))
}

/// A value from JSON text.
///
/// # Errors
/// The text is not one.
pub fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::Damaged(format!("`{text}`: {error}")))
}

/// A plain enum as the word it has on the wire.
///
/// # Errors
/// It is not a plain one.
pub fn to_word<T: Serialize>(value: &T) -> Result<String, Fault> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        other => Err(Fault::Damaged(format!("{other:?} is not a word"))),
    }
}

/// A plain enum back from its word.
///
/// # Errors
/// There is no such word.
pub fn from_word<T: DeserializeOwned>(word: &str) -> Result<T, Fault> {
    serde_json::from_value(serde_json::Value::String(word.to_owned()))
        .map_err(|error| Fault::Damaged(format!("`{word}`: {error}")))
}

/// An id back.
///
/// # Errors
/// It is not one.
pub fn to_id<T: TryFrom<String>>(text: String) -> Result<T, Fault>
where
    T::Error: std::fmt::Display,
{
    T::try_from(text).map_err(|error| Fault::Damaged(error.to_string()))
}
