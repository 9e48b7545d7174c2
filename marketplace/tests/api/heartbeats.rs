//! Heartbeats that are refused, and lease reports that are not taken.

use crate::support::{AUDIENCE, TestMarket, TestRig, job, now_ms, problem};
use ed25519_dalek::SigningKey;
use reqwest::Method;
use sublet_protocol::heartbeat::CLOCK_TOLERANCE_MS;
use sublet_protocol::ids::LeaseId;
use sublet_protocol::lease::{EndCode, LeaseState};
use sublet_protocol::money::MicroUsd;
use sublet_protocol::problem::ProblemCode;
use sublet_protocol::usage::SignedUsage;

#[tokio::test]
async fn an_old_seq_a_wrong_epoch_and_a_clock_far_off_are_refused() {
    let market = TestMarket::start().await;
    let mut rig = market.rig(1).await;
    let first = rig.heartbeat(vec![]);
    rig.send(&first).await.unwrap();

    let repeated = rig.send(&first).await.unwrap_err();
    assert_eq!(repeated.code, ProblemCode::StaleSeq);
    assert!(
        repeated.detail.contains("seq 1 is not above 1"),
        "{repeated}"
    );

    let mut other = rig.heartbeat(vec![]);
    other.epoch += 1;
    assert_eq!(
        rig.send(&other).await.unwrap_err().code,
        ProblemCode::StaleEpoch
    );
    other.epoch -= 2;
    assert_eq!(
        rig.send(&other).await.unwrap_err().code,
        ProblemCode::StaleEpoch
    );

    let hours = 3 * 3_600_000;
    let mut late = rig.heartbeat(vec![]);
    late.sent_at_ms = now_ms() - hours;
    let refused = rig.send(&late).await.unwrap_err();
    assert_eq!(refused.code, ProblemCode::ClockOff);
    assert!(refused.detail.contains("ms behind"), "{refused}");
    assert!(refused.detail.contains("1080"), "{refused}");
    let mut early = rig.heartbeat(vec![]);
    early.sent_at_ms = now_ms() + CLOCK_TOLERANCE_MS + 60_000;
    let refused = rig.send(&early).await.unwrap_err();
    assert!(refused.detail.contains("ms ahead of"), "{refused}");

    // A refused heartbeat uses up no seq.
    let mut next = rig.heartbeat(vec![]);
    next.seq = 2;
    rig.send(&next).await.unwrap();
}

#[tokio::test]
async fn a_bad_token_and_another_rig_s_path_are_refused() {
    let market = TestMarket::start().await;
    let (mut ours, theirs) = (market.rig(1).await, market.rig(2).await);
    let beat = ours.heartbeat(vec![]);
    let path = ours.path("heartbeat");

    let cross = theirs.request(Method::POST, &path).json(&beat);
    assert_eq!(
        problem(cross.send().await.unwrap()).await.code,
        ProblemCode::Forbidden
    );

    let good = ours.session.token.clone();
    let mut flipped = good.clone();
    let last = if flipped.pop() == Some('0') { '1' } else { '0' };
    flipped.push(last);
    for bad in [flipped.as_str(), "", "nonsense", "rig-0.0", &good[1..]] {
        ours.session.token = bad.into();
        assert_eq!(
            ours.send(&beat).await.unwrap_err().code,
            ProblemCode::Unauthorized,
            "{bad}"
        );
    }
    ours.session.token = good;
    ours.send(&beat).await.unwrap();
}

/// A rig with two leases that run.
async fn two_leases(market: &TestMarket) -> (TestRig, LeaseId, LeaseId) {
    let renter = market.renter("alice", "5");
    let mut rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 360_000), ("gpu-b", 360_000)]).await;
    renter.submit(&job("0.36", "")).await.unwrap();
    renter.submit(&job("0.36", "")).await.unwrap();
    let (a, b) = (rig.granted().await.lease, rig.granted().await.lease);
    let running = LeaseState::Running;
    let reports = vec![rig.says(&a, running, 1_000), rig.says(&b, running, 1_000)];
    assert_eq!(rig.beat(reports).await.refused, []);
    (rig, a, b)
}

