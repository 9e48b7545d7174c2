//! The rig's identity: an Ed25519 key, and signatures that say what they are for.
//!
//! Every signature is over `"sublet/" purpose "/v1" 0x00` followed by each part with its length in front
//! (u32, big endian), so no signature can be read as another message.

use crate::ids::RigId;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

/// A rig's public key, 32 bytes, as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String)]
pub struct RigKey([u8; 32]);

/// An Ed25519 signature, 64 bytes, as 128 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String)]
pub struct RigSignature([u8; 64]);

/// Why a key or signature does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is not so many hexadecimal digits.
    #[error("a {what} is {digits} hexadecimal digits")]
    NotHex {
        /// Which.
        what: &'static str,
        /// How many digits it takes.
        digits: usize,
    },
    /// The bytes are not a point on the curve.
    #[error("this is not an Ed25519 public key")]
    NotAKey,
    /// The signature is not of this key over these bytes.
    #[error("the signature does not belong to this key and message")]
    BadSignature,
}

fn hex_bytes<const N: usize>(what: &'static str, text: &str) -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| KeyError::NotHex {
        what,
        digits: 2 * N,
    })?;
    Ok(bytes)
}

impl RigKey {
    /// The public half of a signing key.
    pub fn of(key: &SigningKey) -> Self {
        Self(key.verifying_key().to_bytes())
    }

    /// The bare bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Checks a signature strictly (no small-order keys, no malleable forms).
    pub fn verify(
        &self,
        purpose: &str,
        parts: &[&[u8]],
        signature: &RigSignature,
    ) -> Result<(), KeyError> {
        let key = VerifyingKey::from_bytes(&self.0).map_err(|_| KeyError::NotAKey)?;
        key.verify_strict(
            &message(purpose, parts),
            &Signature::from_bytes(&signature.0),
        )
        .map_err(|_| KeyError::BadSignature)
    }
}

impl TryFrom<String> for RigKey {
    type Error = KeyError;
    fn try_from(text: String) -> Result<Self, KeyError> {
        hex_bytes("rig key", &text).map(Self)
    }
}

impl From<RigKey> for String {
    fn from(key: RigKey) -> String {
        hex::encode(key.0)
    }
}

impl TryFrom<String> for RigSignature {
    type Error = KeyError;
    fn try_from(text: String) -> Result<Self, KeyError> {
        hex_bytes("signature", &text).map(Self)
    }
}

impl From<RigSignature> for String {
    fn from(signature: RigSignature) -> String {
        hex::encode(signature.0)
    }
}

/// A rig's id: `rig-` and the first 16 bytes of its key's sha2-256, so nobody can take another's.
pub fn rig_id(key: &RigKey) -> RigId {
    let digest = Sha256::digest(key.0);
    match RigId::new(format!("rig-{}", hex::encode(&digest[..16]))) {
        Ok(id) => id,
        Err(_) => unreachable!("hexadecimal digits make an id"),
    }
}

/// Signs `parts` for one purpose.
pub fn sign(key: &SigningKey, purpose: &str, parts: &[&[u8]]) -> RigSignature {
    RigSignature(key.sign(&message(purpose, parts)).to_bytes())
}

fn message(purpose: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut message = format!("sublet/{purpose}/v1\0").into_bytes();
    for part in parts {
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        message.extend_from_slice(&length.to_be_bytes());
        message.extend_from_slice(part);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_purpose_and_parts_alone() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let public = RigKey::of(&key);
        let signed = sign(&key, "usage", &[b"ab", b"c"]);
        assert_eq!(public.verify("usage", &[b"ab", b"c"], &signed), Ok(()));
        for (purpose, parts) in [
            ("session", [b"ab".as_slice(), b"c"]),
            ("usage", [b"a", b"bc"]),
            ("usage", [b"ab", b"d"]),
        ] {
            assert_eq!(
                public.verify(purpose, &parts, &signed),
                Err(KeyError::BadSignature)
            );
        }
        let other = RigKey::of(&SigningKey::from_bytes(&[8; 32]));
        assert_eq!(
            other.verify("usage", &[b"ab", b"c"], &signed),
            Err(KeyError::BadSignature)
        );
        assert_ne!(rig_id(&public), rig_id(&other));
    }
}
