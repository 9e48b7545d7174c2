//! The calls of the local API, each one question to the daemon.

use super::server::{Daemon, Failure};
use super::{LOG_LINES_MAX, Request, events, export, openapi, past};
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use sublet_protocol::ids::{GpuId, LeaseId};
use sublet_protocol::local::settings::{
    SettingsChange, SettingsPreview, SettingsPut, SettingsView,
};
use sublet_protocol::local::{
    BenchView, Doctor, Gpus, Jobs, PauseRequest, PauseView, Status, Wallet,
};
use sublet_protocol::problem::{Problem, ProblemCode};

/// A pause longer than this is a slip of the keyboard: 366 days in ms.
pub const PAUSE_MAX_MS: u64 = 366 * 24 * 60 * 60 * 1000;

/// Lines of a log when the caller does not say.
const LOG_LINES: u32 = 100;

pub(super) fn router(daemon: Daemon) -> Router {
    let v1 = Router::new()
        .route("/status", get(status))
        .route("/gpus", get(gpus))
        .route("/jobs", get(jobs))
        .route("/jobs/{lease}/log", get(job_log))
        .route("/wallet", get(wallet))
        .route("/wallet/export", get(wallet_export))
        .route("/pause", put(pause).delete(resume))
        .route("/bench", get(bench).post(start_bench))
        .route("/doctor", get(doctor))
        .route("/settings", get(settings).put(change_settings))
        .route("/settings/check", post(check_settings))
        .route("/history", get(past::history))
        .route("/history/telemetry", get(past::telemetry))
        .route("/history/trace", get(past::trace))
        .route("/preview", post(past::preview))
        .route("/events", get(events::events))
        .route("/openapi.json", get(openapi_json));
    Router::new()
        .nest("/local/v1", v1)
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .with_state(daemon)
}

