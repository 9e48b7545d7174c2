//! What jobs read and what they go on from; and uploads that break off.

use crate::support::{Renter, TestMarket, TestRig, answer, job, problem};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use reqwest::{Method, Response};
use std::time::Duration;
use sublet_protocol::blob::{BlobId, UploadPosition};
use sublet_protocol::heartbeat::LeaseReport;
use sublet_protocol::lease::{Checkpoint, EndCode, LeaseState, Transfer, TransferKind};
use sublet_protocol::problem::{Problem, ProblemCode};
use tokio::task::JoinHandle;

fn bytes() -> Vec<u8> {
    (0..600_000_u32).map(|n| (n % 251) as u8).collect()
}

/// Sends so much of a blob, waits until it has come, and says nothing more.
async fn begin(
    renter: &Renter,
    cid: &BlobId,
    whole: &[u8],
    sent: usize,
) -> JoinHandle<Result<Response, reqwest::Error>> {
    let first = Ok::<_, std::io::Error>(Bytes::copy_from_slice(&whole[..sent]));
    let pieces = stream::iter([first]).chain(stream::pending());
    let request = renter
        .request(Method::PUT, &format!("/v1/blobs/{cid}"))
        .header("content-length", whole.len())
        .body(reqwest::Body::wrap_stream(pieces));
    let sending = tokio::spawn(request.send());
    until_position(renter, cid, sent as u64).await;
    sending
}

/// The same, and breaks off.
async fn begin_only(renter: &Renter, cid: &BlobId, whole: &[u8], sent: usize) {
    begin(renter, cid, whole, sent).await.abort();
}

async fn position(renter: &Renter, cid: &BlobId) -> u64 {
    let request = renter.request(Method::GET, &format!("/v1/blobs/{cid}/upload"));
    let told: UploadPosition = answer(request.send().await.unwrap()).await.unwrap();
    told.next_offset
}

