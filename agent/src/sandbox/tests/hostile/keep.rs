//! What lies in a checkpoint folder, and what comes of it here and on the next rig.

use super::{Freedom, Scene, assert_nothing, told};
use crate::sandbox::{Content, SandboxError, SandboxTerms, SealedCheckpoint};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use sublet_protocol::blob::BlobId;
use sublet_protocol::job::{CheckpointPlan, JobSpec};

const LIMIT: u64 = 16 << 20;

fn keeping(scene: &Scene, words: &[&str]) -> JobSpec {
    let mut spec = scene.spec(words);
    spec.outputs.clear();
    spec.checkpoint = Some(CheckpointPlan {
        folder: "/keep".into(),
        interval_ms: 60_000,
    });
    spec
}

async fn seal(
    scene: &Scene,
    terms: &SandboxTerms,
    folder: &Path,
) -> Result<Option<SealedCheckpoint>, SandboxError> {
    let file = folder.join("checkpoint");
    let sandbox = &scene.stage.sandbox;
    sandbox.seal_checkpoint(&terms.lease, &file, LIMIT).await
}

/// Runs the attack to its end, and seals.
async fn sealed(words: &[&str], folder: &Path) -> Result<Option<SealedCheckpoint>, SandboxError> {
    super::table::named(words[0]);
    let scene = Scene::set().await;
    let terms = scene.stage.lease().await;
    let (said, _) = scene.inside_with(&keeping(&scene, words), &terms).await;
    let told = told(&said);
    assert!(told.tried.contains(&"laid".to_owned()), "{said}");
    assert!(told.got.is_empty(), "{said}");
    let outcome = seal(&scene, &terms, folder).await;
    scene.stage.sandbox.remove(&terms.lease).await.unwrap();
    outcome
}

/// The files of an archive; none of them is anything but a plain file.
fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        assert_eq!(entry.header().entry_type(), tar::EntryType::Regular);
        assert_eq!(entry.header().mode().unwrap(), 0o600);
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), bytes)
    });
    entries.collect()
}

#[tokio::test]
async fn of_a_folder_of_tricks_the_honest_file_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let sealed = sealed(&["keep-tricks"], folder.path()).await;
    let sealed = sealed.unwrap().unwrap();
    let archive = std::fs::read(&sealed.file).unwrap();
    assert_eq!(sealed.cid, BlobId::of(&archive));
    assert_eq!(sealed.bytes, archive.len() as u64);
    // The state has two names, and an archive holds its bytes under one of them.
    let kept = files(&archive);
    assert_eq!(kept.values().collect::<Vec<_>>(), [b"honest"]);
    assert!(
        kept.contains_key("state") || kept.contains_key("twin"),
        "{kept:?}"
    );
}

