//! What keeps the keys from being opened, in words that say what to do. No text here ever holds a secret.

use std::io;
use std::path::PathBuf;

use sublet_protocol::ids::RigId;

use super::KeyPlace;

/// Why there are no keys. Nothing was made or replaced.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// Nothing to keep keys in.
    #[error(
        "there is no safe place to keep this rig's keys: the system's keyring cannot be used ({keyring}), and \
         neither systemd credentials nor a passphrase were given. On a machine without a desktop, write a \
         passphrase into a file that only this user can read (mode 0600) and name it in \
         SUBLET_KEY_PASSPHRASE_FILE; under systemd, provide the credentials sublet-identity and sublet-payout"
    )]
    NoPlace {
        /// What the keyring said.
        keyring: String,
    },
    /// The keys exist, and their place does not give them.
    #[error(
        "this rig's keys are kept in {place}, and it does not give them: {detail}. No new keys were made, since \
         they would be another rig's with an empty wallet. Make that place available again (unlock the keyring, \
         restore the file or the credentials) and start sublet again"
    )]
    Unavailable {
        /// Where they are.
        place: KeyPlace,
        /// What happened.
        detail: String,
    },
    /// Somebody else's keys.
    #[error(
        "the keys in {place} belong to {found}, and this data folder belongs to {expected}; give it its own keys, \
         or use another data folder (--data)"
    )]
    OtherKeys {
        /// Where the wrong ones are.
        place: KeyPlace,
        /// Whose folder it is.
        expected: RigId,
        /// Whose keys they are.
        found: RigId,
    },
    /// What lies there is no key.
    #[error(
        "what lies in {place} is not a pair of keys; each is 64 hexadecimal digits. Restore it from a backup"
    )]
    Malformed {
        /// Where.
        place: KeyPlace,
    },
    /// One of the two.
    #[error(
        "only one of the systemd credentials sublet-identity and sublet-payout is there; provide both, or neither"
    )]
    HalfTheCredentials,
    /// The keys lie in an encrypted file, and no passphrase was named.
    #[error(
        "this rig's keys are in an encrypted file, and SUBLET_KEY_PASSPHRASE_FILE does not name the file with its \
         passphrase; set it and start sublet again"
    )]
    NoPassphrase,
    /// The passphrase file cannot be taken.
    #[error("the passphrase file {} was refused: {why}", .path.display())]
    PassphraseFile {
        /// Which.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// It does not open the file.
    #[error(
        "the passphrase does not open {}; put the one back that it was made with", .0.display()
    )]
    WrongPassphrase(PathBuf),
    /// The keyring refused to keep them.
    #[error("the system's keyring did not take the keys: {0}")]
    NotKept(String),
    /// The system gave no random numbers.
    #[error("the system gave no random numbers to make a key from: {0}")]
    NoRandom(String),
    /// The note or the file could not be read or written.
    #[error("{} could not be read or written: {source}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The note is not one.
    #[error(
        "{} is damaged, so it is not known where this rig's keys are; restore it from a backup", .0.display()
    )]
    DamagedNote(PathBuf),
}
