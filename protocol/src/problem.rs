//! Errors on the wire: RFC 9457 problem documents with stable codes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of a problem document.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What went wrong, for programs (`code`) and for people (`title`, `detail`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, thiserror::Error)]
#[error("{title}: {detail}")]
pub struct Problem {
    /// `urn:sublet:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable; programs branch on it.
    pub code: ProblemCode,
    /// The same short sentence for every problem of this code.
    pub title: String,
    /// What was wrong this time, and what to do.
    pub detail: String,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident, $code:tt, $status:literal, $title:literal;)*) => {
        /// Stable error codes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        pub enum ProblemCode {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
            /// A code that this version does not know.
            #[serde(other, rename = "unknown")]
            Unknown,
        }

        impl ProblemCode {
            /// Every code that this version knows.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The HTTP status that goes with it.
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* Self::Unknown => 500 }
            }

            /// The code as it stands on the wire.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* Self::Unknown => "unknown" }
            }

            /// The short sentence of the code.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* Self::Unknown => "Something went wrong" }
            }
        }
    };
}

codes! {
    /// The request is not what the API describes.
    BadRequest, "bad_request", 400, "The request could not be read";
    /// No token, or one that does not hold (any more).
    Unauthorized, "unauthorized", 401, "The token does not hold";
    /// The challenge is unknown, used, or too old.
    BadChallenge, "bad_challenge", 401, "The challenge does not hold";
    /// A signature does not verify.
    BadSignature, "bad_signature", 401, "The signature does not hold";
    /// Not this one's to touch.
    Forbidden, "forbidden", 403, "That belongs to somebody else";
    /// No such thing.
    NotFound, "not_found", 404, "There is no such thing";
    /// A newer session of the same rig exists.
    StaleEpoch, "stale_epoch", 409, "A newer session has taken over";
    /// The heartbeat is not newer than the last one.
    StaleSeq, "stale_seq", 409, "The heartbeat is older than one already taken";
    /// The two clocks are too far apart.
    ClockOff, "clock_off", 409, "The clocks are too far apart";
    /// The thing is in no state for that.
    Conflict, "conflict", 409, "That cannot be done now";
    /// Used time went backwards.
    UsageWentBack, "usage_went_back", 409, "Used time cannot shrink";
    /// More used time than has passed since the lease was granted.
    UsageTooFar, "usage_too_far", 409, "More time was claimed than has passed";
    /// The bytes are not those of the CID.
    CidMismatch, "cid_mismatch", 422, "The bytes do not match their CID";
    /// The job spec is refused.
    BadJob, "bad_job", 422, "The job was refused";
    /// The renter's account does not cover it.
    NoFunds, "no_funds", 402, "The account does not cover this";
    /// Too large.
    TooLarge, "too_large", 413, "That is too large";
    /// Too many requests.
    TooMany, "too_many", 429, "Too many requests";
    /// The path exists, but not for this method.
    MethodNotAllowed, "method_not_allowed", 405, "That path does not take this method";
    /// The range lies beyond the bytes there are.
    BadRange, "bad_range", 416, "There are no such bytes";
    /// The server could not do it, and it is not the caller's fault.
    Internal, "internal", 500, "The server could not do that";
    /// Shutting down, or a part is away.
    Unavailable, "unavailable", 503, "Not available right now";
}

impl Problem {
    /// A problem of this code.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:sublet:problem:{}", code.code()),
            status: code.status(),
            code,
            title: code.title().to_owned(),
            detail: detail.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_back_and_a_newer_code_is_not_fatal() {
        let problem = Problem::new(ProblemCode::StaleSeq, "seq 4 is not above 7");
        let text = serde_json::to_string(&problem).unwrap();
        assert!(
            text.contains("\"type\":\"urn:sublet:problem:stale_seq\""),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Problem>(&text).unwrap(), problem);
        let newer = text.replace("\"stale_seq\"", "\"from_the_future\"");
        assert_eq!(
            serde_json::from_str::<Problem>(&newer).unwrap().code,
            ProblemCode::Unknown
        );
    }
}
