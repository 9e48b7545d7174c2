//! The HTTP surface: what is served where. Every error is a problem document, those of the framework included.

pub mod account;
pub mod auth;
pub mod blobs;
pub mod extract;
pub mod jobs;
pub mod meta;
pub mod rigs;
pub mod sessions;

use crate::app::Shared;
use crate::fault::Fault;
use crate::rehearsal;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, Uri};
use axum::routing::{get, post, put};
use sublet_protocol::problem::ProblemCode;

/// The most that a request's body holds, in bytes, but for blobs, which stream.
pub const MOST_BODY: usize = 1 << 20;

/// Everything that is served.
pub fn router(app: Shared) -> Router {
    let router = Router::new()
        .route("/v1/health", get(meta::health))
        .route("/v1/openapi.json", get(meta::openapi))
        .route("/v1/challenges", post(sessions::pose_challenge))
        .route("/v1/sessions", post(sessions::open_session))
        .route("/v1/rigs/{rig}/offer", put(rigs::put_offer))
        .route("/v1/rigs/{rig}/heartbeat", post(rigs::heartbeat))
        .route("/v1/rigs/{rig}/commands", get(rigs::commands))
        .route("/v1/rigs/{rig}/leases/{lease}/logs", post(rigs::append_log))
        .route(
            "/v1/blobs/{cid}",
            put(blobs::put_blob)
                .get(blobs::get_blob)
                .head(blobs::head_blob)
                .layer(DefaultBodyLimit::disable()),
        )
        .route("/v1/blobs/{cid}/upload", get(blobs::upload_position))
        .route("/v1/jobs", post(jobs::submit_job).get(jobs::list_jobs))
        .route(
            "/v1/jobs/{job}",
            get(jobs::get_job).delete(jobs::cancel_job),
        )
        .route("/v1/jobs/{job}/logs", get(jobs::read_log))
        .route("/v1/account", get(account::get_account))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .with_state(app);
    if rehearsal::rehearses() {
        return router.layer(axum::middleware::from_fn(rehearsal::answering));
    }
    router
}

async fn no_such_path(uri: Uri) -> Fault {
    Fault::refused(
        ProblemCode::NotFound,
        format!(
            "Nothing is served at {}; GET /v1/openapi.json describes what is.",
            uri.path()
        ),
    )
}

async fn no_such_method(method: Method, uri: Uri) -> Fault {
    Fault::refused(
        ProblemCode::MethodNotAllowed,
        format!(
            "{} does not take {method}; GET /v1/openapi.json describes what it takes.",
            uri.path()
        ),
    )
}
