//! What can go wrong between this rig and its marketplace.

use std::path::PathBuf;
use std::time::Duration;
use sublet_protocol::problem::{Problem, ProblemCode};

/// Why a call to the marketplace brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum MarketError {
    /// The address is not one this agent can use.
    #[error(
        "`{url}` cannot be a marketplace's address ({why}); write it as https://market.example"
    )]
    BadAddress {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// Plain HTTP to another machine: the session's token could be read on the way.
    #[error(
        "`{url}` is not encrypted, and {host} is not this machine; use https:// (http:// is for loopback addresses only)"
    )]
    Insecure {
        /// As it was given.
        url: String,
        /// Where it leads.
        host: String,
    },
    /// The HTTP client could not be made.
    #[error("this agent cannot make encrypted connections: {why}")]
    NoClient {
        /// What the TLS library said.
        why: String,
    },
    /// No connection, or it broke, or something in between answered for it.
    #[error("the marketplace at {url} cannot be reached: {why}")]
    Unreachable {
        /// Its address.
        url: String,
        /// What happened on the way.
        why: String,
    },
    /// No answer, or no progress, for too long.
    #[error("the marketplace at {url} did not answer within {after:?}")]
    TooSlow {
        /// Its address.
        url: String,
        /// How long this agent waited.
        after: Duration,
    },
    /// It answered, and said no.
    #[error("the marketplace refused: {0}")]
    Refused(#[from] Problem),
    /// It answered something else than the protocol.
    #[error(
        "the marketplace's answer to {what} makes no sense ({why}); is the address really a marketplace's, and of version 1?"
    )]
    Garbled {
        /// Which call.
        what: &'static str,
        /// What is wrong with the answer.
        why: String,
    },
    /// It answered more than any honest answer holds.
    #[error("the marketplace's answer to {what} is longer than {limit} bytes; it was not read")]
    Oversized {
        /// Which call.
        what: &'static str,
        /// The most that is read.
        limit: usize,
    },
    /// It is not the one this rig has dealt with so far.
    #[error(
        "the marketplace's {what} is `{found}`, but this rig has dealt with `{expected}` so far; if it really changed, say so by setting it up again"
    )]
    Changed {
        /// Audience or payer.
        what: &'static str,
        /// As it was.
        expected: String,
        /// As it is now.
        found: String,
    },
    /// A file to send cannot be read.
    #[error("{path} cannot be read for upload: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl MarketError {
    /// The problem's code, where the marketplace itself said no.
    pub fn code(&self) -> Option<ProblemCode> {
        match self {
            Self::Refused(problem) => Some(problem.code),
            _ => None,
        }
    }

    /// The session is void: only a new one can go on.
    pub fn is_session_over(&self) -> bool {
        matches!(
            self.code(),
            Some(ProblemCode::Unauthorized | ProblemCode::StaleEpoch)
        )
    }

    /// The same call may well succeed later, with nothing changed by anybody here: the marketplace is back by then,
    /// or the link has opened the next session.
    pub fn may_pass(&self) -> bool {
        match self {
            error if error.is_session_over() => true,
            Self::Unreachable { .. } | Self::TooSlow { .. } => true,
            Self::Refused(problem) => matches!(
                problem.code,
                ProblemCode::TooMany | ProblemCode::Internal | ProblemCode::Unavailable
            ),
            _ => false,
        }
    }
}