/// How things stand: the sentence, every GPU with its reasons, the leases under way, today's earnings.
#[utoipa::path(get, path = "/local/v1/status", operation_id = "status", tag = "agent",
    responses((status = 200, body = Status), (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn status(State(daemon): State<Daemon>) -> Result<Json<Status>, Failure> {
    daemon.ask(Request::Status).await.map(Json)
}

/// Every GPU that was found, and what could not be looked at.
#[utoipa::path(get, path = "/local/v1/gpus", operation_id = "gpus", tag = "agent",
    responses((status = 200, body = Gpus), (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn gpus(State(daemon): State<Daemon>) -> Result<Json<Gpus>, Failure> {
    daemon.ask(Request::Gpus).await.map(Json)
}

/// Every lease, newest first.
#[utoipa::path(get, path = "/local/v1/jobs", operation_id = "jobs", tag = "agent",
    responses((status = 200, body = Jobs), (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn jobs(State(daemon): State<Daemon>) -> Result<Json<Jobs>, Failure> {
    daemon.ask(Request::Jobs).await.map(Json)
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LogQuery {
    /// How many lines at most, counted from the end; 100 when absent.
    #[param(minimum = 1, maximum = 10_000)]
    lines: Option<u32>,
}

/// The end of a job's output, as the job wrote it.
#[utoipa::path(get, path = "/local/v1/jobs/{lease}/log", operation_id = "jobLog", tag = "agent",
    params(("lease" = String, Path, description = "The lease's id"), LogQuery),
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn job_log(
    State(daemon): State<Daemon>,
    lease: Result<Path<LeaseId>, PathRejection>,
    query: Result<Query<LogQuery>, QueryRejection>,
) -> Result<impl IntoResponse, Failure> {
    let Path(lease) = lease.map_err(|error| bad_request(error.body_text()))?;
    let Query(query) = query.map_err(|error| bad_request(error.body_text()))?;
    let lines = query.lines.unwrap_or(LOG_LINES);
    if !(1..=LOG_LINES_MAX).contains(&lines) {
        return Err(bad_request(format!(
            "`lines` is {lines}: ask for 1 to {LOG_LINES_MAX}."
        )));
    }
    let ask = |answer| Request::Log {
        lease,
        lines,
        answer,
    };
    let text = daemon.ask(ask).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text))
}

/// What was earned, what the marketplace kept, and what vouchers prove.
#[utoipa::path(get, path = "/local/v1/wallet", operation_id = "wallet", tag = "agent",
    responses((status = 200, body = Wallet), (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn wallet(State(daemon): State<Daemon>) -> Result<Json<Wallet>, Failure> {
    daemon.ask(Request::Wallet).await.map(Json)
}

/// Every earning as CSV: amounts in US dollars, times in UTC.
#[utoipa::path(get, path = "/local/v1/wallet/export", operation_id = "walletExport", tag = "agent",
    responses((status = 200, body = String, content_type = "text/csv"), (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn wallet_export(
    State(daemon): State<Daemon>,
) -> Result<impl IntoResponse, Failure> {
    let wallet = daemon.ask(Request::Wallet).await?;
    let head = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"sublet-earnings.csv\"",
        ),
    ];
    Ok((head, export::csv(&wallet)))
}

/// Rent nothing, or not one GPU, for a while or until the owner resumes. Replaces such a pause in force.
#[utoipa::path(put, path = "/local/v1/pause", operation_id = "pause", tag = "agent", request_body = PauseRequest,
    responses(
        (status = 200, body = PauseView),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn pause(
    State(daemon): State<Daemon>,
    request: Result<Json<PauseRequest>, JsonRejection>,
) -> Result<Json<PauseView>, Failure> {
    let Json(request) = request.map_err(|error| bad_request(error.body_text()))?;
    if request
        .for_ms
        .is_some_and(|ms| !(1..=PAUSE_MAX_MS).contains(&ms))
    {
        return Err(bad_request(
            "A pause lasts 1 ms to 366 days. Leave `for_ms` out to pause until you resume.",
        ));
    }
    let ask = |answer| Request::Pause { request, answer };
    daemon.ask(ask).await.map(Json)
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ResumeQuery {
    /// Only the pause of this GPU; absent: every pause.
    #[param(value_type = Option<String>)]
    gpu: Option<GpuId>,
}

/// End the pause of one GPU, or every pause; fine when there is none.
#[utoipa::path(delete, path = "/local/v1/pause", operation_id = "resume", tag = "agent", params(ResumeQuery),
    responses(
        (status = 204),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn resume(
    State(daemon): State<Daemon>,
    query: Result<Query<ResumeQuery>, QueryRejection>,
) -> Result<StatusCode, Failure> {
    let Query(ResumeQuery { gpu }) = query.map_err(|error| bad_request(error.body_text()))?;
    daemon.ask(|answer| Request::Resume { gpu, answer }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How the benchmark goes, or how the last one came out.
#[utoipa::path(get, path = "/local/v1/bench", operation_id = "bench", tag = "agent",
    responses((status = 200, body = BenchView), (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn bench(State(daemon): State<Daemon>) -> Result<Json<BenchView>, Failure> {
    daemon.ask(Request::Bench).await.map(Json)
}

/// Start a benchmark of every GPU.
#[utoipa::path(post, path = "/local/v1/bench", operation_id = "startBench", tag = "agent",
    responses(
        (status = 202, body = BenchView),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "A job or another benchmark runs."),
        (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn start_bench(
    State(daemon): State<Daemon>,
) -> Result<(StatusCode, Json<BenchView>), Failure> {
    let view = daemon.ask(Request::StartBench).await?;
    Ok((StatusCode::ACCEPTED, Json(view)))
}

/// Look at everything that renting needs. Takes seconds.
#[utoipa::path(get, path = "/local/v1/doctor", operation_id = "doctor", tag = "agent",
    responses((status = 200, body = Doctor), (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn doctor(State(daemon): State<Daemon>) -> Result<Json<Doctor>, Failure> {
    let within = daemon.doctor_within;
    daemon.ask_within(within, Request::Doctor).await.map(Json)
}

/// The owner's settings: the file's text, what is in force and who says so, and what is wrong.
#[utoipa::path(get, path = "/local/v1/settings", operation_id = "settings", tag = "agent",
    responses((status = 200, body = SettingsView), (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn settings(State(daemon): State<Daemon>) -> Result<Json<SettingsView>, Failure> {
    daemon.ask(Request::Settings).await.map(Json)
}

/// Change the settings. The file is written whole or not at all, comments stay, and the change is in force when this
/// is answered.
#[utoipa::path(put, path = "/local/v1/settings", operation_id = "changeSettings", tag = "agent", request_body = SettingsPut,
    responses(
        (status = 200, body = SettingsView),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "The settings would not hold; the detail says why."),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "The file was changed since that revision."),
        (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn change_settings(
    State(daemon): State<Daemon>,
    put: Result<Json<SettingsPut>, JsonRejection>,
) -> Result<Json<SettingsView>, Failure> {
    let Json(put) = put.map_err(|error| bad_request(error.body_text()))?;
    let ask = |answer| Request::ChangeSettings { put, answer };
    daemon.ask(ask).await.map(Json)
}

/// What a change of the settings would do. Nothing is written.
#[utoipa::path(post, path = "/local/v1/settings/check", operation_id = "checkSettings", tag = "agent", request_body = SettingsChange,
    responses(
        (status = 200, body = SettingsPreview),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "A change that cannot be made at all."),
        (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn check_settings(
    State(daemon): State<Daemon>,
    change: Result<Json<SettingsChange>, JsonRejection>,
) -> Result<Json<SettingsPreview>, Failure> {
    let Json(change) = change.map_err(|error| bad_request(error.body_text()))?;
    let ask = |answer| Request::CheckSettings { change, answer };
    daemon.ask(ask).await.map(Json)
}

/// This description.
#[utoipa::path(get, path = "/local/v1/openapi.json", operation_id = "openapi", tag = "agent",
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn openapi_json() -> Result<impl IntoResponse, Failure> {
    let text = openapi::document().map_err(|error| {
        Failure::new(
            ProblemCode::Internal,
            format!("The description could not be written: {error}"),
        )
    })?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text))
}

async fn no_such_path(uri: axum::http::Uri) -> Failure {
    Failure::new(
        ProblemCode::NotFound,
        format!(
            "The local API has no {}; /local/v1/openapi.json lists what it has.",
            uri.path()
        ),
    )
}

async fn no_such_method(method: axum::http::Method, uri: axum::http::Uri) -> Failure {
    bad_request(format!(
        "{} does not take {method}; /local/v1/openapi.json lists what it takes.",
        uri.path()
    ))
}

pub(super) fn bad_request(detail: impl Into<String>) -> Failure {
    Failure::new(ProblemCode::BadRequest, detail)
}
