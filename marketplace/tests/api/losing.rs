//! Rigs that refuse, do not answer, or fall silent; and where their jobs go.

use crate::support::{TestMarket, TestRig, job, quick};
use std::time::{Duration, Instant};
use sublet_market::app::Timing;
use sublet_protocol::heartbeat::{Action, StopWhy};
use sublet_protocol::lease::{EndCode, LeaseState};
use sublet_protocol::money::MicroUsd;
use sublet_protocol::renter::JobState;

/// Heartbeats until a command comes: a rig that only listens would itself be taken for lost.
async fn granted_while_beating(rig: &mut TestRig) -> sublet_protocol::lease::LeaseGrant {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let reply = rig.beat(vec![]).await;
        if let Some(command) = reply.commands.into_iter().next() {
            rig.commands_seen = command.id;
            match command.action {
                Action::Grant { grant } => return *grant,
                Action::Stop { .. } => continue,
            }
        }
        assert!(Instant::now() < deadline, "no grant came");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_silent_rig_loses_its_lease_to_another_and_is_paid_to_its_last_signed_reading() {
    let market = TestMarket::with(quick()).await;
    let renter = market.renter("alice", "1");
    let mut first = market.rig(1).await;
    first.offer(&[("gpu-a", 360_000)]).await;
    let submitted = renter.submit(&job("0.72", "")).await.unwrap();
    let lost = first.granted().await.lease;
    first.report(&lost, LeaseState::Running, 1_000).await;

    // Silence. Another rig, dearer, is there.
    let mut second = market.rig(2).await;
    second.offer(&[("gpu-b", 720_000)]).await;
    let grant = granted_while_beating(&mut second).await;
    assert_eq!(grant.job, submitted);
    let view = renter.job(&submitted).await;
    assert_eq!(view.leases[0].state, LeaseState::Lost);
    assert_eq!(view.leases[0].charged, MicroUsd(100));

    // The first one comes back, still running it: it is told to stop, and its later time is not paid.
    let running = first.says(&lost, LeaseState::Running, 1_900);
    let reply = first.beat(vec![running]).await;
    let stop = Action::Stop {
        lease: lost.clone(),
        why: StopWhy::Lost,
    };
    assert_eq!(reply.commands[0].action, stop);
    assert_eq!(reply.settled, [lost]);
    assert_eq!(first.held, MicroUsd(95));

    let last = second.ends(
        &grant.lease,
        LeaseState::Finished,
        1_000,
        EndCode::Completed,
        vec![],
    );
    second.beat(vec![last]).await;
    let view = renter.job(&submitted).await;
    assert_eq!(
        (view.state, view.charged),
        (JobState::Completed, MicroUsd(300))
    );
    market.audit().await;
}

#[tokio::test]
async fn a_gpu_that_still_drains_is_not_offered_again() {
    let market = TestMarket::with(quick()).await;
    let renter = market.renter("alice", "1");
    let mut rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 360_000)]).await;
    let submitted = renter.submit(&job("0.36", "")).await.unwrap();
    let lost = rig.granted().await.lease;
    rig.report(&lost, LeaseState::Running, 500).await;
    renter
        .until(&submitted, |view| view.state == JobState::Queued)
        .await;
    // Back, and still at it: no new lease for this GPU while it says so.
    for _ in 0..10 {
        let running = rig.says(&lost, LeaseState::Running, 600);
        let reply = rig.beat(vec![running]).await;
        let grant =
            |c: &sublet_protocol::heartbeat::Command| matches!(c.action, Action::Grant { .. });
        assert!(!reply.commands.iter().any(grant), "{:?}", reply.commands);
        let view = renter.job(&submitted).await;
        assert_eq!(view.state, JobState::Queued);
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let over = rig.ends(&lost, LeaseState::Failed, 600, EndCode::Cancelled, vec![]);
    rig.beat(vec![over]).await;
    assert_eq!(granted_while_beating(&mut rig).await.job, submitted);
    market.audit().await;
}

#[tokio::test]
async fn an_offer_nobody_answers_goes_to_the_next_rig_and_costs_no_retry() {
    let market = TestMarket::with(quick()).await;
    let renter = market.renter("alice", "1");
    let mut deaf = market.rig(1).await;
    deaf.offer(&[("gpu-a", 360_000)]).await;
    let submitted = renter
        .submit(&job("0.72", "      retries: 0\n"))
        .await
        .unwrap();
    renter
        .until(&submitted, |view| view.leases.len() == 1)
        .await;
    let mut next = market.rig(2).await;
    next.offer(&[("gpu-b", 720_000)]).await;
    // It lives, but does not take the lease.
    let deadline = Instant::now() + Duration::from_secs(20);
    while renter.job(&submitted).await.leases.len() < 2 {
        assert!(Instant::now() < deadline);
        deaf.beat(vec![]).await;
        next.beat(vec![]).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let view = renter.job(&submitted).await;
    assert_eq!(view.leases[0].state, LeaseState::Refused);
    assert_eq!(view.leases[1].rig, next.session.rig);
    // What was offered is withdrawn: the deaf one finds only the order to stop.
    let left: Vec<Action> = deaf.poll(0).await.into_iter().map(|c| c.action).collect();
    let stop = Action::Stop {
        lease: view.leases[0].lease.clone(),
        why: StopWhy::Lost,
    };
    assert_eq!(left, [stop]);
    market.audit().await;
}

#[tokio::test]
async fn a_rig_that_refused_is_asked_again_only_after_a_while() {
    let timing = Timing {
        refused_ms: 1_500,
        ..Timing::default()
    };
    let market = TestMarket::with(timing).await;
    let renter = market.renter("alice", "1");
    let mut rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 360_000)]).await;
    let submitted = renter.submit(&job("0.36", "")).await.unwrap();
    let refused = rig.granted().await.lease;
    let no = rig.ends(
        &refused,
        LeaseState::Refused,
        0,
        EndCode::NotAccepted,
        vec![],
    );
    let said = Instant::now();
    assert_eq!(rig.beat(vec![no]).await.settled, [refused]);
    let why =
        |view: &sublet_protocol::renter::JobView| view.waiting_for.clone().unwrap_or_default();
    let view = renter
        .until(&submitted, |view| why(view).contains("refused"))
        .await;
    assert_eq!(
        why(&view),
        "1 GPU on offer, but the rigs that fit refused the job or failed at it a moment ago"
    );
    assert_eq!(rig.granted().await.job, submitted);
    assert!(said.elapsed() >= Duration::from_millis(1_400));
}

