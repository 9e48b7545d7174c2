//! Vouchers: the marketplace's signed promise of everything it owes a rig so far.
//!
//! An EIP-712 `Voucher(bytes32 channelId, uint128 maxClaimableAmount)`, as in x402's batch settlement, so the
//! highest one is both a proof that needs nobody's help and something a chain can redeem. Amounts are micro-USD,
//! which are also the base units of a six-decimal dollar token. Signatures with a high `s` are refused, since
//! each would have a twin; nothing is ever keyed on signature bytes.

use crate::keys::RigKey;
use crate::money::MicroUsd;
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_sol_types::{Eip712Domain, SolStruct, sol};
use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

sol! {
    struct Voucher {
        bytes32 channelId;
        uint128 maxClaimableAmount;
    }
}

/// Where vouchers hold: bound into each signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VoucherDomain {
    /// EIP-712 `name`.
    pub name: String,
    /// EIP-712 `version`.
    pub version: String,
    /// The chain that can redeem.
    pub chain_id: u64,
    /// The contract that can redeem, `0x` and 40 hexadecimal digits.
    pub contract: String,
}

/// One payer and one payee for good. The id is keccak-256 over (`sublet/channel/v1`, payer, rig key).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Channel {
    /// `0x` and 64 hexadecimal digits.
    pub id: String,
    /// The payer's address: `0x` and 40 hexadecimal digits. Its key signs the vouchers.
    pub payer: String,
    /// What the signatures are bound to.
    pub domain: VoucherDomain,
}

/// A voucher with its signature. Cumulative: a higher one replaces every lower one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedVoucher {
    /// The channel's id.
    pub channel: String,
    /// All that the rig may claim, since the channel began.
    pub amount: MicroUsd,
    /// 65 bytes r‖s‖v, as `0x` and 130 hexadecimal digits; v is 27 or 28.
    pub signature: String,
}

/// Why a voucher is worth nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VoucherError {
    /// A field is not the hexadecimal it should be.
    #[error("the voucher's {0} is not what it should be: hexadecimal digits after 0x")]
    Malformed(&'static str),
    /// Another channel's voucher.
    #[error("the voucher is for channel {found}, not for {expected}")]
    OtherChannel {
        /// Ours.
        expected: String,
        /// The voucher's.
        found: String,
    },
    /// The channel's id does not follow from payer and rig.
    #[error(
        "the marketplace's channel id does not follow from its payer address and this rig's key"
    )]
    WrongChannelId,
    /// `s` is above half the curve's order.
    #[error("the voucher's signature is in its malleable form (high s)")]
    HighS,
    /// Signed by somebody else, or over something else.
    #[error("the voucher was not signed by the channel's payer {payer}")]
    WrongSigner {
        /// Who should have.
        payer: String,
    },
    /// Less than the last one.
    #[error("the voucher promises {found}, less than the {held} already held")]
    Lower {
        /// What we hold.
        held: MicroUsd,
        /// What came.
        found: MicroUsd,
    },
}

/// The address of a voucher key: the last 20 bytes of keccak-256 of its public point.
pub fn address(key: &SigningKey) -> String {
    address_of(key.verifying_key()).to_string().to_lowercase()
}

fn address_of(key: &VerifyingKey) -> Address {
    let point = key.to_sec1_point(false);
    let hash = keccak256(&point.as_bytes()[1..]);
    Address::from_slice(&hash[12..])
}

fn channel_id(payer: &Address, rig: &RigKey) -> B256 {
    let mut bytes = b"sublet/channel/v1".to_vec();
    bytes.extend_from_slice(payer.as_slice());
    bytes.extend_from_slice(rig.as_bytes());
    keccak256(bytes)
}

impl Channel {
    /// The channel between a payer's key and a rig.
    pub fn between(payer: &SigningKey, rig: &RigKey, domain: VoucherDomain) -> Self {
        let payer = address_of(payer.verifying_key());
        Self {
            id: channel_id(&payer, rig).to_string(),
            payer: payer.to_string().to_lowercase(),
            domain,
        }
    }

