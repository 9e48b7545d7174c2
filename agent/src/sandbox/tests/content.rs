//! What a job is given, and what it leaves for the next one.

use super::Stage;
use crate::sandbox::{Content, SandboxError};
use std::path::Path;
use sublet_protocol::blob::BlobId;
use sublet_protocol::job::{CheckpointPlan, JobSpec};

fn keeping(mut spec: JobSpec) -> JobSpec {
    spec.checkpoint = Some(CheckpointPlan {
        folder: "/keep".into(),
        interval_ms: 60_000,
    });
    spec
}

#[tokio::test]
async fn a_job_finds_its_inputs_under_their_names_and_cannot_change_them() {
    let stage = Stage::set().await;
    let folder = tempfile::tempdir().unwrap();
    let given = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let long = format!("/data/in/{}", "n".repeat(200));
    let deeds = [
        "names /data/in",
        "show /data/in/b",
        "write /data/in/b mine",
        "write /data/in/c mine",
        "write /out/a done",
    ];
    let mut spec = stage.spec(&deeds).await;
    let content = Content {
        inputs: vec![
            ("/data/in/a".to_owned(), given("first", "")),
            ("/data/in/b".to_owned(), given("second", "theirs\n")),
            (long.clone(), given("third", "long")),
        ],
        checkpoint: None,
    };
    let inputs = content.inputs.iter();
    spec.inputs = inputs
        .map(|(path, _)| (path.clone(), BlobId::of(path.as_bytes())))
        .collect();
    let terms = stage.lease().await;
    // Begun, broken off and begun again: it is there once.
    let again = stage.sandbox.prepare_volumes(&spec, &terms, &content);
    again.await.unwrap();
    let started = stage.sandbox.start_with(&spec, &terms, &content, |_| {});
    started.await.unwrap();
    stage.sandbox.wait(&terms.lease).await.unwrap();
    let said = stage.said(&terms.lease).await;
    let long = long.rsplit('/').next().unwrap();
    let names = format!("names /data/in: a b {long}\ntheirs\n");
    assert!(said.starts_with(&names), "{said}");
    // A read-only file system.
    assert_eq!(said.matches("Ok(30)").count(), 2, "{said}");
    assert!(said.contains("write /out/a: done"), "{said}");
    stage.sandbox.remove(&terms.lease).await.unwrap();
    assert_eq!(stage.sandbox.look(&stage.rig).await.unwrap(), []);
}

async fn seal(stage: &Stage, lease: &sublet_protocol::ids::LeaseId, file: &Path) -> BlobId {
    let sealed = stage.sandbox.seal_checkpoint(lease, file, 1 << 20).await;
    sealed.unwrap().unwrap().cid
}

#[tokio::test]
async fn a_checkpoint_travels_from_one_lease_to_the_next() {
    let stage = Stage::set().await;
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let spec = keeping(
        stage
            .spec(&[
                "write /keep/state pass-7",
                "write /keep/.half nothing",
                "write /keep/more x",
            ])
            .await,
    );
    let first = stage.lease().await;
    stage.run_spec(&spec, &first).await.unwrap();
    let cid = seal(&stage, &first.lease, &one).await;
    stage.sandbox.remove(&first.lease).await.unwrap();

    let spec = keeping(
        stage
            .spec(&[
                "names /keep",
                "show /keep/state",
                "write /keep/state pass-7",
                "remove /keep/more",
            ])
            .await,
    );
    let second = stage.lease().await;
    let content = Content {
        inputs: Vec::new(),
        checkpoint: Some(one.clone()),
    };
    let started = stage.sandbox.start_with(&spec, &second, &content, |_| {});
    started.await.unwrap();
    stage.sandbox.wait(&second.lease).await.unwrap();
    let said = stage.said(&second.lease).await;
    assert!(
        said.starts_with("names /keep: more state\npass-7"),
        "{said}"
    );
    assert_eq!(
        said.matches(": done").count(),
        2,
        "the files are the job's: {said}"
    );
    assert_ne!(seal(&stage, &second.lease, &two).await, cid);
    stage.sandbox.remove(&second.lease).await.unwrap();

    // The same files are the same archive, whoever wrote them and when.
    let third = stage.lease().await;
    let spec = keeping(stage.spec(&["say still"]).await);
    let started = stage.sandbox.start_with(&spec, &third, &content, |_| {});
    started.await.unwrap();
    stage.sandbox.wait(&third.lease).await.unwrap();
    assert_eq!(seal(&stage, &third.lease, &two).await, cid);
}

#[tokio::test]
async fn where_nothing_is_kept_there_is_no_checkpoint_and_where_no_folder_is_an_error() {
    let stage = Stage::set().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("checkpoint");
    let spec = keeping(stage.spec(&["write /keep/.half x"]).await);
    let terms = stage.lease().await;
    stage.run_spec(&spec, &terms).await.unwrap();
    let sealed = stage
        .sandbox
        .seal_checkpoint(&terms.lease, &file, 1 << 20)
        .await;
    assert_eq!(sealed.unwrap(), None);
    stage.sandbox.remove(&terms.lease).await.unwrap();
    let gone = stage
        .sandbox
        .seal_checkpoint(&terms.lease, &file, 1 << 20)
        .await;
    assert!(matches!(gone, Err(SandboxError::Gone { .. })), "{gone:?}");
}

#[tokio::test]
async fn what_a_job_keeps_counts_with_its_outputs() {
    let stage = Stage::set().await;
    let spec = keeping(
        stage
            .spec(&["fill /keep/a 12", "fill /out/b 12", "sleep 60000"])
            .await,
    );
    let terms = stage.lease().await;
    stage.sandbox.start(&spec, &terms).await.unwrap();
    let guard = stage.sandbox.guard(&terms.lease, terms.limits.output_bytes);
    let excess = tokio::time::timeout(std::time::Duration::from_secs(30), guard).await;
    let excess = excess.expect("24 MiB are more than 16");
    assert!(
        matches!(excess, SandboxError::DiskExceeded { .. }),
        "{excess}"
    );
}
