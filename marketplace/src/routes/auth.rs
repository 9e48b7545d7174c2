//! Who is asking: a rig with the token of its session, or a renter with the token of its account.

use crate::app::Shared;
use crate::board::Rig;
use crate::fault::Fault;
use crate::renters;
use crate::secret::Token;
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use std::sync::Arc;
use sublet_protocol::ids::{RenterId, RigId};
use sublet_protocol::problem::ProblemCode;

/// A rig whose token holds; where the path names a rig, it is that one.
pub struct RigCaller(pub Arc<Rig>);

/// A renter whose token holds.
pub struct RenterCaller(pub RenterId);

/// Either.
pub enum Caller {
    /// A rig.
    Rig(Arc<Rig>),
    /// A renter.
    Renter(RenterId),
}

fn bearer(parts: &Parts) -> Result<&str, Fault> {
    parts
        .headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.strip_prefix("Bearer "))
        .map(str::trim)
        .filter(|token| !token.is_empty())
        .ok_or_else(Fault::no_token)
}

/// The rig whose session has this token. A token begins with its rig's id, so it is one look-up.
fn rig_of(app: &Shared, token: &str) -> Result<Arc<Rig>, Fault> {
    let (id, _) = token.split_once('.').ok_or_else(Fault::no_token)?;
    let id = RigId::new(id).map_err(|_| Fault::no_token())?;
    let rig = app.board.rig(&id).ok_or_else(Fault::no_token)?;
    let holds = {
        let live = rig.live();
        let session = live.session.as_ref();
        session.is_some_and(|session| session.token.matches(token))
    };
    if holds {
        Ok(rig)
    } else {
        Err(Fault::no_token())
    }
}

impl FromRequestParts<Shared> for RigCaller {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Fault> {
        let rig = rig_of(app, bearer(parts)?)?;
        let named = parts
            .uri
            .path()
            .strip_prefix("/v1/rigs/")
            .and_then(|rest| rest.split('/').next());
        match named {
            Some(named) if named != rig.id.as_str() => Err(Fault::refused(
                ProblemCode::Forbidden,
                format!(
                    "The token is that of {}, and the path names another rig.",
                    rig.id
                ),
            )),
            _ => Ok(Self(rig)),
        }
    }
}

impl FromRequestParts<Shared> for RenterCaller {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Fault> {
        let token = Token::from_text(bearer(parts)?);
        let mut conn = app.readers.acquire().await?;
        renters::by_token(&mut conn, &token).await.map(Self)
    }
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Fault> {
        if let Ok(rig) = rig_of(app, bearer(parts)?) {
            return Ok(Self::Rig(rig));
        }
        let RenterCaller(renter) = RenterCaller::from_request_parts(parts, app).await?;
        Ok(Self::Renter(renter))
    }
}
