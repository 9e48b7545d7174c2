//! What belongs to the owner, to Docker and to other jobs.

use super::{Freedom, Scene, assert_nothing, attacks, unique};
use std::os::linux::fs::MetadataExt;

attacks! {
    a_way_out_of_a_cell: "chroot", Freedom::privileged();
    the_root_folder: "write-root", Freedom::plain();
}

/// A file that is the owner's.
struct Secret {
    folder: tempfile::TempDir,
    words: String,
}

impl Secret {
    fn hidden() -> Secret {
        let folder = tempfile::tempdir().unwrap();
        let words = unique("secret");
        std::fs::write(folder.path().join("diary"), &words).unwrap();
        // Even one that every user of the host may read.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        Secret { folder, words }
    }

    fn path(&self) -> String {
        self.folder.path().join("diary").display().to_string()
    }
}

#[tokio::test]
async fn no_file_of_the_owner_is_read() {
    let secret = Secret::hidden();
    let words = ["read-host-file", &secret.path(), &secret.words];
    Scene::set()
        .await
        .holds(&words, Freedom::privileged())
        .await;
}

#[tokio::test]
async fn no_file_is_reached_by_a_handle() {
    let secret = Secret::hidden();
    let free = Freedom::privileged().with(|host| {
        // A mount of the disk that the file lies on, as a job's outputs are.
        host.binds = Some(vec![format!("{}:/out", secret.folder.path().display())]);
    });
    let words = ["open-by-handle", &secret.path()];
    Scene::set().await.holds(&words, free).await;
}

#[tokio::test]
async fn dockers_socket_is_not_there() {
    let scene = Scene::set().await;
    let socket = std::env::var("DOCKER_HOST").unwrap_or_default();
    let socket = socket
        .strip_prefix("unix://")
        .unwrap_or("/var/run/docker.sock")
        .to_owned();
    let free = Freedom::plain().with(|host| {
        host.binds = Some(vec![format!("{socket}:/var/run/docker.sock")]);
    });
    scene.holds(&["docker-socket"], free).await;
}

#[tokio::test]
async fn the_outputs_of_another_job_are_not_read() {
    let scene = Scene::set().await;
    let mut other = super::super::spec(scene.stage.push().image, &[]);
    let words = unique("result");
    other.command = Some(vec![format!("write /out/a {words}")]);
    scene
        .stage
        .sandbox
        .pull(&other.image, |_, _| {})
        .await
        .unwrap();
    let terms = scene.stage.lease().await;
    scene.inside_with(&other, &terms).await;

    let volume = super::super::super::names::volume(&terms.lease);
    let docker = &scene.stage.sandbox.docker;
    let place = docker.inspect_volume(&volume).await.unwrap().mountpoint;
    let free = Freedom::privileged();
    scene
        .holds(&["other-volume", &format!("{place}/a"), &words], free)
        .await;
}

#[tokio::test]
async fn the_hosts_disk_is_not_read() {
    let device = std::fs::metadata("/").unwrap().st_dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let words = ["disk-device", &major.to_string(), &minor.to_string()];
    Scene::set()
        .await
        .holds(&words, Freedom::privileged())
        .await;
}

#[tokio::test]
async fn no_folder_of_the_host_is_left_open() {
    let (said, _) = Scene::set().await.inside(&["leaked-descriptors"]).await;
    assert_nothing("leaked-descriptors", &said);
}

#[tokio::test]
async fn no_program_of_the_engine_is_overwritten() {
    let (said, _) = Scene::set().await.inside(&["overwrite-runtime"]).await;
    assert_nothing("overwrite-runtime", &said);
}
