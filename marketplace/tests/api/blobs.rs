//! Blobs: checked on the way in, in ranges on the way out, each for those who may have it.

use crate::support::{Renter, TestMarket, TestRig, job, output, problem};
use reqwest::Method;
use sublet_protocol::blob::BlobId;
use sublet_protocol::ids::{JobId, LeaseId};
use sublet_protocol::lease::{EndCode, LeaseState};
use sublet_protocol::problem::ProblemCode;
use sublet_protocol::renter::JobState;

async fn leased(market: &TestMarket) -> (Renter, TestRig, JobId, LeaseId) {
    let renter = market.renter("alice", "1");
    let mut rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 360_000)]).await;
    let yaml = job("0.36", "      outputs: [/out/a.bin]\n");
    let submitted = renter.submit(&yaml).await.unwrap();
    let lease = rig.granted().await.lease;
    (renter, rig, submitted, lease)
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn bytes_that_are_not_those_of_the_cid_are_refused_and_not_kept() {
    let market = TestMarket::start().await;
    let (_, rig, ..) = leased(&market).await;
    let (right, wrong) = (b"the right bytes".as_slice(), b"tampered bytes!".as_slice());
    let cid = BlobId::of(right);
    let refused = rig.put(&cid, wrong).await.unwrap_err();
    assert_eq!(refused.code, ProblemCode::CidMismatch);
    assert!(
        refused.detail.contains(&BlobId::of(wrong).to_string()),
        "{refused}"
    );
    assert_eq!(
        files(&market.folder.path().join("blobs")),
        Vec::<std::path::PathBuf>::new()
    );

    rig.put(&cid, right).await.unwrap();
    rig.put(&cid, right).await.unwrap();
    // Nor can what is here be replaced.
    rig.put(&cid, wrong).await.unwrap_err();
    let kept = files(&market.folder.path().join("blobs"));
    assert_eq!(kept.len(), 1);
    assert_eq!(std::fs::read(&kept[0]).unwrap(), right);
}

#[tokio::test]
async fn only_rigs_with_a_lease_upload_and_not_more_than_is_allowed() {
    let market = TestMarket::start().await;
    let stranger = market.rig(9).await;
    let refused = stranger.put(&BlobId::of(b"x"), b"x").await.unwrap_err();
    assert_eq!(refused.code, ProblemCode::Forbidden);
    let (_, rig, ..) = leased(&market).await;
    let large = vec![0; (1 << 20) + 1];
    let refused = rig.put(&BlobId::of(&large), &large).await.unwrap_err();
    assert_eq!(refused.code, ProblemCode::TooLarge);
    // Without a length in front it is found out on the way.
    let cid = BlobId::of(&large);
    let pieces: Vec<Result<Vec<u8>, std::io::Error>> = large
        .chunks(100_000)
        .map(|piece| Ok(piece.to_vec()))
        .collect();
    let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    let request = rig
        .request(Method::PUT, &format!("/v1/blobs/{cid}"))
        .body(stream);
    let refused = problem(request.send().await.unwrap()).await;
    assert_eq!(refused.code, ProblemCode::TooLarge);
    let request = rig.request(Method::PUT, "/v1/blobs/bafy").body("x");
    assert_eq!(
        problem(request.send().await.unwrap()).await.code,
        ProblemCode::BadRequest
    );
    assert_eq!(
        files(&market.folder.path().join("blobs")),
        Vec::<std::path::PathBuf>::new()
    );
}

#[tokio::test]
async fn a_success_waits_for_its_outputs_and_settles_with_the_last_one() {
    let market = TestMarket::start().await;
    let (renter, mut rig, submitted, lease) = leased(&market).await;
    let bytes = b"made by the job".as_slice();
    let promised = vec![output("/out/a.bin", bytes)];
    let last = rig.ends(
        &lease,
        LeaseState::Finished,
        1_000,
        EndCode::Completed,
        promised,
    );
    let reply = rig.beat(vec![last.clone()]).await;
    assert_eq!((reply.settled, reply.refused), (vec![], vec![]));
    assert_eq!(renter.job(&submitted).await.state, JobState::Leased);

    // Another rig has the same bytes: that proves nothing for this one.
    rig.offer(&[]).await;
    let mut other = market.rig(2).await;
    other.offer(&[("gpu-b", 360_000)]).await;
    renter.submit(&job("0.36", "")).await.unwrap();
    other.granted().await;
    other.put(&BlobId::of(bytes), bytes).await.unwrap();
    assert_eq!(rig.beat(vec![last.clone()]).await.settled, []);

    rig.put(&BlobId::of(bytes), bytes).await.unwrap();
    assert_eq!(renter.job(&submitted).await.state, JobState::Completed);
    assert_eq!(rig.beat(vec![last]).await.settled, [lease]);
    market.audit().await;
}

#[tokio::test]
async fn a_renter_reads_its_outputs_whole_and_in_ranges_and_nobody_else_does() {
    let market = TestMarket::start().await;
    let (renter, mut rig, submitted, lease) = leased(&market).await;
    let bytes: Vec<u8> = (0..200_000u32).map(|n| (n % 251) as u8).collect();
    let made = rig.output("/out/a.bin", &bytes).await;
    let path = format!("/v1/blobs/{}", made.cid);
    let early = renter.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(problem(early).await.code, ProblemCode::NotFound);
    let last = rig.ends(
        &lease,
        LeaseState::Finished,
        10,
        EndCode::Completed,
        vec![made.clone()],
    );
    rig.beat(vec![last]).await;
    assert_eq!(renter.job(&submitted).await.state, JobState::Completed);

    let get = |range: Option<&'static str>| {
        let mut request = renter.request(Method::GET, &path);
        if let Some(range) = range {
            request = request.header("range", range);
        }
        request.send()
    };
    let whole = get(None).await.unwrap();
    assert_eq!(whole.status(), 200);
    assert_eq!(whole.headers()["etag"], format!("\"{}\"", made.cid));
    assert_eq!(whole.headers()["accept-ranges"], "bytes");
    assert_eq!(whole.bytes().await.unwrap(), bytes);

    for (range, from, to) in [
        ("bytes=0-0", 0, 0),
        ("bytes=150000-", 150_000, 199_999),
        ("bytes=-5", 199_995, 199_999),
        ("bytes=70000-170000", 70_000, 170_000),
    ] {
        let part = get(Some(range)).await.unwrap();
        assert_eq!(part.status(), 206, "{range}");
        assert_eq!(
            part.headers()["content-range"],
            format!("bytes {from}-{to}/200000")
        );
        assert_eq!(part.bytes().await.unwrap(), bytes[from..=to]);
    }
    let beyond = get(Some("bytes=200000-")).await.unwrap();
    assert_eq!(beyond.headers()["content-range"], "bytes */200000");
    assert_eq!(problem(beyond).await.code, ProblemCode::BadRange);
    let other = renter
        .request(Method::GET, &path)
        .header("range", "bytes=5-")
        .header("if-range", "\"another\"");
    assert_eq!(other.send().await.unwrap().status(), 200);

    let head = renter.request(Method::HEAD, &path).send().await.unwrap();
    assert_eq!(
        (head.status().as_u16(), &head.headers()["content-length"]),
        (200, &"200000".parse().unwrap())
    );
    let eve = market.renter("eve", "1");
    let stolen = eve.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(problem(stolen).await.code, ProblemCode::NotFound);
    let own = rig.request(Method::HEAD, &path).send().await.unwrap();
    assert_eq!(own.status(), 200);
}