#[tokio::test]
async fn a_flood_of_files_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = sealed(&["keep-flood", "12000"], folder.path()).await;
    let error = outcome.unwrap_err();
    assert!(
        matches!(error, SandboxError::CheckpointRefused { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_file_of_holes_that_is_too_large_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    // Within what one file may have, and beyond what is kept.
    let outcome = sealed(&["keep-sparse", "16"], folder.path()).await;
    assert!(outcome.unwrap().is_some(), "16 MiB are just within");
    let outcome = sealed(&["keep-sparse", "17"], folder.path()).await;
    let error = outcome.unwrap_err();
    assert!(
        matches!(error, SandboxError::CheckpointRefused { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn what_changes_while_it_is_sealed_is_kept_whole_or_not_at_all() {
    super::table::named("keep-changing");
    let scene = Scene::set().await;
    let terms = scene.stage.lease().await;
    let spec = keeping(&scene, &["keep-changing"]);
    let sandbox = &scene.stage.sandbox;
    sandbox.start(&spec, &terms).await.unwrap();
    scene.stage.until_said(&terms.lease, "changing").await;
    for _ in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        match seal(&scene, &terms, folder.path()).await {
            // Whatever was read, it is an archive, and the seal is of just those bytes.
            Ok(Some(sealed)) => {
                let archive = std::fs::read(&sealed.file).unwrap();
                assert_eq!(sealed.cid, BlobId::of(&archive));
                files(&archive);
            }
            Ok(None) => panic!("two files are there"),
            Err(error) => {
                assert!(
                    matches!(error, SandboxError::CheckpointRefused { .. }),
                    "{error}"
                );
            }
        }
    }
    // Once it is dead, it stands still.
    sandbox.kill(&terms.lease).await.unwrap();
    sandbox.wait(&terms.lease).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let sealed = seal(&scene, &terms, folder.path()).await.unwrap().unwrap();
    let kept = files(&std::fs::read(&sealed.file).unwrap());
    assert!(kept.contains_key("a") && kept.contains_key("b"), "{kept:?}");
}

#[tokio::test]
async fn an_input_cannot_be_changed() {
    let words = ["write-input"];
    let attack = super::table::named(words[0]);
    assert!(attack.control.is_ok());
    let scene = Scene::set().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("input");
    std::fs::write(&file, "theirs").unwrap();
    let terms = scene.stage.lease().await;
    let mut spec = scene.spec(&words);
    spec.inputs = [("/in/data".to_owned(), BlobId::of(b"theirs"))].into();
    let content = Content {
        inputs: vec![("/in/data".to_owned(), file)],
        checkpoint: None,
    };
    let sandbox = &scene.stage.sandbox;
    sandbox
        .start_with(&spec, &terms, &content, |_| {})
        .await
        .unwrap();
    sandbox.wait(&terms.lease).await.unwrap();
    let said = scene.stage.said(&terms.lease).await;
    assert!(said.contains("read it: true"), "{said}");
    assert_nothing(words[0], &said);

    let free = Freedom::plain().with(|host| {
        host.tmpfs = Some([("/in".to_owned(), "rw".to_owned())].into());
    });
    let free = told(&scene.outside(&words, free).await);
    assert!(free.got.contains(&"planted".to_owned()), "{free:?}");
}

/// An archive that another rig could have sealed.
fn poisoned() -> Vec<u8> {
    use tar::EntryType as T;
    let mut archive = tar::Builder::new(Vec::new());
    for (name, kind, link) in [
        ("honest", T::Regular, None),
        ("disk", T::Block, None),
        ("link", T::Symlink, Some("/etc/passwd")),
        ("../out", T::Regular, None),
        ("../../etc/cron.d/mine", T::Regular, None),
        ("/etc/cron.d/mine", T::Regular, None),
        (".hidden", T::Regular, None),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o6777);
        header.set_uid(0);
        header.set_size(if kind == T::Regular { 5 } else { 0 });
        let place = &mut header.as_gnu_mut().unwrap().name;
        place[..name.len()].copy_from_slice(name.as_bytes());
        if let Some(link) = link {
            header.set_link_name(link).unwrap();
        }
        header.set_cksum();
        let bytes: &[u8] = if kind == T::Regular { b"bytes" } else { b"" };
        archive.append(&header, bytes).unwrap();
    }
    archive.into_inner().unwrap()
}

#[tokio::test]
async fn of_a_poisoned_checkpoint_of_another_rig_only_the_honest_file_is_unpacked() {
    super::table::named("keep-poisoned");
    let stage = super::super::Stage::set().await;
    let folder = tempfile::tempdir().unwrap();
    for (archive, names) in [
        (poisoned(), "honest"),
        (b"no archive at all".repeat(100), ""),
        // Half of one.
        (poisoned()[..700].to_vec(), ""),
    ] {
        let file = folder.path().join("archive");
        std::fs::write(&file, archive).unwrap();
        let mut spec = stage.spec(&["names /keep", "show /keep/honest"]).await;
        spec.checkpoint = Some(CheckpointPlan {
            folder: "/keep".into(),
            interval_ms: 60_000,
        });
        let content = Content {
            inputs: Vec::new(),
            checkpoint: Some(file),
        };
        let terms = stage.lease().await;
        let started = stage.sandbox.start_with(&spec, &terms, &content, |_| {});
        started.await.unwrap();
        stage.sandbox.wait(&terms.lease).await.unwrap();
        let said = stage.said(&terms.lease).await;
        assert!(
            said.starts_with(&format!("names /keep: {names}\n")),
            "{said}"
        );
        assert_eq!(said.contains("bytes"), !names.is_empty(), "{said}");
    }
}
