//! Used time, signed by the rig while a lease runs: cumulative, so a lost report costs nothing.

use crate::ids::{LeaseId, RigId};
use crate::keys::{KeyError, RigKey, RigSignature, sign};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// "This lease has run for so long", with the rig's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedUsage {
    /// Billable running time since the lease began, in ms. Never shrinks.
    pub used_ms: u64,
    /// Over (audience, rig, lease, used_ms), purpose `usage`.
    pub signature: RigSignature,
}

fn parts<'a>(
    audience: &'a str,
    rig: &'a RigId,
    lease: &'a LeaseId,
    used: &'a [u8; 8],
) -> [&'a [u8]; 4] {
    [
        audience.as_bytes(),
        rig.as_str().as_bytes(),
        lease.as_str().as_bytes(),
        used,
    ]
}

impl SignedUsage {
    /// Signs a reading of the meter. `audience` is the marketplace's name from the session.
    pub fn new(
        key: &SigningKey,
        audience: &str,
        rig: &RigId,
        lease: &LeaseId,
        used_ms: u64,
    ) -> Self {
        let signature = sign(
            key,
            "usage",
            &parts(audience, rig, lease, &used_ms.to_be_bytes()),
        );
        Self { used_ms, signature }
    }

    /// Checks that the rig signed exactly this.
    pub fn verify(
        &self,
        key: &RigKey,
        audience: &str,
        rig: &RigId,
        lease: &LeaseId,
    ) -> Result<(), KeyError> {
        let used = self.used_ms.to_be_bytes();
        key.verify(
            "usage",
            &parts(audience, rig, lease, &used),
            &self.signature,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_bound_to_lease_rig_audience_and_figure() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let public = RigKey::of(&key);
        let rig = crate::keys::rig_id(&public);
        let lease = LeaseId::new("lease-1").unwrap();
        let usage = SignedUsage::new(&key, "market", &rig, &lease, 1500);
        assert!(usage.verify(&public, "market", &rig, &lease).is_ok());
        assert!(usage.verify(&public, "other", &rig, &lease).is_err());
        let elsewhere = LeaseId::new("lease-2").unwrap();
        assert!(usage.verify(&public, "market", &rig, &elsewhere).is_err());
        let more = SignedUsage {
            used_ms: 1501,
            ..usage
        };
        assert!(more.verify(&public, "market", &rig, &lease).is_err());
    }
}