#[tokio::test]
async fn one_bad_report_costs_the_other_lease_nothing() {
    let market = TestMarket::start().await;
    let (mut rig, bad, good) = two_leases(&market).await;
    let mut good_used = 1_000;
    let elsewhere = LeaseId::new("lease-of-nobody").unwrap();
    let forged = SignedUsage::new(
        &SigningKey::from_bytes(&[7; 32]),
        AUDIENCE,
        &rig.session.rig,
        &bad,
        1_500,
    );
    let cases = [
        (
            rig.says(&bad, LeaseState::Running, 999),
            ProblemCode::UsageWentBack,
            "999 ms is less",
        ),
        (
            rig.says(&bad, LeaseState::Running, 3_600_000),
            ProblemCode::UsageTooFar,
            "3600000 ms",
        ),
        (
            sublet_protocol::heartbeat::LeaseReport {
                usage: forged,
                ..rig.says(&bad, LeaseState::Running, 1_500)
            },
            ProblemCode::BadSignature,
            "not signed",
        ),
        (
            rig.says(&bad, LeaseState::Pulling, 1_100),
            ProblemCode::Conflict,
            "cannot become pulling",
        ),
        (
            rig.says(&bad, LeaseState::Settled, 1_100),
            ProblemCode::Conflict,
            "cannot become settled",
        ),
        (
            rig.says(&bad, LeaseState::Finished, 1_100),
            ProblemCode::BadRequest,
            "how it ended",
        ),
        (
            rig.ends(&bad, LeaseState::Failed, 1_100, EndCode::Completed, vec![]),
            ProblemCode::BadRequest,
            "failed and completed",
        ),
        (
            rig.says(&elsewhere, LeaseState::Running, 5),
            ProblemCode::NotFound,
            "forget it",
        ),
    ];
    for (report, code, words) in cases {
        good_used += 10;
        let named = report.lease.clone();
        let fine = rig.says(&good, LeaseState::Running, good_used);
        let reply = rig.beat(vec![report, fine]).await;
        let [refused] = &reply.refused[..] else {
            panic!("one refusal, not {:?}", reply.refused);
        };
        assert_eq!((&refused.lease, refused.problem.code), (&named, code));
        assert!(
            refused.problem.detail.contains(words),
            "{}",
            refused.problem
        );
        assert!(
            refused.problem.detail.contains(named.as_str()),
            "{}",
            refused.problem
        );
        let lines = reply.statement.unwrap().lines;
        let paid = |lease: &LeaseId| lines.iter().find(|l| l.lease == *lease).map(|l| l.paid_ms);
        assert_eq!((paid(&bad), paid(&good)), (Some(1_000), Some(good_used)));
    }
    market.audit().await;
}

#[tokio::test]
async fn repeating_a_reading_changes_nothing() {
    let market = TestMarket::start().await;
    let (mut rig, a, b) = two_leases(&market).await;
    let before = rig.held;
    for _ in 0..3 {
        let running = LeaseState::Running;
        let reports = vec![rig.says(&a, running, 1_000), rig.says(&b, running, 1_000)];
        let reply = rig.beat(reports).await;
        assert_eq!(reply.statement.unwrap().voucher.amount, before);
    }
    // 2 × 100 micro-USD a second, less 5 %.
    assert_eq!(before, MicroUsd(190));
    market.audit().await;
}

#[tokio::test]
async fn a_voucher_is_signed_while_a_lease_is_open_and_not_without_one() {
    let market = TestMarket::start().await;
    let mut idle = market.rig(3).await;
    assert_eq!(idle.beat(vec![]).await.statement, None);
    let (mut rig, ..) = two_leases(&market).await;
    assert!(rig.beat(vec![]).await.statement.is_some());
}
