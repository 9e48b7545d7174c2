//! What can go wrong while serving, and how it is told: always as a problem document with a stable code.

use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode, http::header};
use sublet_protocol::problem::{PROBLEM_JSON, Problem, ProblemCode};

/// Why a request, or a part of it, was not done.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The caller's doing: told as it is.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// The database did not do it. Nothing of the change is kept.
    #[error("the database did not answer as it should: {0}")]
    Database(#[from] sqlx::Error),
    /// The group of changes this one travelled in could not be committed. Nothing of it is kept.
    #[error("the database could not take the change: {0}")]
    Uncommitted(String),
    /// A file could not be read or written.
    #[error("{doing}: {source}")]
    File {
        /// What was being done, and to which file.
        doing: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something stored does not read back.
    #[error("the database holds something that does not read back: {0}")]
    Damaged(String),
    /// The server is on its way down.
    #[error("the marketplace is shutting down")]
    Closing,
}

impl Fault {
    /// A refusal with a code and its detail.
    pub fn refused(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self::Refused(Box::new(Problem::new(code, detail)))
    }

    /// The caller showed no token that holds.
    pub fn no_token() -> Self {
        Self::refused(
            ProblemCode::Unauthorized,
            "The request carries no bearer token that holds here. A rig opens a new session; a renter asks the operator for the token file.",
        )
    }

    /// A file fault.
    pub fn file(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::File { doing, source }
    }

    /// What the caller is told. The server's own troubles are named in the log, not on the wire.
    pub fn problem(&self) -> Problem {
        match self {
            Self::Refused(problem) => problem.as_ref().clone(),
            Self::Closing => Problem::new(ProblemCode::Unavailable, self.to_string()),
            Self::Database(_) | Self::Uncommitted(_) => Problem::new(
                ProblemCode::Unavailable,
                "The marketplace cannot write to its database right now (its log says why). Nothing was changed; try again later.",
            ),
            Self::File { .. } => Problem::new(
                ProblemCode::Unavailable,
                "The marketplace cannot reach its files right now (its log says why). Nothing was changed; try again later.",
            ),
            Self::Damaged(_) => Problem::new(
                ProblemCode::Internal,
                "The marketplace found something in its database that it cannot read (its log says what).",
            ),
        }
    }
}

/// A problem document as a response.
pub fn respond(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (
        status,
        [(header::CONTENT_TYPE, PROBLEM_JSON)],
        Json(problem).into_response().into_body(),
    )
        .into_response()
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        if !matches!(self, Self::Refused(_) | Self::Closing) {
            tracing::error!(fault = %self, "a request could not be served");
        }
        respond(&self.problem())
    }
}
