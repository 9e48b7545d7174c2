//! Finding what a crash left, and leaving nothing.

use super::Stage;
use crate::sandbox::{Content, FoundState};

#[tokio::test]
async fn looking_finds_every_lease_as_it_stands() {
    let stage = Stage::set().await;
    let running = stage.lease().await;
    let ended = stage.lease().await;
    let frozen = stage.lease().await;
    let remains = stage.lease().await;
    let long = stage.spec(&["sleep 600000"]).await;
    let short = stage.spec(&["exit 5"]).await;
    for (spec, terms) in [(&long, &running), (&short, &ended), (&long, &frozen)] {
        stage.sandbox.start(spec, terms).await.unwrap();
    }
    let exit = stage.sandbox.wait(&ended.lease).await.unwrap();
    stage.sandbox.freeze(&frozen.lease).await.unwrap();
    stage
        .sandbox
        .prepare_volumes(&long, &remains, &Content::default())
        .await
        .unwrap();

    let found = stage.sandbox.look(&stage.rig).await.unwrap();
    assert_eq!(found.len(), 4);
    let one = |lease| found.iter().find(|found| &found.lease == lease).unwrap();
    assert_eq!(one(&running.lease).state, FoundState::Running);
    assert!(one(&running.lease).started_at_ms.is_some());
    assert_eq!(one(&running.lease).finished_at_ms, None);
    assert_eq!(one(&frozen.lease).state, FoundState::Paused);
    assert_eq!(one(&ended.lease).state, FoundState::Exited);
    assert_eq!(one(&ended.lease).exit, Some(exit));
    assert_eq!(one(&ended.lease).finished_at_ms, Some(exit.finished_at_ms));
    assert_eq!(one(&remains.lease).state, FoundState::OnlyRemains);

    // Of another rig on the same machine, nothing.
    let other = Stage::set().await;
    assert_eq!(other.sandbox.look(&other.rig).await.unwrap(), []);
}

#[tokio::test]
async fn removing_leaves_nothing_and_may_be_repeated() {
    let stage = Stage::set().await;
    let pushed = stage.push_with(serde_json::json!({"Volumes": {"/data": {}}}));
    stage.sandbox.pull(&pushed.image, |_, _| {}).await.unwrap();
    let spec = super::spec(pushed.image, &["sleep 600000"]);
    let terms = stage.lease().await;
    let before = volumes(&stage).await;
    stage.sandbox.start(&spec, &terms).await.unwrap();
    let ours = format!("sublet-{}-out", terms.lease);
    assert!(volumes(&stage).await.contains(&ours));
    for _ in 0..2 {
        stage.sandbox.remove(&terms.lease).await.unwrap();
        assert_eq!(stage.sandbox.look(&stage.rig).await.unwrap(), []);
    }
    // Other tests make and remove volumes meanwhile; nameless ones only come from images that declare them.
    let nameless = |names: Vec<String>| names.into_iter().filter(|n| n.len() == 64).count();
    assert_eq!(nameless(volumes(&stage).await), nameless(before));
}

#[tokio::test]
async fn two_removals_at_once_both_succeed() {
    let stage = Stage::set().await;
    let spec = stage.spec(&["sleep 600000"]).await;
    let terms = stage.lease().await;
    stage.sandbox.start(&spec, &terms).await.unwrap();
    let (one, other) = tokio::join!(
        stage.sandbox.remove(&terms.lease),
        stage.sandbox.remove(&terms.lease)
    );
    one.unwrap();
    other.unwrap();
    assert_eq!(stage.sandbox.look(&stage.rig).await.unwrap(), []);
}

async fn volumes(stage: &Stage) -> Vec<String> {
    let listed = stage
        .sandbox
        .docker
        .list_volumes(None::<bollard::query_parameters::ListVolumesOptions>)
        .await
        .unwrap();
    let volumes = listed.volumes.unwrap_or_default();
    volumes.into_iter().map(|volume| volume.name).collect()
}