    /// Checks that the id follows from payer and rig, and that the domain can be hashed.
    pub fn check(&self, rig: &RigKey) -> Result<(), VoucherError> {
        let payer: Address = self
            .payer
            .parse()
            .map_err(|_| VoucherError::Malformed("payer"))?;
        self.eip712()?;
        if channel_id(&payer, rig).to_string() == self.id {
            Ok(())
        } else {
            Err(VoucherError::WrongChannelId)
        }
    }

    fn eip712(&self) -> Result<Eip712Domain, VoucherError> {
        let contract = self
            .domain
            .contract
            .parse()
            .map_err(|_| VoucherError::Malformed("contract"))?;
        Ok(Eip712Domain::new(
            Some(self.domain.name.clone().into()),
            Some(self.domain.version.clone().into()),
            Some(U256::from(self.domain.chain_id)),
            Some(contract),
            None,
        ))
    }

    fn hash(&self, amount: MicroUsd) -> Result<B256, VoucherError> {
        let channel: B256 = self
            .id
            .parse()
            .map_err(|_| VoucherError::Malformed("channel"))?;
        let voucher = Voucher {
            channelId: channel,
            maxClaimableAmount: u128::from(amount.0),
        };
        Ok(voucher.eip712_signing_hash(&self.eip712()?))
    }

    /// Signs a promise of `amount` in all.
    pub fn sign(
        &self,
        payer: &SigningKey,
        amount: MicroUsd,
    ) -> Result<SignedVoucher, VoucherError> {
        let hash = self.hash(amount)?;
        let (signature, recovery) = payer.sign_prehash_recoverable(hash.as_slice());
        let mut bytes = signature.to_bytes().to_vec();
        bytes.push(27 + recovery.to_byte());
        Ok(SignedVoucher {
            channel: self.id.clone(),
            amount,
            signature: format!("0x{}", hex::encode(bytes)),
        })
    }

    /// Checks a voucher for this channel against the amount already held.
    pub fn verify(&self, voucher: &SignedVoucher, held: MicroUsd) -> Result<(), VoucherError> {
        if voucher.channel != self.id {
            return Err(VoucherError::OtherChannel {
                expected: self.id.clone(),
                found: voucher.channel.clone(),
            });
        }
        let malformed = VoucherError::Malformed("signature");
        let mut bytes = [0u8; 65];
        let digits = voucher
            .signature
            .strip_prefix("0x")
            .ok_or(malformed.clone())?;
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| malformed.clone())?;
        let signature = Signature::from_slice(&bytes[..64]).map_err(|_| malformed.clone())?;
        if signature.normalize_s() != signature {
            return Err(VoucherError::HighS);
        }
        let recovery = bytes[64]
            .checked_sub(27)
            .and_then(RecoveryId::from_byte)
            .ok_or(malformed)?;
        let wrong = VoucherError::WrongSigner {
            payer: self.payer.clone(),
        };
        let hash = self.hash(voucher.amount)?;
        let signer = VerifyingKey::recover_from_prehash(hash.as_slice(), &signature, recovery)
            .map_err(|_| wrong.clone())?;
        if address_of(&signer).to_string().to_lowercase() != self.payer {
            return Err(wrong);
        }
        if voucher.amount < held {
            return Err(VoucherError::Lower {
                held,
                found: voucher.amount,
            });
        }
        Ok(())
    }
}

/// What one lease adds to the channel, as the marketplace reckons it. The wallet reckons for itself and compares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VoucherLine {
    /// The lease.
    pub lease: crate::ids::LeaseId,
    /// Running time that is paid, in ms.
    pub paid_ms: u64,
    /// Price times time.
    pub gross: MicroUsd,
    /// The marketplace's share of it.
    pub fee: MicroUsd,
    /// The rest, which is the rig's.
    pub net: MicroUsd,
    /// No more will follow for this lease.
    pub last: bool,
}

