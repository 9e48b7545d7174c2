//! The place for outputs: a volume that user 65534 may write to.
//!
//! A fresh volume belongs to root, the job's root file system is read-only, and this agent may be no more than a
//! member of the group `docker`. So Docker itself sets the owner: a volume that is mounted empty takes over the
//! owner of the image's folder beneath it. The image for that is made here, of one folder and nothing else; its
//! container is never started.

use super::names::{self, Role};
use super::profile::NOBODY;
use super::socket::{ACT, within};
use super::{Sandbox, SandboxError, SandboxTerms};
use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions};
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::TryStreamExt;
use sublet_protocol::job::JobSpec;

/// An image of one empty folder. The number changes with its content.
const REPOSITORY: &str = "sublet-prepare";
const TAG: &str = "1";
const FOLDER: &str = "out";
/// Where the preparing container has the volume.
pub(super) const PREPARED: &str = "/out";
const PREPARE: &str = "make room for the outputs";

impl Sandbox {
    /// Makes the volume of a lease, writable for the job, where the job has outputs. The preparing container stays
    /// until the lease is removed: removing it now would cost the job time.
    pub(super) async fn prepare_volume(
        &self,
        spec: &JobSpec,
        terms: &SandboxTerms,
    ) -> Result<(), SandboxError> {
        if spec.outputs.is_empty() {
            return Ok(());
        }
        let name = names::preparer(&terms.lease);
        match self.create_once(&name, preparer(terms)).await {
            Err(error) if error.status() == Some(404) => {
                self.import_folder().await?;
                self.create_once(&name, preparer(terms)).await.map(drop)
            }
            done => done.map(drop),
        }
    }

    async fn import_folder(&self) -> Result<(), SandboxError> {
        let archive = folder_archive().map_err(|source| SandboxError::Other {
            what: PREPARE,
            status: None,
            why: source.to_string(),
        })?;
        let options = CreateImageOptionsBuilder::default()
            .from_src("-")
            .repo(REPOSITORY)
            .tag(TAG)
            .build();
        let news = self.docker.create_image(
            Some(options),
            Some(bollard::body_full(archive.into())),
            None,
        );
        within(PREPARE, ACT, news.try_collect::<Vec<_>>()).await?;
        Ok(())
    }
}

fn preparer(terms: &SandboxTerms) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(format!("{REPOSITORY}:{TAG}")),
        // Docker wants a command, though this never starts.
        cmd: Some(vec!["none".into()]),
        labels: Some(names::labels(&terms.rig, &terms.lease, Role::Prepare)),
        network_disabled: Some(true),
        host_config: Some(HostConfig {
            network_mode: Some("none".into()),
            mounts: Some(vec![Mount {
                typ: Some(MountType::VOLUME),
                source: Some(names::volume(&terms.lease)),
                target: Some(format!("/{FOLDER}")),
                volume_options: Some(MountVolumeOptions {
                    no_copy: Some(false),
                    labels: Some(names::labels(&terms.rig, &terms.lease, Role::Outputs)),
                    ..MountVolumeOptions::default()
                }),
                ..Mount::default()
            }]),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

fn folder_archive() -> std::io::Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_path(format!("{FOLDER}/"))?;
    header.set_mode(0o700);
    header.set_uid(NOBODY);
    header.set_gid(NOBODY);
    header.set_size(0);
    header.set_cksum();
    let mut archive = tar::Builder::new(Vec::new());
    archive.append(&header, std::io::empty())?;
    archive.into_inner()
}
