//! `/v1/challenges` and `/v1/sessions`.

use super::extract::Body;
use crate::app::Shared;
use crate::fault::Fault;
use crate::session;
use axum::Json;
use axum::extract::State;
use sublet_protocol::problem::Problem;
use sublet_protocol::session::{Challenge, ChallengeRequest, Session, SessionRequest};

/// Asks for something to sign. A challenge is used once, within a minute.
#[utoipa::path(post, path = "/v1/challenges", tag = "rigs", request_body = ChallengeRequest,
    responses((status = 200, body = Challenge), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn pose_challenge(
    State(app): State<Shared>,
    Body(request): Body<ChallengeRequest>,
) -> Result<Json<Challenge>, Fault> {
    app.challenges
        .pose(request.rig_key, &app.config.audience)
        .map(Json)
}

/// Opens a session with a signed challenge; any earlier session of the same rig is void from then on.
#[utoipa::path(post, path = "/v1/sessions", tag = "rigs", request_body = SessionRequest,
    responses((status = 200, body = Session), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn open_session(
    State(app): State<Shared>,
    Body(request): Body<SessionRequest>,
) -> Result<Json<Session>, Fault> {
    session::open(&app, request).await.map(Json)
}
