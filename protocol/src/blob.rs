//! Content by its hash: CIDv1, raw codec, sha2-256, as `bafkrei…`. Inputs and outputs of jobs.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

const RAW: u64 = 0x55;
const SHA2_256: u64 = 0x12;

/// The identifier of some bytes: the same bytes always have the same one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy")]
pub struct BlobId([u8; 32]);

/// Why a text is not a blob's CID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a CID this protocol uses ({why}): it takes CIDv1, raw, sha2-256, such as bafkrei…"
)]
pub struct CidError {
    text: String,
    why: String,
}

impl BlobId {
    /// The identifier of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = BlobHasher::default();
        hasher.update(bytes);
        hasher.finish()
    }

    /// The bare sha2-256 digest.
    pub fn digest(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Display for BlobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // 32 bytes always fit a 64-byte multihash.
        match multihash::Multihash::<64>::wrap(SHA2_256, &self.0) {
            Ok(hash) => cid::Cid::new_v1(RAW, hash).fmt(f),
            Err(_) => Err(std::fmt::Error),
        }
    }
}

impl std::str::FromStr for BlobId {
    type Err = CidError;

    fn from_str(text: &str) -> Result<Self, CidError> {
        let bad = |why: String| CidError {
            text: text.chars().take(80).collect(),
            why,
        };
        let cid: cid::Cid = text.parse().map_err(|e: cid::Error| bad(e.to_string()))?;
        if cid.version() != cid::Version::V1 || cid.codec() != RAW || cid.hash().code() != SHA2_256
        {
            return Err(bad(format!(
                "version {:?}, codec {:#x}, hash {:#x}",
                cid.version(),
                cid.codec(),
                cid.hash().code()
            )));
        }
        let digest = cid
            .hash()
            .digest()
            .try_into()
            .map_err(|_| bad("the digest is not 32 bytes".into()))?;
        let id = Self(digest);
        if id.to_string() != text {
            return Err(bad("it is not in base32 lower case".into()));
        }
        Ok(id)
    }
}

impl TryFrom<String> for BlobId {
    type Error = CidError;
    fn try_from(text: String) -> Result<Self, CidError> {
        text.parse()
    }
}

impl From<BlobId> for String {
    fn from(id: BlobId) -> String {
        id.to_string()
    }
}

/// `GET /v1/blobs/{cid}/upload`: how much of an upload that broke off is kept, so that it can go on from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UploadPosition {
    /// The next byte to send, from 0; the blob's length where it is here already.
    pub next_offset: u64,
}

/// Hashes bytes as they stream by, in bounded memory.
#[derive(Default, Clone)]
pub struct BlobHasher(Sha256);

impl BlobHasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The identifier of all bytes taken.
    pub fn finish(self) -> BlobId {
        BlobId(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_blob_has_its_well_known_cid() {
        let known = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
        assert_eq!(BlobId::of(b"").to_string(), known);
        assert_eq!(known.parse(), Ok(BlobId::of(b"")));
    }

    #[test]
    fn other_kinds_of_cid_are_refused() {
        // dag-pb, CIDv0, upper case, nonsense
        for bad in [
            "bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
            "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n",
            "BAFKREIHDWDCEFGH4DQKJV67UZCMW7OJEE6XEDZDETOJUZJEVTENXQUVYKU",
            "bafk",
            "",
        ] {
            assert!(bad.parse::<BlobId>().is_err(), "{bad}");
        }
    }
}
