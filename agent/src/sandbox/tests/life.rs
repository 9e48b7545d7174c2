//! From start to exit: frozen, thawed, killed, awaited; and everything twice.

use super::Stage;
use super::spec;
use super::stage::until;
use crate::sandbox::socket::within;
use crate::sandbox::{FoundState, Sandbox, SandboxError};
use futures_util::StreamExt;
use std::time::{Duration, Instant};
use sublet_protocol::ids::LeaseId;
use sublet_protocol::lease::EndCode;

#[tokio::test]
async fn a_job_runs_and_its_exit_is_told() {
    let stage = Stage::set().await;
    let (said, exit) = stage.run(&["say hello", "sleep 300", "exit 3"]).await;
    assert_eq!(said, "hello\n");
    assert_eq!((exit.code, exit.oom_killed), (3, false));
    let ran = exit.finished_at_ms - exit.started_at_ms;
    // Docker notes the start a little after the program's first breath.
    assert!((200..20_000).contains(&ran), "{ran} ms");
}

#[tokio::test]
async fn started_twice_is_one_container_and_one_run() {
    let stage = Stage::set().await;
    let spec = stage.spec(&["say once", "sleep 400"]).await;
    let terms = stage.lease().await;
    let first = stage.sandbox.start(&spec, &terms).await.unwrap();
    assert_eq!(stage.sandbox.start(&spec, &terms).await.unwrap(), first);
    let exit = stage.sandbox.wait(&terms.lease).await.unwrap();
    // Nor does it run again once it has ended.
    assert_eq!(stage.sandbox.start(&spec, &terms).await.unwrap(), first);
    assert_eq!(stage.sandbox.wait(&terms.lease).await.unwrap(), exit);
    assert_eq!(stage.said(&terms.lease).await, "once\n");
    assert_eq!(stage.sandbox.look(&stage.rig).await.unwrap().len(), 1);
}

#[tokio::test]
async fn two_starts_at_once_are_one_run() {
    let stage = Stage::set().await;
    let spec = stage.spec(&["say once"]).await;
    let terms = stage.lease().await;
    let (one, other) = tokio::join!(
        stage.sandbox.start(&spec, &terms),
        stage.sandbox.start(&spec, &terms)
    );
    assert_eq!(one.unwrap(), other.unwrap());
    stage.sandbox.wait(&terms.lease).await.unwrap();
    assert_eq!(stage.said(&terms.lease).await, "once\n");
}

#[tokio::test]
async fn a_container_left_by_a_crash_before_its_start_is_started() {
    let stage = Stage::set().await;
    let mut spec = stage.spec(&["write /out/a kept"]).await;
    let terms = stage.lease().await;
    // The crash came after this, and before the volume was ready.
    let body = stage.sandbox.body(&spec, &terms).await.unwrap();
    stage.sandbox.create(&terms, body).await.unwrap();
    let found = stage.sandbox.look(&stage.rig).await.unwrap();
    assert_eq!(found[0].state, FoundState::Created);
    let waited = stage.sandbox.wait(&terms.lease).await.unwrap_err();
    assert!(waited.to_string().contains("never started"), "{waited}");

    let (said, exit) = stage.run_spec(&spec, &terms).await.unwrap();
    assert_eq!((said.as_str(), exit.code), ("write /out/a: done\n", 0));

    // The name alone does not make a container this lease's.
    spec.image = stage.push().image;
    let other = stage.sandbox.start(&spec, &terms).await.unwrap_err();
    assert!(other.to_string().contains("another container"), "{other}");
}

#[tokio::test]
async fn a_frozen_job_stands_still_and_goes_on_when_thawed() {
    let stage = Stage::set().await;
    let spec = stage.spec(&["tick 100000"]).await;
    let terms = stage.lease().await;
    let lease = &terms.lease;
    stage.sandbox.start(&spec, &terms).await.unwrap();
    stage.until_said(lease, "tick 3\n").await;

    stage.sandbox.freeze(lease).await.unwrap();
    stage.sandbox.freeze(lease).await.unwrap();
    assert_eq!(
        stage.sandbox.look(&stage.rig).await.unwrap()[0].state,
        FoundState::Paused
    );
    let said = stage.said(lease).await;
    // Twenty ticks' time, in which nothing may come; there is no event to wait for.
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(stage.said(lease).await, said);

    stage.sandbox.thaw(lease).await.unwrap();
    stage.sandbox.thaw(lease).await.unwrap();
    until("it ticks again", async || {
        stage.said(lease).await.len() > said.len()
    })
    .await;
    stage.sandbox.kill(lease).await.unwrap();
    assert_eq!(stage.sandbox.wait(lease).await.unwrap().code, 137);
}

