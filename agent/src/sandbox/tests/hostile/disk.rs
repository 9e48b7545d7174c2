//! The disk: what a job writes where its outputs lie.

use super::{Freedom, Scene, assert_nothing, told};
use crate::sandbox::{DiskLimits, Sandbox, SandboxError, SandboxTerms};
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;

#[tokio::test]
async fn one_file_ends_at_its_limit() {
    // Of 128 MiB of memory half is scratch, and a file may be as large.
    Scene::set()
        .await
        .holds(&["file-bomb", "100", "64"], Freedom::plain())
        .await;
}

fn limits() -> DiskLimits {
    DiskLimits {
        reserve_bytes: 1 << 30,
        output_files: 2_000,
        ..DiskLimits::default()
    }
}

/// Runs an attack that the guard must end, and returns the guard's word and what was written by then.
async fn guarded(scene: &Scene, words: &[&str]) -> (SandboxError, SandboxTerms) {
    let sandbox = scene.stage.sandbox.clone().with_disk_limits(limits());
    let terms = scene.stage.lease().await;
    let spec = scene.spec(words);
    sandbox.start(&spec, &terms).await.unwrap();
    let stopped = tokio::select! {
        stopped = sandbox.guard(&terms.lease, terms.limits.output_bytes) => stopped,
        exit = ended(&sandbox, &terms) => panic!("it came to its own end: {exit}"),
    };
    let exit = sandbox.wait(&terms.lease).await.unwrap();
    assert_eq!(exit.code, 137);
    assert_nothing(words[0], &scene.stage.said(&terms.lease).await);
    (stopped, terms)
}

async fn ended(sandbox: &Sandbox, terms: &SandboxTerms) -> String {
    let exit = sandbox.wait(&terms.lease).await;
    // The guard kills it, and is heard first.
    tokio::time::sleep(Duration::from_secs(5)).await;
    format!("{exit:?}")
}

#[tokio::test]
async fn many_files_are_stopped_at_what_all_may_take() {
    let scene = Scene::set().await;
    let words = ["many-files-bomb", "6000", "5999"];
    let begun = Instant::now();
    let (stopped, _) = guarded(&scene, &words).await;
    assert!(
        matches!(stopped, SandboxError::DiskExceeded { .. }),
        "{stopped}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    // Without the guard it would have got all that it wanted; less of it, for the sake of this disk.
    let free = scene
        .outside(&["many-files-bomb", "200", "16"], Freedom::plain())
        .await;
    assert!(!told(&free).got.is_empty(), "{free}");
}

#[tokio::test]
async fn a_flood_of_empty_files_is_stopped() {
    let scene = Scene::set().await;
    let (stopped, _) = guarded(&scene, &["inode-flood", "3000000", "2999999"]).await;
    assert!(
        matches!(stopped, SandboxError::DiskExceeded { .. }),
        "{stopped}"
    );
    let free = scene
        .outside(&["inode-flood", "20000", "2000"], Freedom::plain())
        .await;
    assert!(!told(&free).got.is_empty(), "{free}");
}

#[tokio::test]
async fn what_others_write_is_not_laid_to_the_job() {
    let scene = Scene::set().await;
    let sandbox = scene.stage.sandbox.clone().with_disk_limits(limits());
    let terms = scene.stage.lease().await;
    sandbox
        .start(&scene.spec(&["sleep"]), &terms)
        .await
        .unwrap();
    let before = sandbox.free().expect("Docker's disk is seen from here");
    let guard = sandbox.guard(&terms.lease, 16 * MIB);
    let innocent = async {
        // Another container writes many times what the job may, on the same disk, and stays there.
        let words = ["many-files-bomb", "400", "400"];
        let other = Freedom::plain().start(&scene, &words).await;
        super::super::stage::until("it has written", async || {
            scene.said(&other).await.contains("400 MiB (")
        })
        .await;
        let most = before.bytes.saturating_sub(16 * MIB);
        super::super::stage::until("the disk shows it", async || {
            sandbox.free().unwrap().bytes < most
        })
        .await;
        // Some looks later.
        tokio::time::sleep(Duration::from_secs(1)).await;
        scene.end(&other).await;
    };
    tokio::select! {
        stopped = guard => panic!("{stopped}"),
        () = innocent => {}
    }
}

#[tokio::test]
async fn below_the_reserve_nothing_is_pulled_started_or_let_run_on() {
    let scene = Scene::set().await;
    let terms = scene.stage.lease().await;
    let spec = scene.spec(&["sleep"]);
    let free = scene.stage.sandbox.free().unwrap();
    let greedy = scene.stage.sandbox.clone().with_disk_limits(DiskLimits {
        reserve_bytes: free.bytes * 2,
        ..limits()
    });
    let image = scene.stage.push().image;
    let refused = greedy.pull(&image, |_, _| {}).await.unwrap_err();
    assert!(
        matches!(refused, SandboxError::DiskReserved { .. }),
        "{refused}"
    );
    let refused = greedy.start(&spec, &terms).await.unwrap_err();
    assert!(
        matches!(refused, SandboxError::DiskReserved { .. }),
        "{refused}"
    );
    assert!(refused.end_code().may_retry());
    assert_eq!(greedy.look(&scene.stage.rig).await.unwrap(), []);

    scene.stage.sandbox.start(&spec, &terms).await.unwrap();
    let stopped = greedy.guard(&terms.lease, 16 * MIB).await;
    assert!(
        matches!(stopped, SandboxError::DiskReserved { .. }),
        "{stopped}"
    );
    assert_eq!(greedy.wait(&terms.lease).await.unwrap().code, 137);
}
