//! Logs: appended by the rig, followed by the renter.

use crate::support::{Renter, TestMarket, TestRig, answer, job, problem};
use reqwest::Method;
use std::time::{Duration, Instant};
use sublet_protocol::ids::{JobId, LeaseId};
use sublet_protocol::lease::{EndCode, LeaseState};
use sublet_protocol::problem::{Problem, ProblemCode};
use sublet_protocol::renter::{LogAppend, LogChunk, LogPosition};

async fn append(
    rig: &TestRig,
    lease: &LeaseId,
    offset: u64,
    text: &str,
    end: bool,
) -> Result<u64, Problem> {
    let append = LogAppend {
        offset,
        text: text.into(),
        end,
    };
    let path = rig.path(&format!("leases/{lease}/logs"));
    let response = rig
        .request(Method::POST, &path)
        .json(&append)
        .send()
        .await
        .unwrap();
    answer::<LogPosition>(response)
        .await
        .map(|position| position.next_offset)
}

async fn read(renter: &Renter, job: &JobId, offset: u64, wait_ms: u64) -> LogChunk {
    let query = [("offset", offset), ("wait_ms", wait_ms)];
    let request = renter
        .request(Method::GET, &format!("/v1/jobs/{job}/logs"))
        .query(&query);
    answer(request.send().await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_log_is_followed_line_by_line_to_its_end() {
    let market = TestMarket::start().await;
    let renter = market.renter("alice", "1");
    let submitted = renter.submit(&job("0.36", "")).await.unwrap();
    let nothing = read(&renter, &submitted, 0, 0).await;
    assert_eq!((nothing.lease, nothing.end), (None, false));

    let mut rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 360_000)]).await;
    let lease = rig.granted().await.lease;
    assert_eq!(append(&rig, &lease, 0, "one\n", false).await, Ok(4));
    let chunk = read(&renter, &submitted, 0, 0).await;
    assert_eq!(
        (chunk.text.as_str(), chunk.next_offset, chunk.end),
        ("one\n", 4, false)
    );
    assert_eq!(chunk.lease, Some(lease.clone()));

    let asked = Instant::now();
    let (chunk, _) = tokio::join!(read(&renter, &submitted, 4, 20_000), async {
        append(&rig, &lease, 4, "two\n", false).await.unwrap();
        // Again, as after an answer that got lost.
        assert_eq!(append(&rig, &lease, 4, "two\n", false).await, Ok(8));
    });
    assert_eq!(chunk.text, "two\n");
    assert!(asked.elapsed() < Duration::from_secs(5));

    let gap = append(&rig, &lease, 99, "x", false).await.unwrap_err();
    assert_eq!(gap.code, ProblemCode::Conflict);
    assert!(gap.detail.contains("ends at 8"), "{gap}");
    assert_eq!(append(&rig, &lease, 8, "", true).await, Ok(8));
    assert!(read(&renter, &submitted, 8, 20_000).await.end);
}

#[tokio::test]
async fn a_log_that_nobody_closed_ends_some_time_after_its_lease() {
    let market = TestMarket::start().await;
    let renter = market.renter("alice", "1");
    let mut rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 360_000)]).await;
    let submitted = renter.submit(&job("0.36", "")).await.unwrap();
    let lease = rig.granted().await.lease;
    let over = rig.ends(&lease, LeaseState::Finished, 10, EndCode::JobFailed, vec![]);
    rig.beat(vec![over]).await;
    assert_eq!(append(&rig, &lease, 0, "last words\n", false).await, Ok(11));
    assert_eq!(read(&renter, &submitted, 0, 0).await.text, "last words\n");
    assert!(read(&renter, &submitted, 11, 20_000).await.end);
}

#[tokio::test]
async fn a_log_is_its_rig_s_to_write_and_bounded() {
    let market = TestMarket::start().await;
    let renter = market.renter("alice", "1");
    let (mut rig, other) = (market.rig(1).await, market.rig(2).await);
    rig.offer(&[("gpu-a", 360_000)]).await;
    renter.submit(&job("0.36", "")).await.unwrap();
    let lease = rig.granted().await.lease;
    let stranger = append(&other, &lease, 0, "x", false).await.unwrap_err();
    assert_eq!(stranger.code, ProblemCode::NotFound);
    let half = "x".repeat(600_000);
    append(&rig, &lease, 0, &half, false).await.unwrap();
    let full = append(&rig, &lease, 600_000, &half, false)
        .await
        .unwrap_err();
    assert_eq!(full.code, ProblemCode::TooLarge);
    let path = rig.path("leases/..%2f..%2fescape/logs");
    let append = LogAppend {
        offset: 0,
        text: "x".into(),
        end: false,
    };
    let response = rig
        .request(Method::POST, &path)
        .json(&append)
        .send()
        .await
        .unwrap();
    assert_eq!(problem(response).await.code, ProblemCode::BadRequest);
}
