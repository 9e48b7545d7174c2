//! Sessions: a challenge is signed once, and the newest session is the only one.

use crate::support::{TestMarket, answer_challenge, challenge, http};
use ed25519_dalek::SigningKey;
use sublet_protocol::problem::ProblemCode;
use sublet_protocol::session::{Challenge, SessionRequest};

#[tokio::test]
async fn a_challenge_holds_once_for_the_key_that_asked() {
    let market = TestMarket::start().await;
    let (http, ours) = (http(), SigningKey::from_bytes(&[1; 32]));
    let asked = challenge(&http, &market.url, &ours).await;

    let theirs = SessionRequest::answer(&SigningKey::from_bytes(&[2; 32]), &asked, "test");
    let refused = answer_challenge(&http, &market.url, &theirs)
        .await
        .unwrap_err();
    assert_eq!(refused.code, ProblemCode::BadChallenge);

    // Another's try used it up; a new one holds, and once only.
    let asked = challenge(&http, &market.url, &ours).await;
    let answered = SessionRequest::answer(&ours, &asked, "test");
    answer_challenge(&http, &market.url, &answered)
        .await
        .unwrap();
    let again = answer_challenge(&http, &market.url, &answered)
        .await
        .unwrap_err();
    assert_eq!(again.code, ProblemCode::BadChallenge);
}

#[tokio::test]
async fn a_signature_for_another_marketplace_is_worthless() {
    let market = TestMarket::start().await;
    let (http, key) = (http(), SigningKey::from_bytes(&[1; 32]));
    let asked = challenge(&http, &market.url, &key).await;
    let elsewhere = Challenge {
        audience: "elsewhere".into(),
        ..asked
    };
    let request = SessionRequest::answer(&key, &elsewhere, "test");
    let refused = answer_challenge(&http, &market.url, &request)
        .await
        .unwrap_err();
    assert_eq!(refused.code, ProblemCode::BadSignature);
    assert!(refused.detail.contains("market.test"), "{refused}");
}

#[tokio::test]
async fn one_key_cannot_fill_the_waiting_room() {
    let market = TestMarket::start().await;
    let (http, key) = (http(), SigningKey::from_bytes(&[1; 32]));
    for _ in 0..8 {
        challenge(&http, &market.url, &key).await;
    }
    let request = sublet_protocol::session::ChallengeRequest {
        rig_key: sublet_protocol::keys::RigKey::of(&key),
    };
    let ninth = http
        .post(format!("{}/v1/challenges", market.url))
        .json(&request);
    let refused = crate::support::problem(ninth.send().await.unwrap()).await;
    assert_eq!(refused.code, ProblemCode::TooMany);
    challenge(&http, &market.url, &SigningKey::from_bytes(&[2; 32])).await;
}

#[tokio::test]
async fn a_new_session_makes_the_old_one_void() {
    let market = TestMarket::start().await;
    let mut first = market.rig(1).await;
    first.beat(vec![]).await;
    let waiting = {
        let path = first.path("commands");
        first
            .request(reqwest::Method::GET, &path)
            .query(&[("wait_ms", 20_000)])
    };
    let waiting = tokio::spawn(waiting.send());

    let mut second = market.rig(1).await;
    assert_eq!(second.session.rig, first.session.rig);
    assert!(second.session.epoch > first.session.epoch);
    let beat = first.heartbeat(vec![]);
    assert_eq!(
        first.send(&beat).await.unwrap_err().code,
        ProblemCode::Unauthorized
    );
    second.beat(vec![]).await;
    // Whichever came first, the poll or the session: the old token does not hold.
    let polled = crate::support::problem(waiting.await.unwrap().unwrap()).await;
    assert_eq!(polled.code, ProblemCode::Unauthorized);
}