#[tokio::test]
async fn a_reclaimed_job_goes_on_elsewhere_and_it_costs_no_try() {
    let market = TestMarket::start().await;
    let renter = market.renter("alice", "1");
    let (mut a, mut b) = (market.rig(1).await, market.rig(2).await);
    a.offer(&[("gpu-a", 360_000)]).await;
    let submitted = renter
        .submit(&job("0.72", "      retries: 0\n"))
        .await
        .unwrap();
    let first = a.granted().await.lease;
    b.offer(&[("gpu-b", 720_000)]).await;
    let over = a.ends(
        &first,
        LeaseState::Finished,
        1_000,
        EndCode::Reclaimed,
        vec![],
    );
    a.beat(vec![over]).await;
    // The first is cheaper, and free again, but was taken back from this job once: it is asked last.
    let second = b.granted().await.lease;
    let over = b.ends(
        &second,
        LeaseState::Failed,
        1_000,
        EndCode::SandboxFailed,
        vec![],
    );
    b.beat(vec![over]).await;
    let view = renter.job(&submitted).await;
    assert_eq!((view.state, view.leases.len()), (JobState::Failed, 2));
    assert_eq!(view.charged, MicroUsd(300));
    market.audit().await;
}

#[tokio::test]
async fn a_job_does_not_use_up_its_tries_on_a_rig_that_cannot_reach_its_image() {
    let market = TestMarket::start().await;
    let renter = market.renter("alice", "1");
    let (mut a, mut b) = (market.rig(1).await, market.rig(2).await);
    a.offer(&[("gpu-a", 360_000)]).await;
    let submitted = renter
        .submit(&job("0.72", "      retries: 2\n"))
        .await
        .unwrap();
    let first = a.granted().await.lease;
    let over = a.ends(
        &first,
        LeaseState::Failed,
        0,
        EndCode::SandboxFailed,
        vec![],
    );
    a.beat(vec![over]).await;
    // It is free and fits, and is not asked again at once.
    let view = renter
        .until(&submitted, |view| {
            let why = view.waiting_for.as_deref();
            why.is_some_and(|why| why.contains("failed at it a moment ago"))
        })
        .await;
    assert_eq!((view.state, view.leases.len()), (JobState::Queued, 1));
    // Another rig, though dearer, is.
    b.offer(&[("gpu-b", 720_000)]).await;
    assert_eq!(b.granted().await.job, submitted);
}

#[tokio::test]
async fn a_cancelled_job_whose_rig_falls_silent_is_cancelled_all_the_same() {
    let market = TestMarket::with(quick()).await;
    let renter = market.renter("alice", "1");
    let mut rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 360_000)]).await;
    let submitted = renter.submit(&job("0.36", "")).await.unwrap();
    let lease = rig.granted().await.lease;
    rig.report(&lease, LeaseState::Running, 100).await;
    renter.cancel(&submitted).await.unwrap();
    let view = renter.until(&submitted, |view| view.state.is_over()).await;
    assert_eq!((view.state, view.leases.len()), (JobState::Cancelled, 1));
}

#[tokio::test]
async fn a_grant_reaches_a_waiting_rig_within_a_moment() {
    let market = TestMarket::start().await;
    let renter = market.renter("alice", "1");
    let mut rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 360_000)]).await;
    rig.beat(vec![]).await;
    let waiting = async {
        let grant = rig.granted().await;
        (grant, Instant::now())
    };
    let submitting = async {
        // The poll is under way by then, or comes to a full queue: both must answer at once.
        let asked = Instant::now();
        (renter.submit(&job("0.36", "")).await.unwrap(), asked)
    };
    let ((grant, came), (submitted, asked)) = tokio::join!(waiting, submitting);
    assert_eq!(grant.job, submitted);
    let took = came.duration_since(asked);
    assert!(took < Duration::from_secs(2), "{took:?}");
    // Delivered at least once: the heartbeat brings it too, until it is acknowledged.
    rig.commands_seen = 0;
    assert_eq!(rig.beat(vec![]).await.commands.len(), 1);
    rig.commands_seen = 1;
    assert_eq!(rig.beat(vec![]).await.commands, []);
    rig.commands_seen = 0;
    assert_eq!(rig.beat(vec![]).await.commands, []);
}
