//! Typed identifiers. Each is 1 to 80 characters of `A-Z a-z 0-9 - _ .`, so it is safe in a path, a URL,
//! a container label and a log line.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind}: it takes 1 to 80 letters, digits, `-`, `_` or `.`")]
pub struct IdError {
    kind: &'static str,
    text: String,
}

fn check(kind: &'static str, text: &str) -> Result<(), IdError> {
    let fits = (1..=80).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && !text.starts_with('.');
    if fits {
        Ok(())
    } else {
        Err(IdError {
            kind,
            text: text.chars().take(96).collect(),
        })
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String)]
        pub struct $name(String);

        impl $name {
            /// Checks and takes a text.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                check($kind, &text)?;
                Ok(Self(text))
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A rig: one agent on one machine. Derived from its public key, see [`crate::keys::rig_id`].
    RigId, "rig id");
id!(
    /// One GPU of a rig: NVML's UUID where there is one, else made from its PCI address or name.
    GpuId, "GPU id");
id!(
    /// A renter's prepaid account.
    RenterId, "renter id");
id!(
    /// What a renter submitted; it may take several leases until it is done.
    JobId, "job id");
id!(
    /// One job on one rig for a while, at one price.
    LeaseId, "lease id");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_refuse_what_could_leave_their_place() {
        for bad in ["", "a/b", "..", "a b", "ä", "a\n", &"x".repeat(81)] {
            assert!(LeaseId::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(LeaseId::new("lease-1").unwrap().as_str(), "lease-1");
        assert!(serde_json::from_str::<RigId>("\"../x\"").is_err());
    }
}
