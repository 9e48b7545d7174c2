//! The rig's two keys: the identity that signs what the rig says (Ed25519), and the payout key whose address a
//! chain would pay to (secp256k1).
//!
//! They are kept in the first place that works: systemd credentials, the system's keyring, or a file encrypted
//! with a passphrase. Once they exist somewhere, a note in the data folder names that place and the public
//! halves, and no other keys are ever made or taken in their stead: a place that does not answer is an error that
//! needs the owner, since a new identity would be a stranger with an empty wallet.

mod credentials;
mod error;
mod note;
mod os_keyring;
mod passphrase;
mod sealed_file;
mod secret;
#[cfg(test)]
mod tests;

pub use error::KeysError;
pub use note::KeyPlace;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use sublet_protocol::ids::RigId;
use sublet_protocol::keys::{RigKey, rig_id};

use note::Note;
use secret::SecretPair;

/// Where keys may be looked for, apart from the data folder.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The folder of systemd credentials, with `sublet-identity` and `sublet-payout` in it.
    pub credentials: Option<PathBuf>,
    /// The system's keyring may be asked.
    pub keyring: bool,
    /// The file that holds the passphrase for `keys.age` in the data folder.
    pub passphrase_file: Option<PathBuf>,
}

impl Surroundings {
    /// As the environment says: `CREDENTIALS_DIRECTORY`, `SUBLET_KEYRING` (`off` leaves the keyring alone) and
    /// `SUBLET_KEY_PASSPHRASE_FILE`.
    pub fn from_environment() -> Self {
        let path = |name| {
            std::env::var_os(name)
                .filter(|value: &OsString| !value.is_empty())
                .map(PathBuf::from)
        };
        Self {
            credentials: path("CREDENTIALS_DIRECTORY"),
            keyring: std::env::var_os("SUBLET_KEYRING").is_none_or(|value| value != "off"),
            passphrase_file: path("SUBLET_KEY_PASSPHRASE_FILE"),
        }
    }
}

/// The keys of this rig, opened. The payout key itself stays where it is kept until something is redeemed.
pub struct Keys {
    identity: SigningKey,
    /// The identity's public half.
    pub rig_key: RigKey,
    /// What the marketplace knows this rig by.
    pub rig_id: RigId,
    /// The payout key's address, `0x` and 40 hexadecimal digits.
    pub payout_address: String,
    /// Where the keys are kept.
    pub kept_in: KeyPlace,
}

/// Without the key.
impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("rig_id", &self.rig_id)
            .field("kept_in", &self.kept_in)
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// Opens the keys of the data folder, or makes them on its first start. Blocks, at worst for half a minute
    /// while a keyring asks its owner; call it outside async code, with the store open (its lock keeps two agents
    /// from making keys at once).
    ///
    /// # Errors
    /// [`KeysError`]; nothing was made or replaced then.
    pub fn load(data: &Path, surroundings: &Surroundings) -> Result<Self, KeysError> {
        let note = Note::read(data)?;
        let (place, pair) = match &note {
            Some(note) => reopen(data, surroundings, note)?,
            None => first_start(data, surroundings)?,
        };
        let keys = Self::of(place, &pair)?;
        match &note {
            Some(note) if note.rig_key != keys.rig_key => Err(KeysError::OtherKeys {
                place,
                expected: rig_id(&note.rig_key),
                found: keys.rig_id,
            }),
            Some(note) if note.place == place => Ok(keys),
            _ => {
                Note::of(data, &keys, note.as_ref()).write(data)?;
                Ok(keys)
            }
        }
    }

    /// Signs heartbeats, usage and sessions.
    pub fn identity(&self) -> &SigningKey {
        &self.identity
    }

    fn of(place: KeyPlace, pair: &SecretPair) -> Result<Self, KeysError> {
        let identity = pair.identity();
        let rig_key = RigKey::of(&identity);
        let payout = pair.payout().ok_or(KeysError::Malformed { place })?;
        Ok(Self {
            rig_id: rig_id(&rig_key),
            rig_key,
            payout_address: sublet_protocol::voucher::address(&payout),
            identity,
            kept_in: place,
        })
    }
}

/// Keys exist: take them from where the note says, or from credentials, which the owner put there on purpose.
fn reopen(
    data: &Path,
    surroundings: &Surroundings,
    note: &Note,
) -> Result<(KeyPlace, SecretPair), KeysError> {
    if let Some(pair) = credentials::read(surroundings)? {
        return Ok((KeyPlace::Credentials, pair));
    }
    let pair = match note.place {
        KeyPlace::Credentials => Err(KeysError::Unavailable {
            place: note.place,
            detail: "the service has no credentials now".into(),
        }),
        KeyPlace::Keyring if !surroundings.keyring => Err(KeysError::Unavailable {
            place: note.place,
            detail: "SUBLET_KEYRING=off forbids asking it".into(),
        }),
        KeyPlace::Keyring => os_keyring::read(&note.entry)?.ok_or(KeysError::Unavailable {
            place: note.place,
            detail: format!("its entry {} is gone", note.entry),
        }),
        KeyPlace::File => {
            sealed_file::read(data, &passphrase::of(surroundings)?)?.ok_or(KeysError::Unavailable {
                place: note.place,
                detail: format!("{} is gone", sealed_file::path(data).display()),
            })
        }
    }?;
    Ok((note.place, pair))
}

/// No note: the first start, or one that was cut short before the note was written. Keys that already lie in a
/// place are taken, never overwritten.
fn first_start(
    data: &Path,
    surroundings: &Surroundings,
) -> Result<(KeyPlace, SecretPair), KeysError> {
    if let Some(pair) = credentials::read(surroundings)? {
        return Ok((KeyPlace::Credentials, pair));
    }
    if sealed_file::path(data).exists() {
        let found = sealed_file::read(data, &passphrase::of(surroundings)?)?;
        return found
            .map(|pair| (KeyPlace::File, pair))
            .ok_or_else(|| KeysError::Unavailable {
                place: KeyPlace::File,
                detail: "it vanished".into(),
            });
    }
    let keyring = if surroundings.keyring {
        let entry = note::entry_name(data);
        match os_keyring::usable() {
            Ok(()) => {
                if let Some(pair) = os_keyring::read(&entry)? {
                    return Ok((KeyPlace::Keyring, pair));
                }
                let pair = SecretPair::fresh()?;
                os_keyring::write(&entry, &pair)?;
                return Ok((KeyPlace::Keyring, pair));
            }
            Err(why) => why,
        }
    } else {
        "SUBLET_KEYRING=off forbids asking it".to_owned()
    };
    if surroundings.passphrase_file.is_none() {
        return Err(KeysError::NoPlace { keyring });
    }
    let passphrase = passphrase::of(surroundings)?;
    let pair = SecretPair::fresh()?;
    sealed_file::write(data, &passphrase, &pair)?;
    Ok((KeyPlace::File, pair))
}
