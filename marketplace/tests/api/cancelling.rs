//! Cancelling, at every stage of a job.

use crate::support::{TestMarket, job};
use sublet_protocol::heartbeat::{Action, StopWhy};
use sublet_protocol::lease::{EndCode, LeaseState};
use sublet_protocol::money::MicroUsd;
use sublet_protocol::problem::ProblemCode;
use sublet_protocol::renter::JobState;

#[tokio::test]
async fn a_waiting_job_is_cancelled_at_once_and_only_once() {
    let market = TestMarket::start().await;
    let renter = market.renter("alice", "1");
    let submitted = renter.submit(&job("0.36", "")).await.unwrap();
    assert_eq!(
        renter.cancel(&submitted).await.unwrap().state,
        JobState::Cancelled
    );
    let again = renter.cancel(&submitted).await.unwrap_err();
    assert_eq!(again.code, ProblemCode::Conflict);
    assert!(again.detail.contains("cancelled already"), "{again}");
}

#[tokio::test]
async fn a_job_on_offer_is_cancelled_at_once_and_its_rig_is_told() {
    let market = TestMarket::start().await;
    let renter = market.renter("alice", "1");
    let mut rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 360_000)]).await;
    let submitted = renter.submit(&job("0.36", "")).await.unwrap();
    let lease = rig.granted().await.lease;
    assert_eq!(
        renter.cancel(&submitted).await.unwrap().state,
        JobState::Cancelled
    );
    assert_eq!(
        rig.command().await,
        Action::Stop {
            lease: lease.clone(),
            why: StopWhy::Cancelled
        }
    );
    // It had begun already when the command came: that is settled, and unpaid.
    let reply = rig.report(&lease, LeaseState::Starting, 0).await;
    assert_eq!(reply.settled, [lease]);
    assert_eq!(renter.account().await.balance, MicroUsd(1_000_000));
    market.audit().await;
}

#[tokio::test]
async fn a_running_job_is_cancelled_when_its_rig_confirms_and_its_time_is_paid() {
    let market = TestMarket::start().await;
    let renter = market.renter("alice", "1");
    let mut rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 360_000)]).await;
    let submitted = renter.submit(&job("0.36", "")).await.unwrap();
    let lease = rig.granted().await.lease;
    rig.report(&lease, LeaseState::Running, 500).await;
    assert_eq!(
        renter.cancel(&submitted).await.unwrap().state,
        JobState::Leased
    );
    let stop = Action::Stop {
        lease: lease.clone(),
        why: StopWhy::Cancelled,
    };
    assert_eq!(rig.command().await, stop);
    rig.report(&lease, LeaseState::Reclaiming, 900).await;
    let last = rig.ends(
        &lease,
        LeaseState::Failed,
        1_000,
        EndCode::Cancelled,
        vec![],
    );
    assert_eq!(rig.beat(vec![last]).await.settled, [lease]);
    let view = renter.job(&submitted).await;
    assert_eq!(
        (view.state, view.charged),
        (JobState::Cancelled, MicroUsd(100))
    );
    assert_eq!(renter.account().await.balance, MicroUsd(999_900));
    market.audit().await;
}

#[tokio::test]
async fn a_job_is_its_renter_s_alone() {
    let market = TestMarket::start().await;
    let (alice, eve) = (market.renter("alice", "1"), market.renter("eve", "1"));
    let submitted = alice.submit(&job("0.36", "")).await.unwrap();
    assert_eq!(
        eve.cancel(&submitted).await.unwrap_err().code,
        ProblemCode::NotFound
    );
    let path = format!("/v1/jobs/{submitted}");
    let looked = eve
        .request(reqwest::Method::GET, &path)
        .send()
        .await
        .unwrap();
    assert_eq!(
        crate::support::problem(looked).await.code,
        ProblemCode::NotFound
    );
}