#[tokio::test]
async fn a_killed_job_is_gone_at_once_frozen_or_not() {
    let stage = Stage::set().await;
    for frozen in [false, true] {
        let spec = stage.spec(&["spin 600000"]).await;
        let terms = stage.lease().await;
        stage.sandbox.start(&spec, &terms).await.unwrap();
        if frozen {
            stage.sandbox.freeze(&terms.lease).await.unwrap();
        }
        let begun = Instant::now();
        stage.sandbox.kill(&terms.lease).await.unwrap();
        let exit = stage.sandbox.wait(&terms.lease).await.unwrap();
        // Usually under 100 ms; the bound leaves room for a busy machine.
        assert!(
            begun.elapsed() < Duration::from_secs(3),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!((exit.code, exit.oom_killed), (137, false));
        // What has ended can be neither frozen, thawed nor killed; asking is no error.
        stage.sandbox.freeze(&terms.lease).await.unwrap();
        stage.sandbox.thaw(&terms.lease).await.unwrap();
        stage.sandbox.kill(&terms.lease).await.unwrap();
    }
}

#[tokio::test]
async fn waiting_sees_an_exit_past_and_to_come() {
    let stage = Stage::set().await;
    let spec = stage.spec(&["sleep 500", "exit 7"]).await;
    let terms = stage.lease().await;
    stage.sandbox.start(&spec, &terms).await.unwrap();
    let patience = Duration::from_secs(20);
    let wait = || tokio::time::timeout(patience, stage.sandbox.wait(&terms.lease));
    let exit = wait().await.unwrap().unwrap();
    assert_eq!(exit.code, 7);
    assert_eq!(wait().await.unwrap().unwrap(), exit);
    // As after a restart of the agent.
    let again = Sandbox::connect().await.unwrap();
    assert_eq!(again.wait(&terms.lease).await.unwrap(), exit);
}

#[tokio::test]
async fn a_container_removed_behind_our_back_is_called_gone() {
    let stage = Stage::set().await;
    let spec = stage.spec(&["sleep 600000"]).await;
    let terms = stage.lease().await;
    stage.sandbox.start(&spec, &terms).await.unwrap();
    let remover = async {
        stage.sandbox.remove(&terms.lease).await.unwrap();
    };
    let (waited, ()) = tokio::join!(stage.sandbox.wait(&terms.lease), remover);
    // Killed by the removal: seen as its exit, or as gone, whichever comes first.
    if let Ok(exit) = waited {
        assert_eq!(exit.code, 137);
    }
    let gone = |error: SandboxError| {
        assert!(matches!(error, SandboxError::Gone { .. }), "{error}");
        assert_eq!(error.end_code(), EndCode::SandboxFailed);
    };
    gone(stage.sandbox.wait(&terms.lease).await.unwrap_err());
    gone(stage.sandbox.freeze(&terms.lease).await.unwrap_err());
    gone(stage.sandbox.thaw(&terms.lease).await.unwrap_err());
    gone(
        stage
            .sandbox
            .logs(&terms.lease, 0, false)
            .next()
            .await
            .unwrap()
            .unwrap_err(),
    );
    stage.sandbox.kill(&terms.lease).await.unwrap();
}

#[tokio::test]
async fn logs_merge_both_streams_and_go_on_from_any_byte() {
    let stage = Stage::set().await;
    let spec = stage
        .spec(&[
            "say one",
            "sleep 100",
            "complain two",
            "sleep 100",
            "say three",
        ])
        .await;
    let terms = stage.lease().await;
    stage.sandbox.start(&spec, &terms).await.unwrap();
    // Followed while it runs, the stream ends with the job.
    let mut followed = Vec::new();
    let mut chunks = stage.sandbox.logs(&terms.lease, 0, true);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.unwrap();
        assert_eq!(chunk.offset, followed.len() as u64);
        followed.extend_from_slice(&chunk.bytes);
    }
    assert_eq!(String::from_utf8(followed).unwrap(), "one\ntwo\nthree\n");

    let rest: Vec<_> = stage.sandbox.logs(&terms.lease, 6, false).collect().await;
    let rest: Vec<_> = rest.into_iter().map(Result::unwrap).collect();
    assert_eq!((rest[0].offset, &rest[0].bytes[..]), (6, &b"o\n"[..]));
    assert_eq!((rest[1].offset, &rest[1].bytes[..]), (8, &b"three\n"[..]));
    assert_eq!(stage.sandbox.logs(&terms.lease, 14, false).count().await, 0);
}

