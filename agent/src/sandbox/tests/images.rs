//! Pulling: what is there, what is not, and what is not what it says.

use super::Stage;
use super::stage::until;
use crate::sandbox::SandboxError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use sublet_protocol::job::ImageRef;
use sublet_protocol::lease::EndCode;

#[tokio::test]
async fn an_image_is_pulled_once_and_progress_is_told() {
    let stage = Stage::set().await;
    let pushed = stage.push();
    let mut news = Vec::new();
    stage
        .sandbox
        .pull(&pushed.image, |done, total| news.push((done, total)))
        .await
        .unwrap();
    assert!(news.iter().all(|(done, total)| done <= total), "{news:?}");
    let before = news.len();
    // Now the registry could say what it likes.
    stage.registry.tamper(&pushed.layer);
    stage
        .sandbox
        .pull(&pushed.image, |done, total| news.push((done, total)))
        .await
        .unwrap();
    assert_eq!(news.len(), before);
}

async fn refusal(stage: &Stage, image: &ImageRef) -> SandboxError {
    stage.sandbox.pull(image, |_, _| {}).await.unwrap_err()
}

#[tokio::test]
async fn a_digest_that_nobody_knows_is_not_found() {
    let stage = Stage::set().await;
    let image = stage.registry.image(&format!("sha256:{}", "ab".repeat(32)));
    let error = refusal(&stage, &image).await;
    assert!(
        matches!(error, SandboxError::ImageNotFound { .. }),
        "{error}"
    );
    assert_eq!(error.end_code(), EndCode::ImageNotFound);
}

#[tokio::test]
async fn a_tampered_layer_is_found_out() {
    let stage = Stage::set().await;
    // A layer that Docker has from another test is not asked for again, so this one is like no other.
    let program = stage.rig.as_str().as_bytes();
    let other = stage.push_program(program, serde_json::json!({}));
    stage.registry.tamper(&other.layer);
    let error = refusal(&stage, &other.image).await;
    assert!(
        matches!(error, SandboxError::ImageTampered { .. }),
        "{error}"
    );
    assert_eq!(error.end_code(), EndCode::ImageTampered);
}

#[tokio::test]
async fn a_tampered_manifest_is_found_out() {
    let stage = Stage::set().await;
    let pushed = stage.push();
    stage.registry.tamper(pushed.image.digest());
    let error = refusal(&stage, &pushed.image).await;
    assert!(
        matches!(error, SandboxError::ImageTampered { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_registry_that_is_away_is_not_the_jobs_fault() {
    let stage = Stage::set().await;
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let image = format!("127.0.0.1:{port}/x@sha256:{}", "ab".repeat(32))
        .parse()
        .unwrap();
    let error = refusal(&stage, &image).await;
    assert!(
        matches!(error, SandboxError::RegistryUnreachable { .. }),
        "{error}"
    );
    assert_eq!(error.end_code(), EndCode::SandboxFailed);
}

#[tokio::test]
async fn a_pull_that_is_dropped_stops_and_can_be_taken_up_again() {
    let stage = Stage::set().await;
    let program = stage.rig.as_str().repeat(100_000);
    let pushed = stage.push_program(program.as_bytes(), serde_json::json!({}));
    stage.registry.trickle(&pushed.layer, true);
    let news = AtomicU64::new(0);
    {
        let pull = stage
            .sandbox
            .pull(&pushed.image, |done, _| news.store(done, Ordering::Relaxed));
        let begun = until("some of it is here", async || {
            news.load(Ordering::Relaxed) > 0
        });
        tokio::select! {
            outcome = pull => panic!("a layer of many seconds was pulled at once: {outcome:?}"),
            () = begun => {}
        }
    }
    // Docker notices with its next piece of news, long before the 12 s that the layer would take.
    let dropped = Instant::now();
    until("Docker hangs up on the registry", async || {
        stage.registry.trickling() == 0
    })
    .await;
    assert!(dropped.elapsed() < Duration::from_secs(8));
    stage.registry.trickle(&pushed.layer, false);
    let mut last = (0, 0);
    stage
        .sandbox
        .pull(&pushed.image, |done, total| last = (done, total))
        .await
        .unwrap();
    assert_eq!(last.0, last.1);
    assert!(last.0 > program.len() as u64);
}

#[tokio::test]
async fn a_job_whose_image_was_not_pulled_does_not_start() {
    let stage = Stage::set().await;
    let spec = super::spec(stage.push().image, &["say hello"]);
    let terms = stage.lease().await;
    let error = stage.sandbox.start(&spec, &terms).await.unwrap_err();
    assert!(
        matches!(error, SandboxError::ImageNotFound { .. }),
        "{error}"
    );
    assert_eq!(stage.sandbox.look(&stage.rig).await.unwrap(), []);
}
