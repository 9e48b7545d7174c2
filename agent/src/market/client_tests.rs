//! The client against a small server on loopback.

use super::fake::{Fake, Spoil, channel, problem};
use super::http::MAX_ANSWER;
use super::{BlobSent, HttpMarket, Known, Market, MarketError, Patience};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use ed25519_dalek::SigningKey;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use sublet_protocol::blob::BlobId;
use sublet_protocol::heartbeat::Heartbeat;
use sublet_protocol::ids::LeaseId;
use sublet_protocol::keys::RigKey;
use sublet_protocol::problem::ProblemCode;
use sublet_protocol::reason::RigState;
use sublet_protocol::renter::LogAppend;
use sublet_protocol::session::Session;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

async fn session(fake: &Fake) -> Result<Session, MarketError> {
    HttpMarket::new(&fake.url())?
        .open_session(&key(), &Known::default())
        .await
}

fn beat(session: &Session, seq: u64) -> Heartbeat {
    Heartbeat {
        epoch: session.epoch,
        seq,
        sent_at_ms: 1,
        state: RigState::Ready,
        reasons: Vec::new(),
        gpus: Vec::new(),
        leases: Vec::new(),
        commands_seen: 0,
    }
}

#[tokio::test]
async fn a_rig_proves_itself_and_talks() {
    let fake = Fake::start().await;
    let market = HttpMarket::new(&fake.url()).unwrap();
    let session = market
        .open_session(&key(), &Known::default())
        .await
        .unwrap();
    assert_eq!(session.epoch, 1);

    let reply = market
        .heartbeat(&session, &beat(&session, 1))
        .await
        .unwrap();
    assert_eq!(reply.next_ms, 100);
    let wait = Duration::from_millis(1);
    let batch = market.commands(&session, 0, wait).await.unwrap();
    assert!(batch.commands.is_empty());

    let seen = fake.seen();
    assert_eq!(seen.beats.len(), 1);
    assert_eq!(
        seen.sessions[0].agent_version,
        env!("CARGO_PKG_VERSION").to_owned()
    );
    let agent = format!("sublet/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(seen.user_agents, [agent]);
}

#[tokio::test]
async fn a_session_that_does_not_hold_is_refused() {
    let cases: [(&str, Spoil); 6] = [
        ("audience", |s| s.audience = "elsewhere".into()),
        ("channel", |s| {
            let other = RigKey::of(&SigningKey::from_bytes(&[8; 32]));
            s.channel = channel(3, &other);
        }),
        ("rig", |s| {
            s.rig = "rig-of-somebody-else".parse().unwrap();
        }),
        ("no heartbeats", |s| s.heartbeat_ms = 10_000_000),
        ("fence before a heartbeat", |s| s.fence_ms = 150),
        ("token", |s| s.token = "a\nb".into()),
    ];
    let fake = Fake::start().await;
    assert!(session(&fake).await.is_ok());
    for (name, spoil) in cases {
        fake.seen().spoil = Some(spoil);
        let error = session(&fake).await.unwrap_err();
        assert!(
            matches!(error, MarketError::Garbled { .. }),
            "{name}: {error}"
        );
    }
}

#[tokio::test]
async fn a_marketplace_that_is_not_the_known_one_gets_no_signature() {
    let fake = Fake::start().await;
    let market = HttpMarket::new(&fake.url()).unwrap();
    let known = Known {
        audience: Some("another".into()),
        payer: None,
    };
    let error = market.open_session(&key(), &known).await.unwrap_err();
    assert!(matches!(error, MarketError::Changed { .. }), "{error}");
    assert!(fake.seen().sessions.is_empty());

    let open = market
        .open_session(&key(), &Known::default())
        .await
        .unwrap();
    let known = Known::from_session(&open);
    assert!(market.open_session(&key(), &known).await.is_ok());
    fake.seen().spoil = Some(|s| {
        s.channel = channel(4, &RigKey::of(&key()));
    });
    let error = market.open_session(&key(), &known).await.unwrap_err();
    assert!(error.to_string().contains("paying address"), "{error}");
}

#[tokio::test]
async fn a_refusal_keeps_its_code_and_anything_else_is_named() {
    let fake = Fake::start().await;
    let market = HttpMarket::new(&fake.url()).unwrap();
    let session = session(&fake).await.unwrap();
    let ask = async || market.heartbeat(&session, &beat(&session, 1)).await;

    fake.answers("heartbeat", || problem(ProblemCode::StaleEpoch));
    let error = ask().await.unwrap_err();
    assert_eq!(error.code(), Some(ProblemCode::StaleEpoch));
    assert!(error.is_session_over() && error.may_pass(), "{error}");

    fake.answers("heartbeat", || problem(ProblemCode::Unavailable));
    let error = ask().await.unwrap_err();
    assert!(error.may_pass() && !error.is_session_over(), "{error}");

    fake.answers("heartbeat", || {
        (StatusCode::BAD_GATEWAY, "<html>").into_response()
    });
    let error = ask().await.unwrap_err();
    assert!(matches!(error, MarketError::Unreachable { .. }), "{error}");

    fake.answers("heartbeat", || (StatusCode::OK, "hello").into_response());
    let error = ask().await.unwrap_err();
    assert!(matches!(error, MarketError::Garbled { .. }), "{error}");

    // A redirect is not followed: the token would go along.
    fake.answers("heartbeat", || {
        (
            StatusCode::TEMPORARY_REDIRECT,
            [("location", "/v1/sessions")],
        )
            .into_response()
    });
    let error = ask().await.unwrap_err();
    assert!(error.to_string().contains("307"), "{error}");
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let fake = Fake::start().await;
    let market = HttpMarket::new(&fake.url()).unwrap();
    let session = session(&fake).await.unwrap();
    fake.answers("heartbeat", || {
        (StatusCode::OK, " ".repeat(MAX_ANSWER + 1)).into_response()
    });
    let error = market
        .heartbeat(&session, &beat(&session, 1))
        .await
        .unwrap_err();
    assert!(matches!(error, MarketError::Oversized { .. }), "{error}");
}

#[tokio::test]
async fn silence_ends_in_a_timeout_and_a_closed_door_says_so() {
    // Accepts connections and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let patience = Patience {
        answer: Duration::from_millis(50),
        ..Patience::default()
    };
    let market = HttpMarket::with_patience(&url, patience).unwrap();
    let error = market
        .open_session(&key(), &Known::default())
        .await
        .unwrap_err();
    assert!(matches!(error, MarketError::TooSlow { .. }), "{error}");

    drop(silent);
    let error = market
        .open_session(&key(), &Known::default())
        .await
        .unwrap_err();
    assert!(matches!(error, MarketError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_blob_is_sent_once_and_checked_by_the_other_side() {
    let fake = Fake::start().await;
    let market = HttpMarket::new(&fake.url()).unwrap();
    let session = session(&fake).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("picture");
    let bytes = vec![42; 300_000];
    std::fs::write(&file, &bytes).unwrap();
    let blob = BlobId::of(&bytes);

    let moved = Arc::new(AtomicU64::new(0));
    let put = |blob: BlobId, file: PathBuf| {
        let (market, session, moved) = (market.clone(), session.clone(), moved.clone());
        async move { market.put_blob(&session, &blob, &file, &moved).await }
    };
    assert_eq!(put(blob, file.clone()).await.unwrap(), BlobSent::Now);
    assert_eq!(fake.seen().blobs[&blob.to_string()], bytes);
    assert_eq!(moved.load(Ordering::Relaxed), 300_000);
    let again = put(blob, file.clone()).await.unwrap();
    assert_eq!(again, BlobSent::AlreadyThere);
    assert_eq!(fake.seen().uploads, 1);

    let other = BlobId::of(b"other bytes");
    let error = put(other, file.clone()).await.unwrap_err();
    assert_eq!(error.code(), Some(ProblemCode::CidMismatch));
    let error = put(other, folder.path().join("none")).await.unwrap_err();
    assert!(matches!(error, MarketError::File { .. }), "{error}");
}

#[tokio::test]
async fn an_upload_goes_on_where_it_broke_off_and_begins_anew_where_that_was_spoiled() {
    let fake = Fake::start().await;
    let market = HttpMarket::new(&fake.url()).unwrap();
    let session = session(&fake).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("picture");
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(&file, &bytes).unwrap();
    let blob = BlobId::of(&bytes);
    let whole = bytes.len();
    for (kept, sent) in [
        (bytes[..200_000].to_vec(), whole - 200_000),
        // All of it came, and nobody gave it its name.
        (bytes.clone(), 1),
        (vec![9; 200_000], 2 * whole - 200_000),
    ] {
        {
            let mut seen = fake.seen();
            seen.blobs.clear();
            seen.uploaded = 0;
            seen.parts.insert(blob.to_string(), kept);
        }
        let moved = Arc::new(AtomicU64::new(0));
        let put = market.put_blob(&session, &blob, &file, &moved).await;
        assert_eq!(put.unwrap(), BlobSent::Now);
        assert_eq!(fake.seen().uploaded, sent);
        assert_eq!(fake.seen().blobs[&blob.to_string()], bytes);
        assert_eq!(moved.load(Ordering::Relaxed), 300_000);
    }
}

#[tokio::test]
async fn a_blob_comes_from_where_it_is_wanted() {
    let fake = Fake::start().await;
    let market = HttpMarket::new(&fake.url()).unwrap();
    let session = session(&fake).await.unwrap();
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    let blob = BlobId::of(&bytes);
    fake.seen().blobs.insert(blob.to_string(), bytes.clone());
    assert_eq!(market.blob_length(&session, &blob).await.unwrap(), 300_000);
    for from in [0, 250_000] {
        let mut coming = market.get_blob(&session, &blob, from).await.unwrap();
        assert_eq!((coming.from, coming.length), (from, 300_000));
        let mut came = Vec::new();
        while let Some(piece) = coming.next().await.unwrap() {
            came.extend_from_slice(&piece);
        }
        assert_eq!(came, bytes[from as usize..]);
    }
    let unknown = BlobId::of(b"unknown");
    let error = market.blob_length(&session, &unknown).await.unwrap_err();
    assert_eq!(error.code(), Some(ProblemCode::NotFound));
}

#[tokio::test]
async fn an_upload_that_stands_still_is_given_up() {
    // Reads nothing of what is sent, so the socket's buffers fill up.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let fake = Fake::start().await;
    let session = session(&fake).await.unwrap();
    let patience = Patience {
        stall: Duration::from_millis(100),
        ..Patience::default()
    };
    let market = HttpMarket::with_patience(&url, patience).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(64 << 20).unwrap();
    let path = ["blobs", "any"];
    let error = market
        .upload(&session, &path, file.path(), 0, &Arc::default())
        .await
        .unwrap_err();
    assert!(matches!(error, MarketError::TooSlow { .. }), "{error}");
}

#[tokio::test]
async fn a_log_grows_where_it_ends() {
    let fake = Fake::start().await;
    let market = HttpMarket::new(&fake.url()).unwrap();
    let session = session(&fake).await.unwrap();
    let lease = LeaseId::new("lease-1").unwrap();
    let part = |offset, text: &str| LogAppend {
        offset,
        text: text.into(),
        end: false,
    };
    // The second is a repeat whose answer was lost.
    for (offset, text, end) in [(0, "one\n", 4), (0, "one\n", 4), (4, "two\n", 8)] {
        let position = market
            .append_log(&session, &lease, &part(offset, text))
            .await
            .unwrap();
        assert_eq!(position.next_offset, end);
    }
    assert_eq!(fake.seen().log, "one\ntwo\n");
    let error = market
        .append_log(&session, &lease, &part(99, "x"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some(ProblemCode::Conflict));
}
