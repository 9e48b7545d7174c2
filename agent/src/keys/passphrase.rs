//! The passphrase for the encrypted file, read from a file that only this user can read.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use super::{KeysError, Surroundings};

/// More than any passphrase.
const LONGEST: u64 = 4096;

/// Neither printed nor serialized.
pub(super) struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// For age, which wipes its copy too.
    pub(super) fn for_age(&self) -> age::secrecy::SecretString {
        self.0.as_str().into()
    }
}

/// The passphrase that the surroundings name.
pub(super) fn of(surroundings: &Surroundings) -> Result<Passphrase, KeysError> {
    let path = surroundings
        .passphrase_file
        .as_deref()
        .ok_or(KeysError::NoPassphrase)?;
    let refused = |why: String| KeysError::PassphraseFile {
        path: path.to_owned(),
        why,
    };
    let file = File::open(path).map_err(|error| refused(error.to_string()))?;
    check(&file, path).map_err(refused)?;
    let mut text = Zeroizing::new(String::new());
    file.take(LONGEST)
        .read_to_string(&mut text)
        .map_err(|error: io::Error| refused(error.to_string()))?;
    let end = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(end);
    if text.is_empty() {
        return Err(refused(
            "it is empty; write a passphrase into its first line".into(),
        ));
    }
    Ok(Passphrase(text))
}

/// Looks at the open file, so that it cannot be exchanged between look and read.
#[cfg(unix)]
fn check(file: &File, path: &Path) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    let found = file.metadata().map_err(|error| error.to_string())?;
    if !found.is_file() {
        return Err("it is not a plain file".into());
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(format!(
            "it belongs to another user (id {}); make it this user's (chown)",
            found.uid()
        ));
    }
    if found.mode() & 0o077 != 0 {
        return Err(format!(
            "others can read it (mode {:04o}); run: chmod 600 {}",
            found.mode() & 0o7777,
            path.display()
        ));
    }
    Ok(())
}

/// On Windows the file takes the rights of its folder; one in the user's profile is the user's alone.
#[cfg(windows)]
fn check(file: &File, _path: &Path) -> Result<(), String> {
    let found = file.metadata().map_err(|error| error.to_string())?;
    if found.is_file() {
        Ok(())
    } else {
        Err("it is not a plain file".into())
    }
}
