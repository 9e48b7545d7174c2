//! The calls of the local API that look back: the timeline, the course of the sensors, and what other settings would
//! have made of it.

use super::routes::bad_request;
use super::server::{Daemon, Failure};
use super::{HISTORY_DAYS_MAX, Request, TelemetrySpan};
use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::IntoResponse;
use serde::Deserialize;
use sublet_protocol::ids::GpuId;
use sublet_protocol::local::history::{History, TelemetryHistory};
use sublet_protocol::local::preview::{Preview, PreviewRequest};
use sublet_protocol::problem::Problem;

/// Days of history when the caller does not say.
const DAYS: u32 = 7;
/// Days of a trace when the caller does not say.
const TRACE_DAYS: u32 = 28;
/// Buckets when the caller does not say, and at most.
const POINTS: u32 = 600;
const POINTS_MAX: u32 = 2_000;
/// The longest time that one call looks back over, in ms: as long as anything is kept.
const SPAN_MAX_MS: u64 = 400 * 24 * 3_600_000;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DaysQuery {
    /// How many days of the owner's calendar, today included.
    #[param(minimum = 1, maximum = 90)]
    days: Option<u32>,
}

impl DaysQuery {
    fn checked(&self, usual: u32) -> Result<u32, Failure> {
        checked_days(self.days, usual)
    }
}

fn checked_days(days: Option<u32>, usual: u32) -> Result<u32, Failure> {
    let days = days.unwrap_or(usual);
    if (1..=HISTORY_DAYS_MAX).contains(&days) {
        Ok(days)
    } else {
        Err(bad_request(format!(
            "`days` is {days}: ask for 1 to {HISTORY_DAYS_MAX}."
        )))
    }
}

/// What the GPUs did over the last days and why, with each day's and each week's hours and money.
#[utoipa::path(get, path = "/local/v1/history", operation_id = "history", tag = "agent", params(DaysQuery),
    responses(
        (status = 200, body = History),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn history(
    State(daemon): State<Daemon>,
    query: Result<Query<DaysQuery>, QueryRejection>,
) -> Result<Json<History>, Failure> {
    let Query(query) = query.map_err(|error| bad_request(error.body_text()))?;
    let days = query.checked(DAYS)?;
    let ask = |answer| Request::History { days, answer };
    daemon.ask(ask).await.map(Json)
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TelemetryQuery {
    /// Which GPU.
    #[param(value_type = String)]
    gpu: GpuId,
    /// Since when, ms since 1970.
    from_ms: u64,
    /// Until when; at most 400 days later.
    to_ms: u64,
    /// In how many buckets at most (and one more at the edge); 600 when absent.
    #[param(minimum = 1, maximum = 2000)]
    points: Option<u32>,
}

/// What one GPU's sensors said and what it earned, in buckets of whole minutes.
#[utoipa::path(get, path = "/local/v1/history/telemetry", operation_id = "telemetryHistory", tag = "agent", params(TelemetryQuery),
    responses(
        (status = 200, body = TelemetryHistory),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn telemetry(
    State(daemon): State<Daemon>,
    query: Result<Query<TelemetryQuery>, QueryRejection>,
) -> Result<Json<TelemetryHistory>, Failure> {
    let Query(query) = query.map_err(|error| bad_request(error.body_text()))?;
    let points = query.points.unwrap_or(POINTS);
    if !(1..=POINTS_MAX).contains(&points) {
        return Err(bad_request(format!(
            "`points` is {points}: ask for 1 to {POINTS_MAX}."
        )));
    }
    if query.to_ms <= query.from_ms || query.to_ms - query.from_ms > SPAN_MAX_MS {
        return Err(bad_request(
            "`to_ms` must be later than `from_ms`, by at most 400 days.",
        ));
    }
    if query.to_ms > i64::MAX.cast_unsigned() {
        return Err(bad_request("`to_ms` is beyond any calendar."));
    }
    let span = TelemetrySpan {
        gpu: query.gpu,
        from_ms: query.from_ms,
        to_ms: query.to_ms,
        points: u64::from(points),
    };
    let ask = |answer| Request::Telemetry { span, answer };
    daemon.ask(ask).await.map(Json)
}

/// The record of the last days as a trace, for `sublet simulate`.
#[utoipa::path(get, path = "/local/v1/history/trace", operation_id = "trace", tag = "agent", params(DaysQuery),
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "Nothing was recorded yet."),
        (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn trace(
    State(daemon): State<Daemon>,
    query: Result<Query<DaysQuery>, QueryRejection>,
) -> Result<impl IntoResponse, Failure> {
    let Query(query) = query.map_err(|error| bad_request(error.body_text()))?;
    let days = query.checked(TRACE_DAYS)?;
    let ask = |answer| Request::Trace { days, answer };
    let text = daemon.ask_within(daemon.preview_within, ask).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text))
}

/// What other settings would have made of the last weeks. Takes a moment; nothing is written.
#[utoipa::path(post, path = "/local/v1/preview", operation_id = "preview", tag = "agent", request_body = PreviewRequest,
    responses(
        (status = 200, body = Preview),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "A change that cannot be made at all."),
        (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn preview(
    State(daemon): State<Daemon>,
    request: Result<Json<PreviewRequest>, JsonRejection>,
) -> Result<Json<Preview>, Failure> {
    let Json(request) = request.map_err(|error| bad_request(error.body_text()))?;
    checked_days(request.days, TRACE_DAYS)?;
    let ask = |answer| Request::Preview { request, answer };
    daemon
        .ask_within(daemon.preview_within, ask)
        .await
        .map(Json)
}
