//! How a rig proves who it is: it signs a challenge, and gets a token and an epoch.

use crate::ids::RigId;
use crate::keys::{RigKey, RigSignature, sign};
use crate::money::BasisPoints;
use crate::voucher::Channel;
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /v1/challenges`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChallengeRequest {
    /// Who asks.
    pub rig_key: RigKey,
}

/// What to sign, once, soon.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Challenge {
    /// 64 hexadecimal digits, used once.
    pub challenge: String,
    /// The marketplace's name for itself; a signature for another audience is worthless here.
    pub audience: String,
    /// How long it can be answered, in ms.
    pub expires_in_ms: u64,
}

/// `POST /v1/sessions`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SessionRequest {
    /// Who asks.
    pub rig_key: RigKey,
    /// The challenge being answered.
    pub challenge: String,
    /// Over (audience, challenge), purpose `session`.
    pub signature: RigSignature,
    /// The agent's version, for the marketplace's records.
    pub agent_version: String,
}

impl SessionRequest {
    /// Answers a challenge.
    pub fn answer(key: &SigningKey, challenge: &Challenge, agent_version: &str) -> Self {
        let parts = [
            challenge.audience.as_bytes(),
            challenge.challenge.as_bytes(),
        ];
        Self {
            rig_key: RigKey::of(key),
            challenge: challenge.challenge.clone(),
            signature: sign(key, "session", &parts),
            agent_version: agent_version.to_owned(),
        }
    }

    /// Whether the answer is this key's, for this audience.
    pub fn verify(&self, audience: &str) -> Result<(), crate::keys::KeyError> {
        let parts = [audience.as_bytes(), self.challenge.as_bytes()];
        self.rig_key.verify("session", &parts, &self.signature)
    }
}

/// A session. A new one makes the old one's epoch and token void.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// The rig's id.
    pub rig: RigId,
    /// Goes into `Authorization: Bearer`.
    pub token: String,
    /// Grows with every session of this rig.
    pub epoch: u64,
    /// The marketplace's name for itself.
    pub audience: String,
    /// What it keeps of each price.
    pub fee: BasisPoints,
    /// Where it pays.
    pub channel: Channel,
    /// How often to heartbeat at first, in ms.
    pub heartbeat_ms: u64,
    /// A rig that could not reach the marketplace for so long stops its jobs by itself, in ms.
    pub fence_ms: u64,
}

/// Without the token.
impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("rig", &self.rig)
            .field("epoch", &self.epoch)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}
