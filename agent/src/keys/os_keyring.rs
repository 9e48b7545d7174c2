//! The system's keyring: the Secret Service on Linux, the Credential Manager on Windows.
//!
//! A keyring can be there and yet unusable (no collection, locked), and then says "no such entry" to a read; only
//! a write tells. Each request runs on a thread of its own with a time limit, since a locked keyring asks its
//! owner and waits.

use std::sync::mpsc;
use std::time::Duration;

use keyring::{Entry, Error};
use zeroize::Zeroizing;

use super::secret::SecretPair;
use super::{KeyPlace, KeysError};

const SERVICE: &str = "sublet";
/// Long enough for a person to unlock it, short enough for a service's start.
const LIMIT: Duration = Duration::from_secs(30);

/// Writes, reads and deletes an entry of no value; why not, in words.
pub(super) fn usable() -> Result<(), String> {
    within_limit(|| {
        let probe = format!("probe-{}", std::process::id());
        let entry = Entry::new(SERVICE, &probe).map_err(|error| said(&error))?;
        entry.set_password(&probe).map_err(|error| said(&error))?;
        let back = entry.get_password().map_err(|error| said(&error));
        entry.delete_credential().map_err(|error| said(&error))?;
        if back? == probe {
            Ok(())
        } else {
            Err("it gave back something other than what was put in".into())
        }
    })
}

/// `None` where a keyring that works has no such entry.
pub(super) fn read(name: &str) -> Result<Option<SecretPair>, KeysError> {
    let unavailable = |detail| KeysError::Unavailable {
        place: KeyPlace::Keyring,
        detail,
    };
    let name = name.to_owned();
    let found = within_limit(move || {
        let entry = Entry::new(SERVICE, &name).map_err(|error| said(&error))?;
        match entry.get_password() {
            Ok(text) => Ok(Some(Zeroizing::new(text))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(said(&error)),
        }
    })
    .map_err(unavailable)?;
    match found {
        Some(text) => SecretPair::from_text(&text)
            .map(Some)
            .ok_or(KeysError::Malformed {
                place: KeyPlace::Keyring,
            }),
        None => usable().map(|()| None).map_err(unavailable),
    }
}

/// Keeps the keys and reads them back to be sure.
pub(super) fn write(name: &str, pair: &SecretPair) -> Result<(), KeysError> {
    let text = pair.to_text();
    let entry_name = name.to_owned();
    within_limit(move || {
        Entry::new(SERVICE, &entry_name)
            .and_then(|entry| entry.set_password(&text))
            .map_err(|error| said(&error))
    })
    .map_err(KeysError::NotKept)?;
    match read(name)? {
        Some(kept) if kept == *pair => Ok(()),
        _ => Err(KeysError::NotKept(
            "it gave back something other than what was put in".into(),
        )),
    }
}

/// A thread that hangs in a keyring's prompt is left behind: the caller stops with an error, and it with it.
fn within_limit<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let (answer, answered) = mpsc::channel();
    std::thread::Builder::new()
        .name("keyring".into())
        .spawn(move || answer.send(ask()))
        .map_err(|error| error.to_string())?;
    match answered.recv_timeout(LIMIT) {
        Ok(answer) => answer,
        Err(mpsc::RecvTimeoutError::Timeout) => {
            Err(format!("it did not answer within {} s", LIMIT.as_secs()))
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => Err("the request crashed".into()),
    }
}

/// In words. Some of these errors carry what was read; that part is never shown.
fn said(error: &Error) -> String {
    match error {
        Error::NoDefaultStore => match Entry::store_status() {
            Err(Error::PlatformFailure(why) | Error::NoStorageAccess(why)) => {
                format!("no keyring service answers: {why}")
            }
            _ => "no keyring service answers".into(),
        },
        Error::PlatformFailure(why) => format!("it failed: {why}"),
        Error::NoStorageAccess(why) => format!("it is locked or has no collection: {why}"),
        Error::NoEntry => "it has no such entry".into(),
        Error::Ambiguous(_) => "it has several entries under one name".into(),
        Error::BadEncoding(_) | Error::BadDataFormat(..) | Error::BadStoreFormat(_) => {
            "what it keeps is not text".into()
        }
        Error::TooLong(..) | Error::Invalid(..) | Error::NotSupportedByStore(_) => {
            "it does not take such an entry".into()
        }
        _ => "it failed in a way that is not known here".into(),
    }
}
