//! What lies where outputs are awaited, and what comes of it.

use super::{Scene, told};
use crate::sandbox::{Collected, SandboxError};
use std::time::{Duration, SystemTime};
use sublet_protocol::blob::BlobId;

/// Runs the attack to its end and collects.
async fn collected(
    scene: &Scene,
    words: &[&str],
) -> (String, Result<(Vec<Collected>, Vec<u8>), SandboxError>) {
    let folder = tempfile::tempdir().unwrap();
    let terms = scene.stage.lease().await;
    let spec = scene.spec(words);
    let (said, _) = scene.inside_with(&spec, &terms).await;
    let limit = terms.limits.output_bytes;
    let outcome = scene
        .stage
        .sandbox
        .collect(&terms.lease, &spec, folder.path(), limit)
        .await;
    let outcome = outcome.map(|collected| {
        let bytes = std::fs::read(&collected[0].file).unwrap();
        assert_eq!(collected[0].output.cid, BlobId::of(&bytes));
        use std::os::unix::fs::MetadataExt;
        let kept = std::fs::metadata(&collected[0].file).unwrap();
        assert_eq!(kept.mode() & 0o7777, 0o600);
        assert_eq!(kept.uid(), rustix::process::getuid().as_raw());
        assert!(kept.modified().unwrap() <= SystemTime::now() + Duration::from_secs(1));
        (collected, bytes)
    });
    scene.stage.sandbox.remove(&terms.lease).await.unwrap();
    (said, outcome)
}

/// It was laid, and refused for this reason.
async fn refused(words: &[&str], reason: &str) {
    super::table::named(words[0]);
    let scene = Scene::set().await;
    let (said, outcome) = collected(&scene, words).await;
    assert_eq!(told(&said).tried, ["laid"]);
    match outcome {
        Err(SandboxError::OutputRefused { why, .. }) => assert!(why.contains(reason), "{why}"),
        other => panic!("{other:?}"),
    }
}

/// It was laid, and what was collected is a plain file of this user's with these bytes.
async fn harmless(words: &[&str], bytes: &[u8]) {
    super::table::named(words[0]);
    let scene = Scene::set().await;
    let (said, outcome) = collected(&scene, words).await;
    assert_eq!(told(&said).tried, ["laid"]);
    assert_eq!(outcome.unwrap().1, bytes);
}

#[tokio::test]
async fn a_link_to_the_owners_file_is_refused() {
    refused(&["lay-link", "/etc/passwd"], "a symbolic link").await;
    refused(
        &["lay-link", "../../../../../../etc/passwd"],
        "a symbolic link",
    )
    .await;
}

#[tokio::test]
async fn a_link_by_way_of_a_folder_is_refused() {
    refused(&["lay-link-to-folder", "/etc"], "a symbolic link").await;
}

#[tokio::test]
async fn a_pipe_and_a_socket_are_refused_and_do_not_hold_up() {
    refused(&["lay-pipe"], "a named pipe").await;
    refused(&["lay-socket"], "a socket").await;
}

#[tokio::test]
async fn a_tree_of_a_thousand_folders_is_refused_and_removed() {
    refused(&["lay-folder", "1000"], "a folder").await;
}

#[tokio::test]
async fn an_output_of_holes_is_refused() {
    refused(&["lay-sparse", "60"], "larger than").await;
}

#[tokio::test]
async fn a_set_user_id_output_becomes_a_plain_file() {
    harmless(&["lay-setuid"], b"#!/bin/sh\n").await;
}

#[tokio::test]
async fn a_file_of_the_next_century_is_of_today() {
    harmless(&["lay-future"], b"").await;
}

#[tokio::test]
async fn names_that_mislead_stay_where_they_are() {
    harmless(&["lay-names"], b"honest").await;
}

#[tokio::test]
async fn a_device_cannot_be_laid_and_would_be_refused() {
    super::table::named("lay-device");
    let scene = Scene::set().await;
    let (said, outcome) = collected(&scene, &["lay-device"]).await;
    assert!(told(&said).tried[0].starts_with("not laid: "), "{said}");
    assert!(outcome.is_err());

    // Were it laid all the same: by a container with every right, into the volume of a lease.
    let folder = tempfile::tempdir().unwrap();
    let terms = scene.stage.lease().await;
    let spec = scene.spec(&["lay-folder", "0"]);
    scene.inside_with(&spec, &terms).await;
    let volume = super::super::super::names::volume(&terms.lease);
    let free = super::Freedom::privileged().with(|host| {
        host.binds = Some(vec![format!("{volume}:/out")]);
    });
    let said = scene.outside(&["lay-device-over"], free).await;
    assert_eq!(told(&said).tried, ["laid"], "{said}");
    let outcome = scene
        .stage
        .sandbox
        .collect(&terms.lease, &spec, folder.path(), 1 << 20)
        .await;
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("a device"), "{error}");
}

#[tokio::test]
async fn what_changes_while_it_is_sealed_is_sealed_as_it_was_read() {
    super::table::named("lay-changing");
    let scene = Scene::set().await;
    let terms = scene.stage.lease().await;
    let spec = scene.spec(&["lay-changing"]);
    let sandbox = &scene.stage.sandbox;
    sandbox.start(&spec, &terms).await.unwrap();
    scene.stage.until_said(&terms.lease, "changing").await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..8 {
        let folder = tempfile::tempdir().unwrap();
        let outcome = sandbox
            .collect(&terms.lease, &spec, folder.path(), 16 << 20)
            .await;
        match outcome {
            // Whatever was read, the seal is of just those bytes.
            Ok(collected) => {
                let bytes = std::fs::read(&collected[0].file).unwrap();
                assert_eq!(collected[0].output.cid, BlobId::of(&bytes));
                assert_eq!(collected[0].output.bytes, bytes.len() as u64);
                seen.insert(collected[0].output.cid.to_string());
            }
            Err(error) => drop(seen.insert(error.to_string())),
        }
    }
    assert!(seen.len() > 1, "it did change: {seen:?}");
    sandbox.kill(&terms.lease).await.unwrap();
}
