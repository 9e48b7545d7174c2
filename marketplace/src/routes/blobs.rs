//! `/v1/blobs/{cid}`: bytes by their hash, in and out, with ranges.

use super::auth::{Caller, RigCaller};
use super::extract::PathOf;
use crate::app::{App, Shared};
use crate::blobs::range::{Wanted, wanted};
use crate::fault::Fault;
use crate::leases::{Lease, close};
use crate::store::{to_db, to_id, to_u64};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use futures_util::FutureExt;
use sublet_protocol::blob::BlobId;
use sublet_protocol::ids::LeaseId;
use sublet_protocol::lease::LeaseState;
use sublet_protocol::problem::{Problem, ProblemCode};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

/// Uploads a blob. The bytes are checked against the CID while they stream; others are refused with
/// `cid_mismatch` and nothing is kept. Sending the same again changes nothing.
#[utoipa::path(put, path = "/v1/blobs/{cid}", tag = "blobs",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    params(("cid" = BlobId, Path, description = "CIDv1, raw, sha2-256")), security(("rig" = [])),
    responses((status = 204, description = "It is here"),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn put_blob(
    State(app): State<Shared>,
    RigCaller(rig): RigCaller,
    PathOf(cid): PathOf<BlobId>,
    request: Request,
) -> Result<StatusCode, Fault> {
    let id = rig.id.clone();
    let held: Option<i64> = sqlx::query_scalar("SELECT 1 FROM leases WHERE rig = ? LIMIT 1")
        .bind(id.as_str())
        .fetch_optional(&app.readers)
        .await?;
    if held.is_none() {
        return Err(Fault::refused(
            ProblemCode::Forbidden,
            "Only a rig that holds or held a lease may upload.",
        ));
    }
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    app.blobs.check_length(announced.unwrap_or(0))?;
    let bytes = app
        .blobs
        .take(&cid, request.into_body().into_data_stream())
        .await?;
    let now = crate::clock::now_ms();
    app.db
        .change(move |tx| {
            async move {
                sqlx::query("INSERT OR IGNORE INTO blobs (cid, rig, bytes) VALUES (?, ?, ?)")
                    .bind(cid.to_string())
                    .bind(id.as_str())
                    .bind(to_db(bytes)?)
                    .execute(&mut tx.conn)
                    .await?;
                tx.wrote(crate::rehearsal::BLOB);
                settle_what_waited(tx, &cid, now).await
            }
            .boxed()
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A rig may have said its last word before its last upload: such leases are looked at again.
async fn settle_what_waited(tx: &mut crate::db::Tx, cid: &BlobId, now: u64) -> Result<(), Fault> {
    let waiting: Vec<(String, String)> = sqlx::query_as(
        "SELECT l.id, l.rig FROM lease_outputs o JOIN leases l ON l.id = o.lease
         WHERE o.cid = ? AND l.closed = 0",
    )
    .bind(cid.to_string())
    .fetch_all(&mut tx.conn)
    .await?;
    for (lease, rig) in waiting {
        let (lease, rig): (LeaseId, _) = (to_id(lease)?, to_id(rig)?);
        let found = Lease::of_rig(&mut tx.conn, &rig, &lease).await?;
        if let Some(lease) = found.filter(|lease| lease.state == LeaseState::Finished) {
            close::after_the_last_word(tx, lease, now).await?;
        }
    }
    Ok(())
}

/// Downloads a blob, or a range of it. For the renter whose job made it, and for rigs that uploaded it.
#[utoipa::path(get, path = "/v1/blobs/{cid}", tag = "blobs",
    params(("cid" = BlobId, Path, description = "CIDv1, raw, sha2-256"),
        ("range" = Option<String>, Header, description = "`bytes=from-`, `bytes=from-to` or `bytes=-last`")),
    security(("rig" = []), ("renter" = [])),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn get_blob(
    State(app): State<Shared>,
    caller: Caller,
    PathOf(cid): PathOf<BlobId>,
    headers: HeaderMap,
) -> Result<Response<Body>, Fault> {
    let length = length_for(&app, &caller, &cid).await?;
    let range = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok());
    // A range of another version than the caller's first part: there is none, since the name is the content.
    let wanted = match headers.get(header::IF_RANGE) {
        Some(tag) if tag.as_bytes() != etag(&cid).as_bytes() => Wanted::Whole,
        _ => wanted(range, length),
    };
    let (status, from, count) = match wanted {
        Wanted::Whole => (StatusCode::OK, 0, length),
        Wanted::Part { from, to } => (StatusCode::PARTIAL_CONTENT, from, to - from + 1),
        Wanted::Beyond => return Ok(beyond(length)),
    };
    let path = app.blobs.path(&cid);
    let failed = |source| Fault::file(format!("reading {}", path.display()))(source);
    let mut file = tokio::fs::File::open(&path).await.map_err(failed)?;
    file.seek(std::io::SeekFrom::Start(from))
        .await
        .map_err(failed)?;
    let body = Body::from_stream(ReaderStream::with_capacity(file.take(count), 64 * 1024));
    let mut response = headed(&cid, status, count);
    if let Wanted::Part { from, to } = wanted {
        response = response.header(header::CONTENT_RANGE, format!("bytes {from}-{to}/{length}"));
    }
    finish(response, body)
}

/// How long a blob is, and whether it is here.
#[utoipa::path(head, path = "/v1/blobs/{cid}", tag = "blobs",
    params(("cid" = BlobId, Path, description = "CIDv1, raw, sha2-256")),
    security(("rig" = []), ("renter" = [])),
    responses((status = 200, description = "It is here; `Content-Length` says how long it is"),
        (status = "default", description = "As for GET, without a body")))]
pub async fn head_blob(
    State(app): State<Shared>,
    caller: Caller,
    PathOf(cid): PathOf<BlobId>,
) -> Result<Response<Body>, Fault> {
    let length = length_for(&app, &caller, &cid).await?;
    finish(headed(&cid, StatusCode::OK, length), Body::empty())
}

fn etag(cid: &BlobId) -> String {
    format!("\"{cid}\"")
}

fn headed(cid: &BlobId, status: StatusCode, count: u64) -> axum::http::response::Builder {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::CONTENT_LENGTH, count)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::ETAG, etag(cid))
        .header(
            header::CACHE_CONTROL,
            "private, immutable, max-age=31536000",
        )
        // What a job made is not to be run by a browser as a page of ours.
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
}

