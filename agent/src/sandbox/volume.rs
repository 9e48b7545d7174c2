//! The places for inputs, outputs and checkpoints: volumes, the latter two writable for user 65534.
//!
//! A fresh volume belongs to root, the job's root file system is read-only, and this agent may be no more than a
//! member of the group `docker`. So Docker itself sets the owner: a volume that is mounted empty takes over the
//! owner of the image's folder beneath it. The image for that is made here, of a few folders and nothing else; its
//! container is never started.

use super::names::{self, Role};
use super::profile::{NOBODY, volume_size};
use super::socket::{ACT, within};
use super::{Content, Sandbox, SandboxError, SandboxTerms};
use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions};
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::TryStreamExt;
use sublet_protocol::job::JobSpec;

/// An image of empty folders. The number changes with its content.
const REPOSITORY: &str = "sublet-prepare";
const TAG: &str = "2";
/// Where the preparing container has the volumes that a job writes.
pub(super) const KEPT: &str = "/kept";
/// Beneath it: outputs.
const OUTPUTS: &str = "out";
/// Beneath it: the checkpoint.
pub(super) const CHECKPOINT: &str = "checkpoint";
/// Where the preparing container has the inputs, which a job only reads.
pub(super) const INPUTS: &str = "/in";
const PREPARE: &str = "make room for the job's files";

impl Sandbox {
    /// Makes the volumes of a lease, where the job has any, and fills those for inputs and checkpoint. The preparing
    /// container stays until the lease is removed: removing it now would cost the job time.
    pub(super) async fn prepare_volumes(
        &self,
        spec: &JobSpec,
        terms: &SandboxTerms,
        content: &Content,
    ) -> Result<(), SandboxError> {
        let body = preparer(spec, terms);
        if spec.folders().is_empty() {
            return Ok(());
        }
        let name = names::preparer(&terms.lease);
        match self.create_once(&name, body.clone()).await {
            Err(error) if error.status() == Some(404) => {
                self.import_folder().await?;
                self.create_once(&name, body).await?;
            }
            done => drop(done?),
        }
        self.fill(spec, &terms.lease, content, terms.limits.output_bytes)
            .await
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

fn preparer(spec: &JobSpec, terms: &SandboxTerms) -> ContainerCreateBody {
    let lease = &terms.lease;
    let mount = |role, volume, target| Mount {
        typ: Some(MountType::VOLUME),
        source: Some(volume),
        target: Some(target),
        volume_options: Some(MountVolumeOptions {
            no_copy: Some(false),
            labels: Some(names::labels(&terms.rig, lease, role)),
            driver_config: volume_size(terms, role),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    };
    let mut mounts = Vec::new();
    if !spec.outputs.is_empty() {
        let target = format!("{KEPT}/{OUTPUTS}");
        mounts.push(mount(Role::Outputs, names::volume(lease), target));
    }
    if spec.checkpoint.is_some() {
        let target = format!("{KEPT}/{CHECKPOINT}");
        mounts.push(mount(
            Role::Checkpoint,
            names::checkpoint_volume(lease),
            target,
        ));
    }
    if !spec.inputs.is_empty() {
        let volume = names::input_volume(lease);
        mounts.push(mount(Role::Inputs, volume, INPUTS.to_owned()));
    }
    ContainerCreateBody {
        image: Some(format!("{REPOSITORY}:{TAG}")),
        // Docker wants a command, though this never starts.
        cmd: Some(vec!["none".into()]),
        labels: Some(names::labels(&terms.rig, lease, Role::Prepare)),
        network_disabled: Some(true),
        host_config: Some(HostConfig {
            network_mode: Some("none".into()),
            mounts: Some(mounts),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

fn folder_archive() -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let kept = KEPT.trim_start_matches('/');
    for (path, owner, mode) in [
        (format!("{kept}/"), 0, 0o755),
        (format!("{kept}/{OUTPUTS}/"), NOBODY, 0o700),
        (format!("{kept}/{CHECKPOINT}/"), NOBODY, 0o700),
        (format!("{}/", INPUTS.trim_start_matches('/')), 0, 0o755),
    ] {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_path(path)?;
        header.set_mode(mode);
        header.set_uid(owner);
        header.set_gid(owner);
        header.set_size(0);
        header.set_cksum();
        archive.append(&header, std::io::empty())?;
    }
    archive.into_inner()
}
