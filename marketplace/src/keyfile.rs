//! Files that hold a secret: made once, readable by their owner alone, never printed.

use k256::ecdsa::SigningKey;
use std::io::Write;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Why a secret file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Not readable, or not writable.
    #[error("{path} cannot be read or written: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not a key.
    #[error(
        "{path} does not hold 64 hexadecimal digits of a secp256k1 key. Put the right file back: vouchers signed with another key are worth nothing to rigs that know this one"
    )]
    NotAKey {
        /// Which.
        path: PathBuf,
    },
    /// Others may read it.
    #[error(
        "{path} can be read by others (mode {mode:o}). Run `chmod 600 {path}`, and consider whether somebody has read it"
    )]
    TooOpen {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// No randomness.
    #[error(transparent)]
    NoRandomness(#[from] crate::secret::NoRandomness),
}

/// The marketplace's voucher key: read, or made on the first run.
///
/// # Errors
/// See [`KeyFileError`].
pub fn voucher_key(path: &Path) -> Result<SigningKey, KeyFileError> {
    let failed = |source| KeyFileError::File {
        path: path.to_owned(),
        source,
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => {
            check_mode(path)?;
            Zeroizing::new(text)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // All but a vanishing few of 2^256 numbers are keys; the loop is for those.
            loop {
                let text = Zeroizing::new(crate::secret::random_hex::<32>()?);
                if parse(&text).is_some() {
                    write_new(path, &text).map_err(failed)?;
                    break text;
                }
            }
        }
        Err(error) => return Err(failed(error)),
    };
    parse(&text).ok_or_else(|| KeyFileError::NotAKey {
        path: path.to_owned(),
    })
}

fn parse(text: &str) -> Option<SigningKey> {
    let mut bytes = Zeroizing::new([0u8; 32]);
    hex::decode_to_slice(text.trim(), bytes.as_mut_slice()).ok()?;
    SigningKey::from_slice(bytes.as_slice()).ok()
}

#[cfg(unix)]
fn check_mode(path: &Path) -> Result<(), KeyFileError> {
    use std::os::unix::fs::PermissionsExt;
    let meta = std::fs::metadata(path).map_err(|source| KeyFileError::File {
        path: path.to_owned(),
        source,
    })?;
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(KeyFileError::TooOpen {
            path: path.to_owned(),
            mode,
        })
    }
}

/// On Windows the folder's access list is inherited; a user's profile folder is the user's own.
#[cfg(windows)]
fn check_mode(_: &Path) -> Result<(), KeyFileError> {
    Ok(())
}

/// Writes a secret into a file that only its owner may read: whole, or not at all. An existing one is replaced.
///
/// # Errors
/// What the system said.
pub fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    // Such files are made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_kept_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("voucher.key");
        let first = voucher_key(&path).unwrap();
        assert_eq!(voucher_key(&path).unwrap(), first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let set = |mode| {
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            };
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            set(0o644);
            assert!(matches!(
                voucher_key(&path),
                Err(KeyFileError::TooOpen { .. })
            ));
            set(0o600);
        }
        std::fs::write(&path, "not a key").unwrap();
        assert!(matches!(
            voucher_key(&path),
            Err(KeyFileError::NotAKey { .. })
        ));
    }
}
