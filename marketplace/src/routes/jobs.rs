//! `/v1/jobs`: a renter's jobs and their logs.

use super::auth::RenterCaller;
use super::extract::{PathOf, QueryOf, Text};
use super::rigs::LONGEST_WAIT_MS;
use crate::app::{App, Shared};
use crate::clock::now_ms;
use crate::fault::Fault;
use crate::jobs::{self, Job};
use crate::leases::Lease;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use futures_util::FutureExt;
use serde::Deserialize;
use sqlx::SqliteConnection;
use std::time::Duration;
use sublet_protocol::ids::{JobId, LeaseId};
use sublet_protocol::problem::{Problem, ProblemCode};
use sublet_protocol::renter::{JobList, JobState, JobView, LeaseView, LogChunk, Submitted};

/// How long after a lease closed its log may still grow, in ms: the rig sends its last lines beside its last word.
const LOG_GRACE_MS: u64 = 5_000;

/// Submits a job: the body is the job spec in YAML.
#[utoipa::path(post, path = "/v1/jobs", tag = "jobs",
    request_body(content = String, content_type = "application/yaml", description = "The job spec: a subset of Compose"),
    security(("renter" = [])),
    responses((status = 201, body = Submitted),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn submit_job(
    State(app): State<Shared>,
    RenterCaller(renter): RenterCaller,
    Text(text): Text,
) -> Result<(StatusCode, Json<Submitted>), Fault> {
    let spec = sublet_protocol::job::parse(&text)
        .map_err(|error| Fault::refused(ProblemCode::BadJob, error.to_string()))?;
    let job = app
        .db
        .change(move |tx| async move { jobs::submit(tx, &renter, &spec, now_ms()).await }.boxed())
        .await?;
    app.board.order_book.notify_one();
    Ok((StatusCode::CREATED, Json(Submitted { job })))
}

/// Lists the renter's jobs, newest first, at most 100.
#[utoipa::path(get, path = "/v1/jobs", tag = "jobs", security(("renter" = [])),
    responses((status = 200, body = JobList),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn list_jobs(
    State(app): State<Shared>,
    RenterCaller(renter): RenterCaller,
) -> Result<Json<JobList>, Fault> {
    let mut snapshot = app.readers.begin().await?;
    let mut views = Vec::new();
    for job in jobs::list(&mut snapshot, &renter).await? {
        views.push(view(&app, &mut snapshot, job).await?);
    }
    Ok(Json(JobList { jobs: views }))
}

/// Shows one job with every lease it took.
#[utoipa::path(get, path = "/v1/jobs/{job}", tag = "jobs",
    params(("job" = String, Path, description = "The job's id")), security(("renter" = [])),
    responses((status = 200, body = JobView),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn get_job(
    State(app): State<Shared>,
    RenterCaller(renter): RenterCaller,
    PathOf(job): PathOf<JobId>,
) -> Result<Json<JobView>, Fault> {
    let mut snapshot = app.readers.begin().await?;
    let job = jobs::of_renter(&mut snapshot, &renter, &job).await?;
    view(&app, &mut snapshot, job).await.map(Json)
}

/// Cancels a job: at once where no rig has taken it, else as soon as its rig confirms (202).
#[utoipa::path(delete, path = "/v1/jobs/{job}", tag = "jobs",
    params(("job" = String, Path, description = "The job's id")), security(("renter" = [])),
    responses((status = 202, body = JobView, description = "It is cancelled, or its rig has been told to stop"),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn cancel_job(
    State(app): State<Shared>,
    RenterCaller(renter): RenterCaller,
    PathOf(job): PathOf<JobId>,
) -> Result<(StatusCode, Json<JobView>), Fault> {
    let (whose, which) = (renter.clone(), job.clone());
    app.db
        .change(move |tx| async move { jobs::cancel(tx, &whose, &which, now_ms()).await }.boxed())
        .await?;
    app.board.order_book.notify_one();
    let mut snapshot = app.readers.begin().await?;
    let job = jobs::of_renter(&mut snapshot, &renter, &job).await?;
    let view = view(&app, &mut snapshot, job).await?;
    Ok((StatusCode::ACCEPTED, Json(view)))
}

/// What a reader of a log asks for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct LogQuery {
    /// Whose log; the newest lease's where it is absent.
    #[param(value_type = Option<String>)]
    lease: Option<LeaseId>,
    /// Where to read on, in bytes.
    #[serde(default)]
    offset: u64,
    /// How long to wait for more, in ms; 30 000 at most.
    #[serde(default)]
    wait_ms: u64,
}

/// Reads a job's log from an offset: answers at once when there is more, else after the wait.
#[utoipa::path(get, path = "/v1/jobs/{job}/logs", tag = "jobs",
    params(("job" = String, Path, description = "The job's id"), LogQuery), security(("renter" = [])),
    responses((status = 200, body = LogChunk),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn read_log(
    State(app): State<Shared>,
    RenterCaller(renter): RenterCaller,
    PathOf(job): PathOf<JobId>,
    QueryOf(query): QueryOf<LogQuery>,
) -> Result<Json<LogChunk>, Fault> {
    let wait = Duration::from_millis(query.wait_ms.min(LONGEST_WAIT_MS));
    let until = tokio::time::Instant::now() + wait;
    loop {
        let (state, leases) = {
            let mut snapshot = app.readers.begin().await?;
            let found = jobs::of_renter(&mut snapshot, &renter, &job).await?;
            (found.state, Lease::of_job(&mut snapshot, &job).await?)
        };
        let lease = match &query.lease {
            None => leases.last(),
            Some(id) => Some(leases.iter().find(|lease| lease.id == *id).ok_or_else(|| {
                Fault::refused(
                    ProblemCode::NotFound,
                    format!("lease {id} is not one of job {job}'s"),
                )
            })?),
        };
        // A lease's own notice comes at once; its beginning and its end are looked for each second.
        let look_again = tokio::time::sleep(Duration::from_secs(1));
        let Some(lease) = lease else {
            let chunk = LogChunk {
                lease: None,
                offset: query.offset,
                text: String::new(),
                next_offset: query.offset,
                end: state.is_over(),
            };
            tokio::select! {
                () = tokio::time::sleep_until(until) => return Ok(Json(chunk)),
                () = app.closing.cancelled() => return Err(Fault::Closing),
                () = look_again, if !chunk.end => continue,
                () = std::future::ready(()), if chunk.end => return Ok(Json(chunk)),
            }
        };
        let notify = app.logs.appended(&lease.id);
        let appended = notify.notified();
        tokio::pin!(appended);
        appended.as_mut().enable();
        let chunk = chunk(&app, lease, query.offset).await?;
        if !chunk.text.is_empty() || chunk.end {
            return Ok(Json(chunk));
        }
        tokio::select! {
            () = appended => {}
            () = look_again => {}
            () = tokio::time::sleep_until(until) => return Ok(Json(chunk)),
            () = app.closing.cancelled() => return Err(Fault::Closing),
        }
    }
}

async fn chunk(app: &Shared, lease: &Lease, offset: u64) -> Result<LogChunk, Fault> {
    let (shared, id) = (Shared::clone(app), lease.id.clone());
    let piece = tokio::task::spawn_blocking(move || shared.logs.read(&id, offset))
        .await
        .map_err(|error| Fault::file("reading a log")(std::io::Error::other(error)))??;
    let since_end = lease.ended_ms.map(|ended| now_ms().saturating_sub(ended));
    let silent = lease.closed && since_end.is_none_or(|ms| ms > LOG_GRACE_MS);
    Ok(LogChunk {
        lease: Some(lease.id.clone()),
        offset,
        end: piece.end || (silent && piece.text.is_empty()),
        text: piece.text,
        next_offset: piece.next_offset,
    })
}

async fn view(app: &App, conn: &mut SqliteConnection, job: Job) -> Result<JobView, Fault> {
    let leases = Lease::of_job(conn, &job.id).await?;
    Ok(JobView {
        waiting_for: (job.state == JobState::Queued).then(|| {
            let why = app.waiting.why(&job.id);
            why.unwrap_or_else(|| "the order book has not been looked at yet".into())
        }),
        charged: leases.iter().map(|lease| lease.charge.gross).sum(),
        leases: leases.into_iter().map(|l| lease_view(app, l)).collect(),
        job: job.id,
        spec: job.spec,
        state: job.state,
        submitted_at_ms: job.submitted_ms,
    })
}

fn lease_view(app: &App, lease: Lease) -> LeaseView {
    let rig = app
        .board
        .rig(&lease.rig)
        .filter(|_| !lease.state.is_over_for_rig());
    let (telemetry, transfer) = match rig {
        None => (None, None),
        Some(rig) => {
            let live = rig.live();
            let first = lease.gpus.first();
            let reading = first.and_then(|first| live.gpus.iter().find(|t| t.gpu == first.id));
            (reading.cloned(), live.transfers.get(&lease.id).copied())
        }
    };
    LeaseView {
        lease: lease.id,
        rig: lease.rig,
        gpus: lease.gpus.into_iter().map(|gpu| gpu.name).collect(),
        state: lease.state,
        price: lease.terms.price,
        used_ms: lease.used_ms,
        charged: lease.charge.gross,
        progress_permille: lease.progress,
        telemetry,
        ending: lease.ending,
        checkpoint: lease.checkpoint,
        transfer,
    }
}
