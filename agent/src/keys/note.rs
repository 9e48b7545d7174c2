//! The note in the data folder: where the keys are, and whose they are. It holds nothing secret.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sublet_protocol::keys::RigKey;

use super::{Keys, KeysError};
use crate::store::durable::write_file;

/// A place that keeps secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPlace {
    /// Credentials that systemd hands to the service.
    Credentials,
    /// The Secret Service on Linux, the Credential Manager on Windows.
    Keyring,
    /// `keys.age` in the data folder.
    File,
}

impl std::fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Credentials => "systemd's credentials",
            Self::Keyring => "the system's keyring",
            Self::File => "an encrypted file (keys.age in the data folder)",
        })
    }
}

/// What the data folder remembers of its keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) place: KeyPlace,
    /// The keyring entry's name; it stays when the folder moves.
    pub(super) entry: String,
    pub(super) rig_key: RigKey,
    pub(super) payout_address: String,
}

impl Note {
    pub(super) fn of(data: &Path, keys: &Keys, before: Option<&Self>) -> Self {
        Self {
            place: keys.kept_in,
            entry: before.map_or_else(|| entry_name(data), |note| note.entry.clone()),
            rig_key: keys.rig_key,
            payout_address: keys.payout_address.clone(),
        }
    }

    /// `None` on the first start. One that does not parse is an error, not a first start.
    pub(super) fn read(data: &Path) -> Result<Option<Self>, KeysError> {
        let path = path(data);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|_| KeysError::DamagedNote(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(KeysError::Io { path, source }),
        }
    }

    pub(super) fn write(&self, data: &Path) -> Result<(), KeysError> {
        let path = path(data);
        serde_json::to_vec_pretty(self)
            .map_err(io::Error::from)
            .and_then(|json| write_file(&path, &json))
            .map_err(|source| KeysError::Io { path, source })
    }
}

fn path(data: &Path) -> PathBuf {
    data.join("keys.json")
}

/// Two agents on one machine have two folders, and so two entries.
pub(super) fn entry_name(data: &Path) -> String {
    let place = data.canonicalize().unwrap_or_else(|_| data.to_owned());
    let digest = Sha256::digest(place.as_os_str().as_encoded_bytes());
    format!("keys-{}", hex::encode(&digest[..8]))
}
