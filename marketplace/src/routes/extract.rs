//! Axum's extractors with our errors: what cannot be read is a problem document too.

use crate::fault::Fault;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use std::time::Duration;
use sublet_protocol::problem::ProblemCode;

/// How long a body may take to arrive.
const ARRIVES: Duration = Duration::from_secs(30);

/// A JSON body.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let bytes = body(request, state).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            Fault::refused(
                ProblemCode::BadRequest,
                format!("The body is not the JSON that this path takes: {error}."),
            )
        })
    }
}

/// A body of text.
pub struct Text(pub String);

impl<S: Send + Sync> FromRequest<S> for Text {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let bytes = body(request, state).await?;
        String::from_utf8(bytes.into())
            .map(Self)
            .map_err(|_| Fault::refused(ProblemCode::BadRequest, "The body is not UTF-8 text."))
    }
}

async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Fault> {
    let read = tokio::time::timeout(ARRIVES, Bytes::from_request(request, state)).await;
    let Ok(read) = read else {
        return Err(Fault::refused(
            ProblemCode::BadRequest,
            "The body did not arrive within 30 seconds.",
        ));
    };
    read.map_err(|rejection: BytesRejection| {
        if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
            Fault::refused(
                ProblemCode::TooLarge,
                format!("A body has at most {} bytes here.", super::MOST_BODY),
            )
        } else {
            Fault::refused(
                ProblemCode::BadRequest,
                format!("The body broke off: {}.", rejection.body_text()),
            )
        }
    })
}

/// Parts of the path.
pub struct PathOf<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathOf<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(path)| Self(path))
            .map_err(|rejection| {
                Fault::refused(
                    ProblemCode::BadRequest,
                    format!("The path does not read: {}.", rejection.body_text()),
                )
            })
    }
}

/// The query.
pub struct QueryOf<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryOf<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|rejection| {
                Fault::refused(
                    ProblemCode::BadRequest,
                    format!("The query does not read: {}.", rejection.body_text()),
                )
            })
    }
}
