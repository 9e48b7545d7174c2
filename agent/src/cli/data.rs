//! Where the agent keeps its things when the owner does not say.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The data folder, absolute: the one named, else the system's usual place.
///
/// # Errors
/// Where neither a folder nor a home is known.
pub fn folder(named: Option<&Path>) -> Result<PathBuf, anyhow::Error> {
    let folder = match named {
        Some(named) => named.to_owned(),
        None => usual(|name| std::env::var_os(name)).ok_or_else(|| {
            anyhow::anyhow!(
                "there is no home folder to keep the agent's data in: name one with --data"
            )
        })?,
    };
    Ok(std::path::absolute(folder)?)
}

/// `$XDG_DATA_HOME/sublet`, else `~/.local/share/sublet`. A relative `XDG_DATA_HOME` counts as unset, as its
/// specification says.
#[cfg(unix)]
fn usual(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name| {
        variable(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    set("XDG_DATA_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".local").join("share")))
        .map(|shared| shared.join("sublet"))
}

/// `%LOCALAPPDATA%\Sublet`.
#[cfg(windows)]
fn usual(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    variable("LOCALAPPDATA")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .map(|local| local.join("Sublet"))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_usual_place_follows_the_desktops_rule() {
        let with = |pairs: &'static [(&str, &str)]| {
            usual(move |name| {
                let found = pairs.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| OsString::from(value))
            })
        };
        assert_eq!(
            with(&[("HOME", "/h")]),
            Some("/h/.local/share/sublet".into())
        );
        assert_eq!(
            with(&[("XDG_DATA_HOME", "/x"), ("HOME", "/h")]),
            Some("/x/sublet".into())
        );
        assert_eq!(
            with(&[("XDG_DATA_HOME", "x"), ("HOME", "/h")]),
            Some("/h/.local/share/sublet".into())
        );
        assert_eq!(with(&[]), None);
    }
}
