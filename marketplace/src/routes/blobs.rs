//! `/v1/blobs/{cid}`: bytes by their hash, in and out, with ranges.

use super::auth::Caller;
use super::extract::PathOf;
use crate::app::{App, Shared};
use crate::blobs::range::{Wanted, wanted};
use crate::blobs::{Uploader, known};
use crate::fault::Fault;
use crate::leases::{Lease, close, stale_checkpoints};
use crate::store::{to_db, to_id, to_u64};
use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use futures_util::FutureExt;
use sublet_protocol::blob::{BlobId, UploadPosition};
use sublet_protocol::ids::LeaseId;
use sublet_protocol::lease::LeaseState;
use sublet_protocol::problem::{Problem, ProblemCode};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

/// The most that one renter's own uploads may take, in bytes.
const RENTERS_BYTES: u64 = 256 << 30;

/// Uploads a blob, or the rest of one: `Content-Range: bytes FROM-LAST/LENGTH` goes on with an upload that broke off.
/// The bytes are checked against the CID while they stream; others are refused with `cid_mismatch` and nothing is
/// kept. Sending the same again changes nothing.
#[utoipa::path(put, path = "/v1/blobs/{cid}", tag = "blobs",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    params(("cid" = BlobId, Path, description = "CIDv1, raw, sha2-256"),
        ("content-range" = Option<String>, Header, description = "`bytes FROM-LAST/LENGTH`, where the upload goes on")),
    security(("rig" = []), ("renter" = [])),
    responses((status = 204, description = "It is here"),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn put_blob(
    State(app): State<Shared>,
    caller: Caller,
    PathOf(cid): PathOf<BlobId>,
    request: Request,
) -> Result<StatusCode, Fault> {
    let (announced, from) = extent(request.headers())?;
    let length = announced.unwrap_or(0).saturating_add(from);
    app.blobs.check_length(length)?;
    may_upload(&app, &caller, length).await?;
    let kept = app
        .blobs
        .take(
            &cid,
            uploader(&caller),
            from,
            request.into_body().into_data_stream(),
        )
        .await?;
    let bytes = kept.bytes;
    let now = crate::clock::now_ms();
    let query = match &caller {
        Caller::Rig(_) => "INSERT OR IGNORE INTO blobs (cid, rig, bytes) VALUES (?, ?, ?)",
        Caller::Renter(_) => {
            "INSERT OR IGNORE INTO renter_blobs (cid, renter, bytes) VALUES (?, ?, ?)"
        }
    };
    let (whose, rig) = match &caller {
        Caller::Rig(rig) => (rig.id.to_string(), Some(rig.id.clone())),
        Caller::Renter(renter) => (renter.to_string(), None),
    };
    app.db
        .change(move |tx| {
            async move {
                sqlx::query(query)
                    .bind(cid.to_string())
                    .bind(whose)
                    .bind(to_db(bytes)?)
                    .execute(&mut tx.conn)
                    .await?;
                if let Some(rig) = rig {
                    stale_checkpoints::note_upload(tx, &cid, &rig, now).await?;
                }
                tx.wrote(crate::rehearsal::BLOB);
                settle_what_waited(tx, &cid, now).await
            }
            .boxed()
        })
        .await?;
    drop(kept);
    Ok(StatusCode::NO_CONTENT)
}

/// Says how much of an upload that broke off is kept here, so that it can go on from there.
#[utoipa::path(get, path = "/v1/blobs/{cid}/upload", tag = "blobs",
    params(("cid" = BlobId, Path, description = "CIDv1, raw, sha2-256")),
    security(("rig" = []), ("renter" = [])),
    responses((status = 200, body = UploadPosition),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn upload_position(
    State(app): State<Shared>,
    caller: Caller,
    PathOf(cid): PathOf<BlobId>,
) -> Result<Json<UploadPosition>, Fault> {
    let next_offset = match known_length(&app, &caller, &cid).await? {
        Some(length) => length,
        None => app.blobs.position(&cid, uploader(&caller)).await?,
    };
    Ok(Json(UploadPosition { next_offset }))
}

fn uploader(caller: &Caller) -> Uploader<'_> {
    match caller {
        Caller::Rig(rig) => Uploader::Rig(rig.id.as_str()),
        Caller::Renter(renter) => Uploader::Renter(renter.as_str()),
    }
}

/// How long a part is said to be, and where it begins.
fn extent(headers: &HeaderMap) -> Result<(Option<u64>, u64), Fault> {
    let header = |name| headers.get(name)?.to_str().ok();
    let announced = header(header::CONTENT_LENGTH).and_then(|text| text.parse().ok());
    let from = match header(header::CONTENT_RANGE) {
        None => 0,
        Some(text) => begins_at(text).ok_or_else(|| {
            let detail = "`Content-Range` is written as bytes FROM-LAST/LENGTH";
            Fault::refused(ProblemCode::BadRequest, detail)
        })?,
    };
    Ok((announced, from))
}

/// Where a part begins, by its `Content-Range`.
fn begins_at(text: &str) -> Option<u64> {
    let (range, length) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (from, last) = range.split_once('-')?;
    let (from, last): (u64, u64) = (from.parse().ok()?, last.parse().ok()?);
    let fits = length == "*" || length.parse::<u64>().ok()?.checked_sub(1)? == last;
    (from <= last && fits).then_some(from)
}

async fn may_upload(app: &App, caller: &Caller, length: u64) -> Result<(), Fault> {
    match caller {
        Caller::Rig(rig) => {
            let held: Option<i64> =
                sqlx::query_scalar("SELECT 1 FROM leases WHERE rig = ? LIMIT 1")
                    .bind(rig.id.as_str())
                    .fetch_optional(&app.readers)
                    .await?;
            if held.is_some() {
                return Ok(());
            }
            let detail = "Only a rig that holds or held a lease may upload.";
            Err(Fault::refused(ProblemCode::Forbidden, detail))
        }
        Caller::Renter(renter) => {
            let has: i64 = sqlx::query_scalar(
                "SELECT coalesce(sum(bytes), 0) FROM renter_blobs WHERE renter = ?",
            )
            .bind(renter.as_str())
            .fetch_one(&app.readers)
            .await?;
            if to_u64(has)?.saturating_add(length) <= RENTERS_BYTES {
                return Ok(());
            }
            Err(Fault::refused(
                ProblemCode::TooLarge,
                format!(
                    "Your uploads would take more than the {RENTERS_BYTES} bytes that they may."
                ),
            ))
        }
    }
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

/// Downloads a blob, or a range of it.
///
/// For whoever uploaded it, the renter whose job made it, and rigs whose open lease needs it.
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
    known_length(app, caller, cid).await?.ok_or_else(|| {
        Fault::refused(
            ProblemCode::NotFound,
            format!("There is no blob {cid} of yours here."),
        )
    })
}

async fn known_length(app: &App, caller: &Caller, cid: &BlobId) -> Result<Option<u64>, Fault> {
    let mut conn = app.readers.acquire().await?;
    match caller {
        Caller::Rig(rig) => known::by_rig(&mut conn, &rig.id, cid).await,
        Caller::Renter(renter) => known::by_renter(&mut conn, renter, cid).await,
    }
}

#[cfg(test)]
mod tests {
    use super::begins_at;

    #[test]
    fn a_part_says_where_it_begins() {
        for (text, from) in [
            ("bytes 0-9/10", Some(0)),
            ("bytes 4-9/10", Some(4)),
            ("bytes 4-9/*", Some(4)),
            // Its end is not the blob's.
            ("bytes 4-8/10", None),
            ("bytes 9-4/10", None),
            ("bytes */10", None),
            ("bytes 4-/10", None),
            ("lines 0-9/10", None),
            ("bytes 0-0/0", None),
            ("", None),
        ] {
            assert_eq!(begins_at(text), from, "{text}");
        }
    }
}