/// Waits until the server has noticed how much came.
async fn until_position(renter: &Renter, cid: &BlobId, wanted: u64) {
    for _ in 0..500 {
        if position(renter, cid).await == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("still at {}, not {wanted}", position(renter, cid).await);
}

async fn put_from(renter: &Renter, cid: &BlobId, whole: &[u8], from: usize) -> Result<(), Problem> {
    let range = format!("bytes {from}-{}/{}", whole.len() - 1, whole.len());
    let request = renter
        .request(Method::PUT, &format!("/v1/blobs/{cid}"))
        .header("content-range", range)
        .body(whole[from..].to_vec());
    done(request.send().await.unwrap()).await
}

async fn done(response: Response) -> Result<(), Problem> {
    match response.status().as_u16() {
        204 => Ok(()),
        _ => Err(problem(response).await),
    }
}

async fn upload(renter: &Renter, whole: &[u8]) -> BlobId {
    let cid = BlobId::of(whole);
    let request = renter.request(Method::PUT, &format!("/v1/blobs/{cid}"));
    let sent = request.body(whole.to_vec()).send().await.unwrap();
    done(sent).await.unwrap();
    cid
}

async fn get(rig: &TestRig, cid: &BlobId) -> u16 {
    let request = rig.request(Method::GET, &format!("/v1/blobs/{cid}"));
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn an_upload_that_broke_off_goes_on_also_after_a_restart() {
    let mut market = TestMarket::start().await;
    let mut renter = market.renter("alice", "1");
    let whole = bytes();
    let cid = BlobId::of(&whole);
    assert_eq!(position(&renter, &cid).await, 0);
    begin_only(&renter, &cid, &whole, 200_000).await;
    // It is nobody else's, and nothing is here yet.
    let eve = market.renter("eve", "1");
    assert_eq!(position(&eve, &cid).await, 0);

    market.restart().await;
    renter.moved_to(&market.url);
    assert_eq!(position(&renter, &cid).await, 200_000);
    let refused = put_from(&renter, &cid, &whole, 200_001).await.unwrap_err();
    assert_eq!(refused.code, ProblemCode::Conflict);
    put_from(&renter, &cid, &whole, 200_000).await.unwrap();
    assert_eq!(position(&renter, &cid).await, 600_000);
    let request = renter.request(Method::GET, &format!("/v1/blobs/{cid}"));
    assert_eq!(request.send().await.unwrap().bytes().await.unwrap(), whole);
}

#[tokio::test]
async fn a_part_that_was_spoiled_is_thrown_away_with_the_whole() {
    let market = TestMarket::start().await;
    let renter = market.renter("alice", "1");
    let whole = bytes();
    let cid = BlobId::of(&whole);
    begin_only(&renter, &cid, &[7; 600_000], 200_000).await;
    let refused = put_from(&renter, &cid, &whole, 200_000).await.unwrap_err();
    assert_eq!(refused.code, ProblemCode::CidMismatch);
    assert_eq!(position(&renter, &cid).await, 0);
    assert_eq!(upload(&renter, &whole).await, cid);
    let bad = renter
        .request(Method::PUT, &format!("/v1/blobs/{cid}"))
        .header("content-range", "bytes 3-2/1")
        .body("x");
    let refused = done(bad.send().await.unwrap()).await.unwrap_err();
    assert_eq!(refused.code, ProblemCode::BadRequest);
}

#[tokio::test]
async fn a_newer_upload_takes_over_from_one_that_stands_still() {
    let market = TestMarket::start().await;
    let renter = market.renter("alice", "1");
    let whole = bytes();
    let cid = BlobId::of(&whole);
    let silent = begin(&renter, &cid, &whole, 200_000).await;
    put_from(&renter, &cid, &whole, 200_000).await.unwrap();
    let over = silent.await.unwrap();
    // It is told, or its connection is closed under it.
    if let Ok(response) = over {
        assert_eq!(problem(response).await.code, ProblemCode::Conflict);
    }
}

#[tokio::test]
async fn a_job_reads_what_its_renter_uploaded_and_its_rig_alone_may_fetch_it() {
    let market = TestMarket::start().await;
    let renter = market.renter("alice", "1");
    let whole = bytes();
    let cid = BlobId::of(&whole);
    let yaml = job("0.36", &format!("      inputs: {{/in/a: {cid}}}\n"));
    let refused = renter.submit(&yaml).await.unwrap_err();
    assert_eq!(refused.code, ProblemCode::BadJob);
    assert!(refused.detail.contains("/in/a"), "{refused}");
    upload(&renter, &whole).await;
    // To know its name is not to have a right to it.
    let eve = market.renter("eve", "1");
    assert_eq!(
        eve.submit(&yaml).await.unwrap_err().code,
        ProblemCode::BadJob
    );
    let submitted = renter.submit(&yaml).await.unwrap();

    let mut rig = market.rig(1).await;
    let other = market.rig(2).await;
    assert_eq!(get(&rig, &cid).await, 404);
    rig.offer(&[("gpu-a", 360_000)]).await;
    let grant = rig.granted().await;
    assert_eq!(grant.spec.inputs["/in/a"], cid);
    assert_eq!(get(&rig, &cid).await, 200);
    assert_eq!(get(&other, &cid).await, 404);
    let moving = LeaseReport {
        transfer: Some(Transfer {
            what: TransferKind::Inputs,
            done_bytes: 5,
            total_bytes: 600_000,
        }),
        ..rig.says(&grant.lease, LeaseState::Pulling, 0)
    };
    rig.beat(vec![moving.clone()]).await;
    let view = renter.job(&submitted).await;
    assert_eq!(view.leases[0].transfer, moving.transfer);

    let last = rig.ends(
        &grant.lease,
        LeaseState::Finished,
        0,
        EndCode::Completed,
        vec![],
    );
    rig.beat(vec![last]).await;
    assert_eq!(get(&rig, &cid).await, 404, "its lease is over");
    assert_eq!(renter.job(&submitted).await.leases[0].transfer, None);
}

#[tokio::test]
async fn the_next_lease_goes_on_from_the_newest_checkpoint_that_is_here() {
    let market = TestMarket::start().await;
    let renter = market.renter("alice", "1");
    let lines = "      outputs: [/out/a]\n      checkpoint: {folder: /keep}\n";
    let submitted = renter.submit(&job("0.36", lines)).await.unwrap();
    let mut rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 360_000)]).await;
    let grant = rig.granted().await;
    assert_eq!(grant.checkpoint, None);

    let checkpoint = |bytes: &[u8], used_ms| Checkpoint {
        cid: BlobId::of(bytes),
        bytes: bytes.len() as u64,
        used_ms,
    };
    let (old, new) = (checkpoint(b"pass 1", 100), checkpoint(b"pass 2", 200));
    let absent = checkpoint(b"never sent", 300);
    rig.put(&old.cid, b"pass 1").await.unwrap();
    rig.put(&new.cid, b"pass 2").await.unwrap();
    // In whatever order they are told: an older one changes nothing, nor does one that is not here.
    for told in [&old, &new, &old, &absent] {
        let report = LeaseReport {
            checkpoint: Some(told.clone()),
            ..rig.says(&grant.lease, LeaseState::Running, 400)
        };
        assert_eq!(rig.beat(vec![report]).await.refused, []);
    }
    let view = renter.job(&submitted).await;
    assert_eq!(view.leases[0].checkpoint, Some(new.clone()));

    rig.offer(&[]).await;
    let last = LeaseReport {
        checkpoint: Some(new.clone()),
        ..rig.ends(
            &grant.lease,
            LeaseState::Finished,
            500,
            EndCode::Reclaimed,
            vec![],
        )
    };
    rig.beat(vec![last]).await;
    let mut second = market.rig(2).await;
    assert_eq!(get(&second, &new.cid).await, 404);
    second.offer(&[("gpu-b", 360_000)]).await;
    let grant = second.granted().await;
    assert_eq!(grant.checkpoint, Some(new.clone()));
    assert_eq!(get(&second, &new.cid).await, 200);
    assert_eq!(get(&second, &old.cid).await, 404);

    // One that ends without a checkpoint of its own takes none away.
    second.offer(&[]).await;
    let last = second.ends(
        &grant.lease,
        LeaseState::Finished,
        5,
        EndCode::Reclaimed,
        vec![],
    );
    second.beat(vec![last]).await;
    rig.offer(&[("gpu-a", 360_000)]).await;
    assert_eq!(rig.granted().await.checkpoint, Some(new.clone()));
    let renters = renter.request(Method::GET, &format!("/v1/blobs/{}", new.cid));
    assert_eq!(renters.send().await.unwrap().status().as_u16(), 200);
    market.audit().await;
}
