//! More than the job's share of the machine.

use super::{Freedom, Scene, assert_nothing, attacks, told};
use crate::sandbox::FoundState;
use bollard::models::ResourcesUlimits;
use std::time::{Duration, Instant};

attacks! {
    a_crash: "core-dump", Freedom::plain().with(|host| {
        host.ulimits = Some(vec![ResourcesUlimits {
            name: Some("core".into()),
            soft: Some(-1),
            hard: Some(-1),
        }]);
    });
}

#[tokio::test]
async fn a_fork_bomb_ends_at_the_limit() {
    // 32 processes and threads, of which the init is one.
    Scene::set()
        .await
        .holds(&["fork-bomb", "400", "31"], Freedom::plain())
        .await;
}

#[tokio::test]
async fn a_balloon_bursts_in_the_job_alone() {
    let scene = Scene::set().await;
    let words = ["memory-balloon", "300"];
    let ((said, exit), free) = tokio::join!(
        scene.inside(&words),
        scene.outside(&words, Freedom::plain())
    );
    assert_nothing(words[0], &said);
    assert_eq!((exit.code, exit.oom_killed), (137, true));
    assert!(!told(&free).got.is_empty());
}

#[tokio::test]
async fn scratch_folders_fill_up_and_no_more() {
    // Of 128 MiB of memory, half for each folder, and all of it counted.
    Scene::set()
        .await
        .holds(&["scratch-fill", "300", "128"], Freedom::plain())
        .await;
}

#[tokio::test]
async fn scratch_folders_hold_so_many_files() {
    let words = ["scratch-inodes", "60000", "16384"];
    Scene::set().await.holds(&words, Freedom::plain()).await;
}

#[tokio::test]
async fn open_files_end_at_the_limit() {
    let free = Freedom::plain().with(|host| {
        host.ulimits = Some(vec![ResourcesUlimits {
            name: Some("nofile".into()),
            soft: Some(20_000),
            hard: Some(20_000),
        }]);
    });
    Scene::set()
        .await
        .holds(&["open-files", "15000", "8192"], free)
        .await;
}

#[tokio::test]
async fn a_hog_gets_the_processor_time_that_it_was_given() {
    let scene = Scene::set().await;
    // Far less than the machine can give, however busy it is with other things.
    let words = ["cpu-hog", "4", "10"];
    let mut spec = scene.spec(&words);
    spec.cpu_milli = 50;
    let terms = scene.stage.lease().await;
    // One after the other: beside its control it would have less than it may.
    let (said, _) = scene.inside_with(&spec, &terms).await;
    assert_nothing(words[0], &said);
    let free = told(&scene.outside(&words, Freedom::plain()).await);
    assert!(!free.got.is_empty(), "{:?}", free.tried);
}

#[tokio::test]
async fn whoever_ignores_every_signal_is_killed() {
    let scene = Scene::set().await;
    let spec = scene.spec(&["ignore-signals", "300"]);
    let terms = scene.stage.lease().await;
    let sandbox = &scene.stage.sandbox;
    sandbox.start(&spec, &terms).await.unwrap();
    scene.stage.until_said(&terms.lease, "ignored").await;

    // The polite word does nothing to it, so that the rest shows something.
    let name = super::super::super::names::container(&terms.lease);
    let polite = bollard::query_parameters::KillContainerOptionsBuilder::default()
        .signal("SIGTERM")
        .build();
    sandbox
        .docker
        .kill_container(&name, Some(polite))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(
        sandbox.look(&scene.stage.rig).await.unwrap()[0].state,
        FoundState::Running
    );

    let begun = Instant::now();
    sandbox.kill(&terms.lease).await.unwrap();
    let exit = sandbox.wait(&terms.lease).await.unwrap();
    assert_eq!(exit.code, 137);
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_nothing("ignore-signals", &scene.stage.said(&terms.lease).await);
}

#[tokio::test]
async fn a_flood_of_log_keeps_to_its_files() {
    const MIB: usize = 64;
    let scene = Scene::set().await;
    let terms = scene.stage.lease().await;
    let spec = scene.spec(&["log-flood", &MIB.to_string()]);
    let (said, _) = scene.inside_with(&spec, &terms).await;
    assert_nothing("log-flood", &said);
    assert!(
        said.len() < 17 << 20,
        "{} bytes of log are kept",
        said.len()
    );
    let free = scene.outside(&["log-flood", "24"], Freedom::plain()).await;
    assert!(
        free.len() > 24 << 20,
        "a plain container keeps all: {}",
        free.len()
    );
}

#[tokio::test]
async fn watchers_end_at_the_users_limit() {
    let allowed = std::fs::read_to_string("/proc/sys/fs/inotify/max_user_instances").unwrap();
    let scene = Scene::set().await;
    let more = "100000";
    let (said, _) = scene.inside(&["watches", more, allowed.trim()]).await;
    assert_nothing("watches", &said);
}

#[tokio::test]
async fn message_queues_go_with_the_job() {
    let scene = Scene::set().await;
    let before = std::fs::read_to_string("/proc/sysvipc/msg").unwrap();
    let (said, _) = scene.inside(&["message-queues", "100000", "32000"]).await;
    assert_nothing("message-queues", &said);
    assert_eq!(
        std::fs::read_to_string("/proc/sysvipc/msg").unwrap(),
        before
    );
}
