//! The two secrets while they are in memory: neither printed nor serialized, and wiped when dropped.

use ed25519_dalek::SigningKey;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::KeysError;

/// Identity and payout secret, 32 bytes each.
#[derive(Zeroize, ZeroizeOnDrop, PartialEq, Eq)]
pub(super) struct SecretPair {
    identity: [u8; 32],
    payout: [u8; 32],
}

/// Says nothing.
impl std::fmt::Debug for SecretPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretPair(..)")
    }
}

impl SecretPair {
    /// New ones, from the system's random numbers.
    pub(super) fn fresh() -> Result<Self, KeysError> {
        let mut pair = Self {
            identity: [0; 32],
            payout: [0; 32],
        };
        let random = |bytes: &mut [u8; 32]| {
            getrandom::fill(bytes).map_err(|error| KeysError::NoRandom(error.to_string()))
        };
        random(&mut pair.identity)?;
        random(&mut pair.payout)?;
        while pair.payout().is_none() {
            // One number in 2^128 is not a key on this curve.
            random(&mut pair.payout)?;
        }
        Ok(pair)
    }

    /// From two texts of 64 hexadecimal digits, white space around them ignored.
    pub(super) fn from_hex(identity: &str, payout: &str) -> Option<Self> {
        let mut pair = Self {
            identity: [0; 32],
            payout: [0; 32],
        };
        hex::decode_to_slice(identity.trim(), &mut pair.identity).ok()?;
        hex::decode_to_slice(payout.trim(), &mut pair.payout).ok()?;
        pair.payout().map(drop)?;
        Some(pair)
    }

    /// From what [`Self::to_text`] wrote.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let (identity, payout) = text.trim().split_once('\n')?;
        Self::from_hex(identity, payout)
    }

    /// Two lines of hexadecimal digits, for a place that keeps secrets.
    pub(super) fn to_text(&self) -> Zeroizing<String> {
        let identity = Zeroizing::new(hex::encode(self.identity));
        let payout = Zeroizing::new(hex::encode(self.payout));
        Zeroizing::new([identity.as_str(), "\n", payout.as_str(), "\n"].concat())
    }

    pub(super) fn identity(&self) -> SigningKey {
        SigningKey::from_bytes(&self.identity)
    }

    /// `None` where the number is not a key on the curve.
    pub(super) fn payout(&self) -> Option<k256::ecdsa::SigningKey> {
        k256::ecdsa::SigningKey::from_slice(&self.payout).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_survives_its_text_and_prints_nothing() {
        let pair = SecretPair::fresh().unwrap();
        let text = pair.to_text();
        assert_eq!(SecretPair::from_text(&text).unwrap(), pair);
        assert_eq!(format!("{pair:?}"), "SecretPair(..)");
        assert_ne!(pair, SecretPair::fresh().unwrap());
    }

    #[test]
    fn what_is_not_two_keys_is_refused() {
        let one = "11".repeat(32);
        for (identity, payout) in [
            ("", ""),
            (&one, ""),
            (&one, &one[2..]),
            (&one, &"zz".repeat(32)),
            // Zero, and a number above the curve's order, are not keys.
            (&one, &"00".repeat(32)),
            (&one, &"ff".repeat(32)),
        ] {
            assert!(SecretPair::from_hex(identity, payout).is_none());
        }
        assert!(SecretPair::from_hex(&format!(" {one}\n"), &one).is_some());
    }
}
