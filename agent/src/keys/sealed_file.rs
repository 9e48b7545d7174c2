//! `keys.age` in the data folder: both keys, encrypted with a passphrase in the age format, so that the `age`
//! tool opens it too.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use age::scrypt::{Identity, Recipient};
use age::{DecryptError, Decryptor, Encryptor};
use zeroize::Zeroizing;

use super::passphrase::Passphrase;
use super::secret::SecretPair;
use super::{KeyPlace, KeysError};
use crate::store::durable::write_file;

/// scrypt with N = 2^15 and r = 8: 32 MiB and about a tenth of a second, once at start. The memory is one large
/// block, which the system gets back at once. More would cost a small machine more than it costs a thief, since
/// the passphrase lies in a file on the same machine.
const WORK_FACTOR: u8 = 15;
/// What an owner's own `age -p` makes today, 256 MiB; more is refused unopened.
const LARGEST_WORK_FACTOR: u8 = 18;

pub(super) fn path(data: &Path) -> PathBuf {
    data.join("keys.age")
}

/// `None` where there is no file.
pub(super) fn read(data: &Path, passphrase: &Passphrase) -> Result<Option<SecretPair>, KeysError> {
    let path = path(data);
    let sealed = match std::fs::read(&path) {
        Ok(sealed) => sealed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(KeysError::Io { path, source }),
    };
    let mut text = Zeroizing::new(String::new());
    open(&sealed, passphrase, &mut text).map_err(|error| match error {
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
            KeysError::WrongPassphrase(path)
        }
        DecryptError::Io(source) if source.kind() != io::ErrorKind::UnexpectedEof => {
            KeysError::Io { path, source }
        }
        damaged => KeysError::Unavailable {
            place: KeyPlace::File,
            detail: format!("{} is damaged ({damaged})", path.display()),
        },
    })?;
    SecretPair::from_text(&text)
        .map(Some)
        .ok_or(KeysError::Malformed {
            place: KeyPlace::File,
        })
}

fn open(sealed: &[u8], passphrase: &Passphrase, text: &mut String) -> Result<(), DecryptError> {
    let mut identity = Identity::new(passphrase.for_age());
    identity.set_max_work_factor(LARGEST_WORK_FACTOR);
    let decryptor = Decryptor::new(sealed)?;
    let identity: &dyn age::Identity = &identity;
    decryptor
        .decrypt(std::iter::once(identity))?
        .read_to_string(text)?;
    Ok(())
}

/// Writes the file, which must not exist, and opens it again to be sure.
pub(super) fn write(
    data: &Path,
    passphrase: &Passphrase,
    pair: &SecretPair,
) -> Result<(), KeysError> {
    let path = path(data);
    seal(passphrase, pair)
        .and_then(|sealed| write_file(&path, &sealed))
        .map_err(|source| KeysError::Io {
            path: path.clone(),
            source,
        })?;
    match read(data, passphrase)? {
        Some(kept) if kept == *pair => Ok(()),
        _ => Err(KeysError::Malformed {
            place: KeyPlace::File,
        }),
    }
}

fn seal(passphrase: &Passphrase, pair: &SecretPair) -> io::Result<Vec<u8>> {
    let mut recipient = Recipient::new(passphrase.for_age());
    recipient.set_work_factor(WORK_FACTOR);
    let recipient: &dyn age::Recipient = &recipient;
    let encryptor =
        Encryptor::with_recipients(std::iter::once(recipient)).map_err(io::Error::other)?;
    let mut sealed = Vec::new();
    let mut writer = encryptor.wrap_output(&mut sealed)?;
    writer.write_all(pair.to_text().as_bytes())?;
    writer.finish()?;
    Ok(sealed)
}
