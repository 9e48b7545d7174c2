//! The keys to X displays, from the files that sessions keep them in.
//!
//! x11rb reads the file that the environment names; a display that appears after the agent started has its key
//! elsewhere, and the environment of a running process does not change.

use std::path::{Path, PathBuf};

const COOKIE: &[u8] = b"MIT-MAGIC-COOKIE-1";
/// A connection on this machine, and any connection.
const LOCAL: u16 = 256;
const ANY: u16 = 65_535;
/// What display managers call such a file.
const NAMES: [&str; 3] = ["Xauthority", "xauth_", ".mutter-Xwaylandauth"];

/// The name of the method and its key.
pub(super) type Key = (Vec<u8>, Vec<u8>);

/// Every key in these files that may open this display, each once. Hosts' names are not compared: a wrong key is
/// merely refused.
pub(super) fn keys(places: &[PathBuf], display: u32) -> Vec<Key> {
    let mut keys = Vec::new();
    for file in places.iter().flat_map(|place| files(place)) {
        let bytes = std::fs::read(file).unwrap_or_default();
        for key in parse(&bytes, display) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    keys
}

/// The file itself, or those of a folder that are named as such files are.
fn files(place: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(place) else {
        return vec![place.to_owned()];
    };
    let named = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        NAMES.iter().any(|start| name.starts_with(start))
    };
    entries
        .flatten()
        .map(|entry| entry.path())
        .filter(named)
        .collect()
}

/// Entries of: family, address, display number, method, key; each but the first with its length before it, big
/// endian. What follows a torn entry is not read.
fn parse(mut bytes: &[u8], display: u32) -> Vec<Key> {
    let mut keys = Vec::new();
    while let Some((family, rest)) = number(bytes) {
        let Some((entry, rest)) = entry(rest) else {
            break;
        };
        bytes = rest;
        let [_, its_display, method, key] = entry;
        let fits = its_display.is_empty() || its_display == display.to_string().as_bytes();
        if matches!(family, LOCAL | ANY) && fits && method == COOKIE {
            keys.push((method.to_vec(), key.to_vec()));
        }
    }
    keys
}

fn number(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*number), rest))
}

fn entry(mut bytes: &[u8]) -> Option<([&[u8]; 4], &[u8])> {
    let mut fields: [&[u8]; 4] = [&[]; 4];
    for field in &mut fields {
        let (length, rest) = number(bytes)?;
        (*field, bytes) = rest.split_at_checked(length.into())?;
    }
    Some((fields, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry_of(family: u16, fields: [&[u8]; 4]) -> Vec<u8> {
        let mut bytes = family.to_be_bytes().to_vec();
        for field in fields {
            bytes.extend(u16::try_from(field.len()).unwrap().to_be_bytes());
            bytes.extend(field);
        }
        bytes
    }

    #[test]
    fn keys_of_this_display_and_of_every_display_are_found_in_all_files() {
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().join("first");
        let mut bytes = entry_of(LOCAL, [b"host", b"1", COOKIE, b"other display"]);
        bytes.extend(entry_of(LOCAL, [b"host", b"0", COOKIE, b"ours"]));
        bytes.extend(entry_of(0, [b"\x7f\0\0\x01", b"0", COOKIE, b"over tcp"]));
        bytes.extend(entry_of(
            LOCAL,
            [b"host", b"0", b"XDM-AUTHORIZATION-1", b"x"],
        ));
        std::fs::write(&first, &bytes).unwrap();
        let second = entry_of(ANY, [b"", b"", COOKIE, b"any"]);
        std::fs::write(folder.path().join("xauth_Abc"), &second).unwrap();
        std::fs::write(folder.path().join("unrelated"), &second).unwrap();

        let places = [first, folder.path().to_owned(), "/nowhere".into()];
        let key = |data: &[u8]| (COOKIE.to_vec(), data.to_vec());
        assert_eq!(keys(&places, 0), [key(b"ours"), key(b"any")]);
    }

    #[test]
    fn a_torn_file_gives_what_stands_before_the_tear() {
        let whole = entry_of(LOCAL, [b"host", b"", COOKIE, b"ours"]);
        for length in 0..whole.len() {
            assert_eq!(parse(&whole[..length], 0), []);
        }
        let torn = [whole.as_slice(), &whole[..9]].concat();
        assert_eq!(parse(&torn, 0).len(), 1);
    }
}
