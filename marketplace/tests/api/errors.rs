//! Whatever is wrong with a request, the answer is a problem document.

use crate::support::{TestMarket, http, job, problem};
use reqwest::Method;
use sublet_protocol::problem::ProblemCode;

#[tokio::test]
async fn every_refusal_is_a_problem_document_with_its_code() {
    let market = TestMarket::start().await;
    let (http, rig, renter) = (http(), market.rig(1).await, market.renter("alice", "1"));
    let at = |path: &str| format!("{}{path}", market.url);
    let large = " ".repeat((1 << 20) + 1);
    let beat = rig.path("heartbeat");
    let cases = [
        (http.get(at("/")), ProblemCode::NotFound),
        (http.get(at("/v1/nothing")), ProblemCode::NotFound),
        (http.post(at("/v1/health")), ProblemCode::MethodNotAllowed),
        (
            http.delete(at("/v1/blobs/x")),
            ProblemCode::MethodNotAllowed,
        ),
        (
            http.post(at("/v1/challenges")).body("{"),
            ProblemCode::BadRequest,
        ),
        (
            http.post(at("/v1/challenges")).body(r#"{"rig_key":"ab"}"#),
            ProblemCode::BadRequest,
        ),
        (
            http.post(at("/v1/challenges")).body(large),
            ProblemCode::TooLarge,
        ),
        (http.get(at("/v1/jobs")), ProblemCode::Unauthorized),
        (
            http.get(at("/v1/jobs")).bearer_auth("nobody"),
            ProblemCode::Unauthorized,
        ),
        (
            http.get(at("/v1/jobs"))
                .header("authorization", "Basic eDp5"),
            ProblemCode::Unauthorized,
        ),
        (http.post(at(&beat)).body("{}"), ProblemCode::Unauthorized),
        (
            rig.request(Method::POST, &beat).body("{}"),
            ProblemCode::BadRequest,
        ),
        (
            rig.request(Method::POST, &beat).body(vec![0xff; 10]),
            ProblemCode::BadRequest,
        ),
        (
            rig.request(Method::GET, &format!("{}?after=-1", rig.path("commands"))),
            ProblemCode::BadRequest,
        ),
        (
            renter.request(Method::GET, "/v1/jobs/..%2fx"),
            ProblemCode::BadRequest,
        ),
        (
            renter.request(Method::GET, "/v1/jobs/job-none"),
            ProblemCode::NotFound,
        ),
        (
            renter.request(Method::POST, "/v1/jobs").body(vec![0xff]),
            ProblemCode::BadRequest,
        ),
        // A rig's token is no renter's, and the other way round.
        (
            rig.request(Method::GET, "/v1/account"),
            ProblemCode::Unauthorized,
        ),
        (
            renter.request(Method::POST, &beat).body("{}"),
            ProblemCode::Unauthorized,
        ),
    ];
    for (request, code) in cases {
        let shown = format!("{request:?}");
        let found = problem(request.send().await.unwrap()).await;
        assert_eq!(found.code, code, "{shown}: {found}");
        assert!(!found.detail.is_empty());
    }
}

#[tokio::test]
async fn a_bad_job_is_refused_with_its_line() {
    let market = TestMarket::start().await;
    let renter = market.renter("alice", "1");
    let refused = renter
        .submit(&job("0.36", "      privileged: true\n"))
        .await
        .unwrap_err();
    assert_eq!(refused.code, ProblemCode::BadJob);
    assert!(refused.detail.contains("line 6"), "{refused}");
    let yaml = job("0.36", "").replace("    x-sublet", "    privileged: true\n    x-sublet");
    let refused = renter.submit(&yaml).await.unwrap_err();
    assert!(
        refused.detail.contains("line 4") && refused.detail.contains("privileged"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_job_that_nobody_takes_says_why() {
    let market = TestMarket::start().await;
    let renter = market.renter("alice", "1");
    let submitted = renter.submit(&job("0.20", "")).await.unwrap();
    let none = |view: &sublet_protocol::renter::JobView| {
        view.waiting_for.as_deref() == Some("no GPU is on offer right now")
    };
    renter.until(&submitted, none).await;
    let rig = market.rig(1).await;
    rig.offer(&[("gpu-a", 360_000), ("gpu-b", 500_000), ("gpu-c", 900_000)])
        .await;
    let dear = |view: &sublet_protocol::renter::JobView| {
        view.waiting_for.as_deref() == Some("3 GPUs on offer, none under $0.20/h")
    };
    renter.until(&submitted, dear).await;
}
