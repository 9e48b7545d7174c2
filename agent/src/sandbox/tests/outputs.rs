//! What comes out of a job, and what does not.

use super::Stage;
use crate::sandbox::{Collected, SandboxError};
use std::path::Path;
use sublet_protocol::blob::BlobId;
use sublet_protocol::job::JobSpec;
use sublet_protocol::lease::EndCode;

/// Runs a job and collects its outputs.
async fn collect(
    stage: &Stage,
    spec: &JobSpec,
    into: &Path,
    limit: u64,
) -> Result<Vec<Collected>, SandboxError> {
    let terms = stage.lease().await;
    let (said, exit) = stage.run_spec(spec, &terms).await?;
    assert_eq!(exit.code, 0, "{said}");
    assert!(!said.contains("Ok("), "a deed failed: {said}");
    let collected = stage.sandbox.collect(&terms.lease, spec, into, limit).await;
    stage.sandbox.remove(&terms.lease).await?;
    collected
}

/// The outputs are refused for this reason, and nothing is left of them that could be taken for one.
async fn refused(deeds: &[&str], limit: u64, reason: &str) {
    let stage = Stage::set().await;
    let folder = tempfile::tempdir().unwrap();
    let spec = stage.spec(deeds).await;
    let error = collect(&stage, &spec, folder.path(), limit)
        .await
        .unwrap_err();
    let SandboxError::OutputRefused { path, why } = &error else {
        panic!("{error}");
    };
    assert_eq!(path, "/out/a");
    assert!(why.contains(reason), "{why}");
    assert_eq!(error.end_code(), EndCode::OutputRefused);
}

#[tokio::test]
async fn outputs_come_out_whole_with_their_cids() {
    let stage = Stage::set().await;
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("lease");
    let mut spec = stage
        .spec(&[
            "write /out/a hello",
            "fill /out/b 3",
            "write /out/c ",
            "write /out/d unasked",
        ])
        .await;
    let long = format!("/out/{}", "n".repeat(200));
    spec.command
        .as_mut()
        .unwrap()
        .push(format!("write {long} long"));
    spec.outputs = ["/out/a", "/out/b", "/out/c", &long]
        .map(String::from)
        .into();
    let collected = collect(&stage, &spec, &into, 16 << 20).await.unwrap();

    let expected: [&[u8]; 4] = [b"hello", &vec![7; 3 << 20], b"", b"long"];
    assert_eq!(collected.len(), expected.len());
    for ((collected, bytes), path) in collected.iter().zip(expected).zip(&spec.outputs) {
        assert_eq!(&collected.output.path, path);
        assert_eq!(collected.output.cid, BlobId::of(bytes), "{path}");
        assert_eq!(collected.output.bytes, bytes.len() as u64);
        assert_eq!(std::fs::read(&collected.file).unwrap(), bytes);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&collected.file)
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
    assert_eq!(
        std::fs::read_dir(&into).unwrap().count(),
        4,
        "and nothing else"
    );
}

#[tokio::test]
async fn collecting_again_gives_the_same_and_follows_no_link_here() {
    let stage = Stage::set().await;
    let folder = tempfile::tempdir().unwrap();
    let spec = stage.spec(&["write /out/a hello"]).await;
    let terms = stage.lease().await;
    stage.run_spec(&spec, &terms).await.unwrap();
    let collect = || {
        stage
            .sandbox
            .collect(&terms.lease, &spec, folder.path(), 100)
    };
    let first = collect().await.unwrap();
    let precious = folder.path().join("precious");
    std::fs::write(&precious, "mine").unwrap();
    std::fs::remove_file(&first[0].file).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&precious, &first[0].file).unwrap();
    assert_eq!(collect().await.unwrap(), first);
    assert_eq!(std::fs::read(&first[0].file).unwrap(), b"hello");
    assert_eq!(std::fs::read(&precious).unwrap(), b"mine");
}

#[tokio::test]
async fn the_output_folder_may_be_one_of_the_image_deep_down() {
    let stage = Stage::set().await;
    let folder = tempfile::tempdir().unwrap();
    let mut spec = stage.spec(&["write /var/lib/job/out/a hello"]).await;
    spec.outputs = vec!["/var/lib/job/out/a".into()];
    let collected = collect(&stage, &spec, folder.path(), 100).await.unwrap();
    assert_eq!(collected[0].output.cid, BlobId::of(b"hello"));
}

#[tokio::test]
async fn a_link_is_refused() {
    refused(&["symlink /etc/hostname /out/a"], 1000, "a symbolic link").await;
}

#[tokio::test]
async fn a_link_out_of_its_place_is_refused() {
    refused(
        &["symlink ../../../../etc/passwd /out/a"],
        1000,
        "a symbolic link",
    )
    .await;
}

#[tokio::test]
async fn a_pipe_is_refused() {
    refused(&["pipe /out/a"], 1000, "a named pipe").await;
}

#[tokio::test]
async fn a_folder_is_refused() {
    refused(&["folder /out/a", "write /out/a/b x"], 1000, "a folder").await;
}

#[tokio::test]
async fn a_missing_output_is_refused() {
    refused(&["write /out/b x"], 1000, "did not write it").await;
}

#[tokio::test]
async fn an_output_over_the_limit_is_refused() {
    refused(&["write /out/a hello"], 4, "larger than the 4 bytes").await;
}

#[tokio::test]
async fn an_output_of_holes_counts_with_its_length() {
    refused(&["sparse /out/a 60"], 1 << 20, "larger than").await;
}

#[tokio::test]
async fn the_limit_is_for_all_outputs_together() {
    let stage = Stage::set().await;
    let folder = tempfile::tempdir().unwrap();
    let mut spec = stage
        .spec(&["write /out/a hello", "write /out/b hello"])
        .await;
    spec.outputs = vec!["/out/a".into(), "/out/b".into()];
    let error = collect(&stage, &spec, folder.path(), 9).await.unwrap_err();
    let SandboxError::OutputRefused { path, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(path, "/out/b");
    assert!(collect(&stage, &spec, folder.path(), 10).await.is_ok());
}

#[tokio::test]
async fn a_full_or_forbidden_disk_here_is_not_the_jobs_fault() {
    let stage = Stage::set().await;
    let folder = tempfile::tempdir().unwrap();
    let occupied = folder.path().join("occupied");
    std::fs::write(&occupied, "a file where a folder should be").unwrap();
    let spec = stage.spec(&["write /out/a hello"]).await;
    let error = collect(&stage, &spec, &occupied, 100).await.unwrap_err();
    assert!(matches!(error, SandboxError::Disk { .. }), "{error}");
    assert_eq!(error.end_code(), EndCode::SandboxFailed);
}