#[tokio::test]
async fn a_command_that_cannot_run_is_the_jobs_fault() {
    let stage = Stage::set().await;
    let nowhere = stage.push_with(serde_json::json!({"Entrypoint": ["/nowhere"]}));
    stage.sandbox.pull(&nowhere.image, |_, _| {}).await.unwrap();
    let terms = stage.lease().await;
    let (said, exit) = stage
        .run_spec(&spec(nowhere.image, &["x"]), &terms)
        .await
        .unwrap();
    assert_eq!(exit.code, 127);
    assert!(said.contains("/nowhere"), "{said}");

    let nothing = stage.push_with(serde_json::json!({"Entrypoint": null}));
    stage.sandbox.pull(&nothing.image, |_, _| {}).await.unwrap();
    let mut spec = spec(nothing.image, &[]);
    spec.command = None;
    let terms = stage.lease().await;
    for _ in 0..2 {
        let error = stage.sandbox.start(&spec, &terms).await.unwrap_err();
        assert!(matches!(error, SandboxError::CannotStart { .. }), "{error}");
        assert_eq!(error.end_code(), EndCode::JobFailed);
    }
}

#[tokio::test]
async fn a_gpu_that_docker_cannot_hand_out_is_named_as_the_reason() {
    let stage = Stage::set().await;
    let spec = stage.spec(&["say hello"]).await;
    let mut terms = stage.lease().await;
    assert!(
        !terms.facts.nvidia,
        "this test wants a Docker without NVIDIA's runtime"
    );
    terms.gpus = vec!["GPU-11111111-2222-3333-4444-555555555555".into()];
    let refused = stage.sandbox.start(&spec, &terms).await.unwrap_err();
    assert!(
        matches!(refused, SandboxError::DeviceUnavailable { .. }),
        "{refused}"
    );
    // The same when the facts are out of date, and Docker itself says so.
    terms.facts.nvidia = true;
    let refused = stage.sandbox.start(&spec, &terms).await.unwrap_err();
    assert!(
        matches!(refused, SandboxError::DeviceUnavailable { .. }),
        "{refused}"
    );
    assert_eq!(refused.end_code(), EndCode::NotAccepted);
}

#[tokio::test]
async fn no_docker_is_said_plainly() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("none.sock");
    let host = format!("unix://{}", socket.display());
    let error = Sandbox::connect_to(&host).await.unwrap_err();
    assert!(
        matches!(error, SandboxError::DockerUnavailable { .. }),
        "{error}"
    );

    // A socket that nobody listens on any more, and one that goes away under a connection.
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    drop(listener);
    let error = Sandbox::connect_to(&host).await.unwrap_err();
    assert!(
        matches!(error, SandboxError::DockerUnavailable { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("refused"), "{error}");

    let error = Sandbox::connect_to("tcp://192.0.2.1:2375")
        .await
        .unwrap_err();
    assert!(
        matches!(error, SandboxError::DockerElsewhere { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_docker_that_never_answers_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("mute.sock");
    let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let docker = bollard::Docker::connect_with_local(
        &format!("unix://{}", socket.display()),
        120,
        bollard::API_DEFAULT_VERSION,
    )
    .unwrap();
    let patience = Duration::from_millis(100);
    let error = within("say its version", patience, docker.version())
        .await
        .unwrap_err();
    assert!(matches!(error, SandboxError::Timeout { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("did not say its version within 0.1 s"),
        "{error}"
    );
}

#[tokio::test]
async fn a_lease_that_never_was_is_gone_and_killing_it_is_fine() {
    let sandbox = Sandbox::connect().await.unwrap();
    let lease = LeaseId::new("test-never-was").unwrap();
    assert!(matches!(
        sandbox.wait(&lease).await,
        Err(SandboxError::Gone { .. })
    ));
    sandbox.kill(&lease).await.unwrap();
    sandbox.remove(&lease).await.unwrap();
}
