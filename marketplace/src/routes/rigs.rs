//! `/v1/rigs/...`: offer, heartbeat, commands, logs.

use super::auth::RigCaller;
use super::extract::{Body, PathOf, QueryOf};
use crate::app::Shared;
use crate::fault::Fault;
use crate::heartbeat;
use crate::leases::Lease;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use std::time::{Duration, Instant};
use sublet_protocol::heartbeat::{CommandBatch, Heartbeat, HeartbeatReply};
use sublet_protocol::ids::LeaseId;
use sublet_protocol::offer::Offer;
use sublet_protocol::problem::{Problem, ProblemCode};
use sublet_protocol::renter::{LogAppend, LogPosition};

/// The longest that a long poll waits, in ms.
pub const LONGEST_WAIT_MS: u64 = 30_000;
/// The most GPUs that one rig offers.
const MOST_GPUS: usize = 64;

/// Replaces what the rig sells. It holds until it is replaced, the session ends, or the rig falls silent.
#[utoipa::path(put, path = "/v1/rigs/{rig}/offer", tag = "rigs", request_body = Offer,
    params(("rig" = String, Path, description = "The rig's id")), security(("rig" = [])),
    responses((status = 204, description = "The offer stands"),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn put_offer(
    State(app): State<Shared>,
    RigCaller(rig): RigCaller,
    Body(offer): Body<Offer>,
) -> Result<StatusCode, Fault> {
    if offer.gpus.len() > MOST_GPUS {
        return Err(Fault::refused(
            ProblemCode::BadRequest,
            format!("An offer names at most {MOST_GPUS} GPUs."),
        ));
    }
    let mut ids: Vec<_> = offer.gpus.iter().map(|offer| &offer.gpu.id).collect();
    ids.sort();
    if ids.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Fault::refused(
            ProblemCode::BadRequest,
            "An offer names each GPU once.",
        ));
    }
    {
        let mut live = rig.live();
        let current = live.session.as_ref().map(|session| session.epoch);
        if current != Some(offer.epoch) {
            return Err(Fault::refused(
                ProblemCode::StaleEpoch,
                format!(
                    "The offer is of epoch {}, which is not the current one.",
                    offer.epoch
                ),
            ));
        }
        live.offer = Some(offer);
        live.last_seen = Some(Instant::now());
    }
    app.board.order_book.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a heartbeat. A lease report that does not hold is named in `refused`; everything else of the heartbeat
/// counts all the same. The usage that a voucher pays is on the disk before the voucher is sent.
#[utoipa::path(post, path = "/v1/rigs/{rig}/heartbeat", tag = "rigs", request_body = Heartbeat,
    params(("rig" = String, Path, description = "The rig's id")), security(("rig" = [])),
    responses((status = 200, body = HeartbeatReply),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn heartbeat(
    State(app): State<Shared>,
    RigCaller(rig): RigCaller,
    Body(beat): Body<Heartbeat>,
) -> Result<Json<HeartbeatReply>, Fault> {
    heartbeat::take(&app, &rig, beat).await.map(Json)
}

/// What a long poll asks for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct CommandsQuery {
    /// Commands above this id only.
    #[serde(default)]
    after: u64,
    /// How long to wait for one, in ms; 30 000 at most.
    #[serde(default)]
    wait_ms: u64,
}

/// Waits for commands: answers at once when there is one, else with an empty list after the wait.
#[utoipa::path(get, path = "/v1/rigs/{rig}/commands", tag = "rigs",
    params(("rig" = String, Path, description = "The rig's id"), CommandsQuery), security(("rig" = [])),
    responses((status = 200, body = CommandBatch),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn commands(
    State(app): State<Shared>,
    RigCaller(rig): RigCaller,
    QueryOf(query): QueryOf<CommandsQuery>,
) -> Result<Json<CommandBatch>, Fault> {
    let wait = Duration::from_millis(query.wait_ms.min(LONGEST_WAIT_MS));
    let until = tokio::time::Instant::now() + wait;
    let epoch = rig.live().session.as_ref().map(|session| session.epoch);
    loop {
        let ready = rig.commands_ready.notified();
        tokio::pin!(ready);
        // Before looking, so that what comes in between wakes this one.
        ready.as_mut().enable();
        let commands = {
            let live = rig.live();
            if live.session.as_ref().map(|session| session.epoch) != epoch {
                // A newer session took over: this one's token does not hold any more.
                return Err(Fault::no_token());
            }
            live.mirror.commands_after(query.after)
        };
        if !commands.is_empty() {
            return Ok(Json(CommandBatch { commands }));
        }
        tokio::select! {
            () = ready => {}
            () = tokio::time::sleep_until(until) => return Ok(Json(CommandBatch::default())),
            () = app.closing.cancelled() => return Err(Fault::Closing),
        }
    }
}

/// Appends to a lease's log, at its end only.
#[utoipa::path(post, path = "/v1/rigs/{rig}/leases/{lease}/logs", tag = "rigs", request_body = LogAppend,
    params(("rig" = String, Path, description = "The rig's id"), ("lease" = String, Path, description = "The lease's id")),
    security(("rig" = [])), responses((status = 200, body = LogPosition),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn append_log(
    State(app): State<Shared>,
    RigCaller(rig): RigCaller,
    PathOf(path): PathOf<(String, LeaseId)>,
    Body(append): Body<LogAppend>,
) -> Result<Json<LogPosition>, Fault> {
    let (_, lease) = path;
    let open = rig.live().mirror.lease(&lease).is_some();
    if !open {
        let mut conn = app.readers.acquire().await?;
        if Lease::of_rig(&mut conn, &rig.id, &lease).await?.is_none() {
            return Err(Fault::refused(
                ProblemCode::NotFound,
                format!("lease {lease} is not one of this rig's; forget it"),
            ));
        }
    }
    let next_offset = tokio::task::spawn_blocking(move || app.logs.append(&lease, &append))
        .await
        .map_err(|error| Fault::file("appending to a log")(std::io::Error::other(error)))??;
    Ok(Json(LogPosition { next_offset }))
}
