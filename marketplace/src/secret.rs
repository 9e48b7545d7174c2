//! Tokens: made from the system's randomness, stored as hashes, compared in constant time, never printed.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the system gave no random bytes: {0}")]
pub struct NoRandomness(getrandom::Error);

/// `N` random bytes as hexadecimal digits.
///
/// # Errors
/// The system has none to give.
pub fn random_hex<const N: usize>() -> Result<String, NoRandomness> {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(hex::encode(bytes))
}

impl From<NoRandomness> for crate::fault::Fault {
    fn from(error: NoRandomness) -> Self {
        Self::File {
            doing: "making a token".into(),
            source: std::io::Error::other(error),
        }
    }
}

/// A bearer token. It can be read for the one who gets it, and neither printed nor serialized.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// Takes a text as a token.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// `prefix.` and 32 random bytes.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn new(prefix: &str) -> Result<Self, NoRandomness> {
        Ok(Self::from_text(format!("{prefix}.{}", random_hex::<32>()?)))
    }

    /// The text, for the one who gets it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored of it. The token is 32 random bytes, so a plain hash is enough.
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.0.as_bytes()))
    }

    /// Whether `text` is this token, in a time that does not depend on where they differ.
    pub fn matches(&self, text: &str) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), text.as_bytes());
        ours.len() == theirs.len()
            && ours
                .iter()
                .zip(theirs)
                .fold(0u8, |difference, (a, b)| difference | (a ^ b))
                == 0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}
