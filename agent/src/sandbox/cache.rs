//! Images that were pulled for jobs, and when each was last used. The record is a tag in Docker itself, so that it is
//! where the images are, survives what they survive, and shows the owner which images are the agent's.

use super::socket::{ACT, ASK, within};
use super::{Sandbox, SandboxError};
use bollard::models::ImageSummary;
use bollard::query_parameters::{
    ListImagesOptionsBuilder, RemoveImageOptionsBuilder, TagImageOptionsBuilder,
};
use std::time::{Duration, SystemTime};
use sublet_protocol::job::ImageRef;

/// The name of the tags: `sublet-image:TIME-DIGEST`, the time in ms since 1970, the digest that it was pulled by.
const REPOSITORY: &str = "sublet-image";
/// An image that was used so recently may be about to be started.
const FRESH: Duration = Duration::from_secs(600);
/// A use is written down anew after so long.
const WRITE_DOWN: Duration = Duration::from_secs(600);
/// Images go while less than the reserve and this much more is free.
const HEADROOM: u64 = 2 << 30;

/// An image of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    tag: String,
    used_ms: u64,
    /// Hex.
    digest: String,
    bytes: u64,
    /// All that Docker calls it by digest.
    references: Vec<String>,
}

impl Sandbox {
    /// Writes down that an image that was pulled for a job is used now.
    pub(super) async fn note_use(
        &self,
        image: &ImageRef,
        pulled: bool,
    ) -> Result<(), SandboxError> {
        let digest = hex_of(image.digest());
        let found = self.docker.inspect_image(image.as_str());
        let found = within("look at the image", ASK, found).await?;
        let tags = found.repo_tags.unwrap_or_default();
        let earlier: Vec<(&String, u64)> = tags
            .iter()
            .filter_map(|tag| {
                let (used_ms, of) = record(tag)?;
                (of == digest).then_some((tag, used_ms))
            })
            .collect();
        let now = now_ms();
        let last = earlier.iter().map(|(_, used_ms)| *used_ms).max();
        let recent = last.is_some_and(|ms| now.saturating_sub(ms) < millis(WRITE_DOWN));
        // One that was here before any job asked for it is the owner's.
        if recent || (last.is_none() && !pulled) {
            return Ok(());
        }
        let options = TagImageOptionsBuilder::default()
            .repo(REPOSITORY)
            .tag(&format!("{now}-{digest}"))
            .build();
        let tagged = self.docker.tag_image(image.as_str(), Some(options));
        within("note the image's use", ASK, tagged).await?;
        for (tag, _) in earlier {
            self.untag(tag).await?;
        }
        Ok(())
    }

    /// Removes the images that were not used for longest, until the cache is within its bound and the disk has room.
    /// One that a container uses stays.
    pub(super) async fn make_room(&self) -> Result<(), SandboxError> {
        let mut kept = self.kept().await?;
        kept.sort_by_key(|kept| kept.used_ms);
        let mut total: u64 = kept.iter().map(|kept| kept.bytes).sum();
        let now = now_ms();
        for image in kept {
            let short = self
                .free()
                .is_some_and(|free| free.bytes < self.disk.reserve_bytes.saturating_add(HEADROOM));
            if !short && total <= self.disk.cache_bytes {
                return Ok(());
            }
            if now.saturating_sub(image.used_ms) < millis(FRESH) {
                return Ok(());
            }
            if self.evict(&image).await? {
                tracing::info!(image = ?image.references, bytes = image.bytes, "an image made room");
                total = total.saturating_sub(image.bytes);
            }
        }
        Ok(())
    }

    /// Removes an image that was pulled for jobs, whenever it was used. Absent is fine; one that a container uses, or
    /// that the owner has under another name, stays.
    ///
    /// # Errors
    /// [`SandboxError::DockerUnavailable`], [`SandboxError::Timeout`].
    pub async fn forget_image(&self, image: &ImageRef) -> Result<(), SandboxError> {
        let digest = hex_of(image.digest());
        for kept in self.kept().await? {
            if kept.digest == digest {
                self.evict(&kept).await?;
            }
        }
        Ok(())
    }

    /// False where something uses it.
    async fn evict(&self, image: &Kept) -> Result<bool, SandboxError> {
        // The names by digest go first: should this be cut short, the tag still tells whose image it is.
        for reference in &image.references {
            match self.untag(reference).await {
                Err(error) if error.status() == Some(409) => return Ok(false),
                done => done?,
            }
        }
        match self.untag(&image.tag).await {
            Err(error) if error.status() == Some(409) => Ok(false),
            done => done.map(|()| true),
        }
    }

    async fn untag(&self, reference: &str) -> Result<(), SandboxError> {
        let options = RemoveImageOptionsBuilder::default().build();
        let removed = self.docker.remove_image(reference, Some(options), None);
        match within("remove an image", ACT, removed).await {
            Err(error) if error.status() == Some(404) => Ok(()),
            done => done.map(drop),
        }
    }

    /// The tags under which an image of this digest is kept.
    #[cfg(test)]
    pub(super) async fn kept_tags(&self, digest: &str) -> Vec<String> {
        let kept = self.kept().await.unwrap_or_default();
        let of_it = kept.into_iter().filter(|kept| kept.digest == digest);
        of_it.map(|kept| kept.tag).collect()
    }

    async fn kept(&self) -> Result<Vec<Kept>, SandboxError> {
        // Asked for one name, Docker would keep an image's other names to itself.
        let options = ListImagesOptionsBuilder::default().digests(true).build();
        let images = within(
            "list its images",
            ASK,
            self.docker.list_images(Some(options)),
        )
        .await?;
        Ok(images.iter().flat_map(kept_as).collect())
    }
}

/// What one of our tags says: when the image was used, and the digest that it was pulled by.
fn record(tag: &str) -> Option<(u64, &str)> {
    let (time, digest) = tag
        .strip_prefix(REPOSITORY)?
        .strip_prefix(':')?
        .split_once('-')?;
    Some((time.parse().ok()?, digest))
}

/// The records of one image: one for each digest that it was pulled by.
fn kept_as(image: &ImageSummary) -> Vec<Kept> {
    let records = image.repo_tags.iter().filter_map(|tag| {
        let (used_ms, digest) = record(tag)?;
        let references = image.repo_digests.iter();
        Some(Kept {
            tag: tag.clone(),
            used_ms,
            digest: digest.to_owned(),
            bytes: u64::try_from(image.size).unwrap_or(0),
            references: references
                .filter(|name| name.ends_with(digest) && !name.starts_with("<none>"))
                .cloned()
                .collect(),
        })
    });
    records.collect()
}

fn hex_of(digest: &str) -> &str {
    digest.rsplit_once(':').map_or(digest, |(_, hex)| hex)
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, millis)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_says_when_and_a_foreign_one_says_nothing() {
        let image = ImageSummary {
            repo_tags: vec![
                "sublet-image:17-ab".into(),
                "mine:latest".into(),
                "sublet-image:x".into(),
            ],
            repo_digests: vec!["r.example/a@sha256:ab".into(), "mine@sha256:cd".into()],
            size: 5,
            ..ImageSummary::default()
        };
        let kept = kept_as(&image);
        assert_eq!(kept.len(), 1);
        assert_eq!((kept[0].used_ms, kept[0].bytes), (17, 5));
        assert_eq!(kept[0].references, ["r.example/a@sha256:ab"]);
    }
}
