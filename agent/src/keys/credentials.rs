//! Keys that systemd hands to the service (`LoadCredentialEncrypted=`), each as 64 hexadecimal digits.

use std::io;
use std::path::Path;

use zeroize::Zeroizing;

use super::secret::SecretPair;
use super::{KeyPlace, KeysError, Surroundings};

/// `None` where the service was given neither.
pub(super) fn read(surroundings: &Surroundings) -> Result<Option<SecretPair>, KeysError> {
    let Some(folder) = &surroundings.credentials else {
        return Ok(None);
    };
    let identity = one(&folder.join("sublet-identity"))?;
    let payout = one(&folder.join("sublet-payout"))?;
    match (identity, payout) {
        (None, None) => Ok(None),
        (Some(identity), Some(payout)) => {
            SecretPair::from_hex(&identity, &payout)
                .map(Some)
                .ok_or(KeysError::Malformed {
                    place: KeyPlace::Credentials,
                })
        }
        _ => Err(KeysError::HalfTheCredentials),
    }
}

fn one(path: &Path) -> Result<Option<Zeroizing<String>>, KeysError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(Zeroizing::new(text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(KeysError::Io {
            path: path.to_owned(),
            source,
        }),
    }
}
