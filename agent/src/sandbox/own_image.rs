//! An image that the agent makes itself, of one program.

use super::socket::{ACT, within};
use super::{Sandbox, SandboxError};
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::TryStreamExt;
use std::io::{Error, Read};

/// What lies in such an image.
pub(super) struct Entry<'a, R> {
    pub kind: tar::EntryType,
    pub path: &'a str,
    pub mode: u32,
    /// User and group.
    pub owner: u64,
    pub bytes: u64,
    pub content: R,
}

impl Sandbox {
    /// Makes the image `repository:tag` of one file or folder, in place of one that has that name. `what` completes
    /// "Docker could not …".
    pub(super) async fn make_image<R: Read>(
        &self,
        what: &'static str,
        repository: &str,
        tag: &str,
        entry: Entry<'_, R>,
    ) -> Result<(), SandboxError> {
        let archive = archive_of(entry).map_err(|source| SandboxError::Other {
            what,
            status: None,
            why: source.to_string(),
        })?;
        let options = CreateImageOptionsBuilder::default()
            .from_src("-")
            .repo(repository)
            .tag(tag)
            .build();
        let news = self.docker.create_image(
            Some(options),
            Some(bollard::body_full(archive.into())),
            None,
        );
        within(what, ACT, news.try_collect::<Vec<_>>()).await?;
        Ok(())
    }
}

fn archive_of<R: Read>(entry: Entry<'_, R>) -> Result<Vec<u8>, Error> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(entry.kind);
    header.set_path(entry.path)?;
    header.set_mode(entry.mode);
    header.set_uid(entry.owner);
    header.set_gid(entry.owner);
    header.set_size(entry.bytes);
    header.set_cksum();
    let mut archive = tar::Builder::new(Vec::new());
    archive.append(&header, entry.content)?;
    archive.into_inner()
}