/// A voucher and what it is made of: the lines that changed since the last one that this rig acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VoucherStatement {
    /// The promise.
    pub voucher: SignedVoucher,
    /// Cumulative figures of each lease that is open or was closed since the last acknowledged statement.
    pub lines: Vec<VoucherLine>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payer(seed: u8) -> SigningKey {
        SigningKey::from_slice(&[seed; 32]).unwrap()
    }

    fn channel(seed: u8) -> Channel {
        let rig = RigKey::of(&ed25519_dalek::SigningKey::from_bytes(&[9; 32]));
        let domain = VoucherDomain {
            name: "Sublet".into(),
            version: "1".into(),
            chain_id: 31337,
            contract: "0x00000000000000000000000000000000000000aa".into(),
        };
        Channel::between(&payer(seed), &rig, domain)
    }

    #[test]
    fn the_address_of_a_known_key_is_the_known_one() {
        // The first well-known development account of Ethereum test nodes.
        let bytes = hex::decode("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
            .unwrap();
        let key = SigningKey::from_slice(&bytes).unwrap();
        assert_eq!(address(&key), "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266");
    }

    #[test]
    fn a_voucher_holds_for_its_channel_amount_and_payer_alone() {
        let ours = channel(1);
        let signed = ours.sign(&payer(1), MicroUsd(5)).unwrap();
        assert_eq!(ours.verify(&signed, MicroUsd(5)), Ok(()));
        assert!(matches!(
            ours.verify(&signed, MicroUsd(6)),
            Err(VoucherError::Lower { .. })
        ));

        let more = SignedVoucher {
            amount: MicroUsd(6),
            ..signed.clone()
        };
        assert!(matches!(
            ours.verify(&more, MicroUsd::ZERO),
            Err(VoucherError::WrongSigner { .. })
        ));
        assert!(matches!(
            channel(2).verify(&signed, MicroUsd::ZERO),
            Err(VoucherError::OtherChannel { .. })
        ));
        let forged = ours.sign(&payer(2), MicroUsd(5)).unwrap();
        assert!(matches!(
            ours.verify(&forged, MicroUsd::ZERO),
            Err(VoucherError::WrongSigner { .. })
        ));

        let mut elsewhere = ours.clone();
        elsewhere.domain.chain_id = 1;
        assert!(matches!(
            elsewhere.verify(&signed, MicroUsd::ZERO),
            Err(VoucherError::WrongSigner { .. })
        ));
        for garbage in ["", "0x", "0xzz", &signed.signature[..130]] {
            let broken = SignedVoucher {
                signature: garbage.into(),
                ..signed.clone()
            };
            assert!(matches!(
                ours.verify(&broken, MicroUsd::ZERO),
                Err(VoucherError::Malformed(_))
            ));
        }
    }

    #[test]
    fn the_malleable_twin_of_a_signature_is_refused() {
        let ours = channel(1);
        let signed = ours.sign(&payer(1), MicroUsd(5)).unwrap();
        let mut bytes = hex::decode(&signed.signature[2..]).unwrap();
        let low = Signature::from_slice(&bytes[..64]).unwrap();
        let high = Signature::from_scalars(low.r(), -*low.s()).unwrap();
        bytes[..64].copy_from_slice(&high.to_bytes());
        bytes[64] = 55 - bytes[64];
        let twin = SignedVoucher {
            signature: format!("0x{}", hex::encode(bytes)),
            ..signed
        };
        assert_eq!(ours.verify(&twin, MicroUsd::ZERO), Err(VoucherError::HighS));
    }

    #[test]
    fn a_channel_of_another_rig_is_found_out() {
        let other = RigKey::of(&ed25519_dalek::SigningKey::from_bytes(&[10; 32]));
        assert_eq!(channel(1).check(&other), Err(VoucherError::WrongChannelId));
    }
}