fn finish(response: axum::http::response::Builder, body: Body) -> Result<Response<Body>, Fault> {
    response
        .body(body)
        .map_err(|error| Fault::Damaged(error.to_string()))
}

fn beyond(length: u64) -> Response<Body> {
    let detail = format!("The blob has {length} bytes; the range lies beyond them.");
    let mut response = crate::fault::respond(&Problem::new(ProblemCode::BadRange, detail));
    if let Ok(value) = format!("bytes */{length}").parse() {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    response
}

/// The blob's length, if the caller may know of it.
async fn length_for(app: &App, caller: &Caller, cid: &BlobId) -> Result<u64, Fault> {
    let query = match caller {
        Caller::Rig(rig) => sqlx::query_scalar("SELECT bytes FROM blobs WHERE cid = ? AND rig = ?")
            .bind(cid.to_string())
            .bind(rig.id.to_string()),
        Caller::Renter(renter) => sqlx::query_scalar(
            "SELECT b.bytes FROM blobs b WHERE b.cid = ? AND EXISTS (
                SELECT 1 FROM lease_outputs o JOIN leases l ON l.id = o.lease
                WHERE o.cid = b.cid AND l.renter = ?) LIMIT 1",
        )
        .bind(cid.to_string())
        .bind(renter.to_string()),
    };
    let bytes: Option<i64> = query.fetch_optional(&app.readers).await?;
    to_u64(bytes.ok_or_else(|| {
        Fault::refused(
            ProblemCode::NotFound,
            format!("There is no blob {cid} of yours here."),
        )
    })?)
}
