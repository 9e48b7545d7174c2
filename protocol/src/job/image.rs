//! An image by digest: what the digest names cannot change under anybody's feet.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `[registry[:port]/]name[:tag]@sha256:<64 hexadecimal digits>`, without the tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "registry.example/render/tracer@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
pub struct ImageRef(String);

/// Why a text does not name an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// No digest: a tag alone can be moved.
    #[error(
        "the image `{0}` has no digest; write it as name@sha256:…, since a tag can be moved to other content"
    )]
    NoDigest(String),
    /// A digest, but not sha256 in 64 lower-case digits.
    #[error("the digest of the image `{0}` is not sha256: and 64 hexadecimal digits")]
    BadDigest(String),
    /// Characters that a name cannot have.
    #[error("`{0}` is not an image name")]
    BadName(String),
}

impl ImageRef {
    /// The whole reference, as an engine takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Name with registry, without tag and digest.
    pub fn name(&self) -> &str {
        self.0.split_once('@').map_or("", |(name, _)| name)
    }

    /// `sha256:…`
    pub fn digest(&self) -> &str {
        self.0.split_once('@').map_or("", |(_, digest)| digest)
    }
}

impl std::fmt::Display for ImageRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for ImageRef {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, ImageError> {
        let short = || text.chars().take(200).collect::<String>();
        let (name, digest) = text
            .split_once('@')
            .ok_or_else(|| ImageError::NoDigest(short()))?;
        let digits = digest
            .strip_prefix("sha256:")
            .ok_or_else(|| ImageError::BadDigest(short()))?;
        let hexadecimal = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if digits.len() != 64 || !digits.bytes().all(hexadecimal) {
            return Err(ImageError::BadDigest(short()));
        }
        // A tag beside a digest means nothing to the engine; the digest decides.
        let name = match name.rsplit_once(':') {
            Some((before, tag)) if !tag.contains('/') => before,
            _ => name,
        };
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/:".contains(&b);
        let parts = name
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with(['.', '-', ':']));
        if name.len() > 255 || !name.bytes().all(fits) || !parts {
            return Err(ImageError::BadName(short()));
        }
        Ok(Self(format!("{name}@{digest}")))
    }
}

impl TryFrom<String> for ImageRef {
    type Error = ImageError;
    fn try_from(text: String) -> Result<Self, ImageError> {
        text.parse()
    }
}

impl From<ImageRef> for String {
    fn from(image: ImageRef) -> String {
        image.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_digest_names_an_image() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let image: ImageRef = format!("127.0.0.1:5000/a/b:tag@{digest}").parse().unwrap();
        assert_eq!(image.to_string(), format!("127.0.0.1:5000/a/b@{digest}"));
        assert!(matches!(
            "busybox:latest".parse::<ImageRef>(),
            Err(ImageError::NoDigest(_))
        ));
        assert!(matches!(
            "busybox@sha256:12".parse::<ImageRef>(),
            Err(ImageError::BadDigest(_))
        ));
        for name in ["", "../x", "A", "a//b", "a b", "-x"] {
            let text = format!("{name}@{digest}");
            assert!(
                matches!(text.parse::<ImageRef>(), Err(ImageError::BadName(_))),
                "{text}"
            );
        }
    }
}
