//! `/v1/health` and `/v1/openapi.json`.

use crate::app::Shared;
use crate::fault::Fault;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use sublet_protocol::problem::Problem;
use utoipa::ToSchema;

/// That the marketplace serves, and what it calls itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Its name for itself.
    pub audience: String,
    /// The protocol's version.
    pub protocol: String,
    /// The program's version.
    pub version: String,
}

/// Says that the marketplace serves and that its database answers.
#[utoipa::path(get, path = "/v1/health", tag = "marketplace",
    responses((status = 200, body = Health),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn health(State(app): State<Shared>) -> Result<Json<Health>, Fault> {
    sqlx::query("SELECT 1").execute(&app.readers).await?;
    Ok(Json(Health {
        audience: app.config.audience.clone(),
        protocol: sublet_protocol::VERSION.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }))
}

/// Gives the API's description: this very document.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "marketplace",
    responses((status = 200, description = "An OpenAPI 3.1 document")))]
pub async fn openapi() -> Json<utoipa::openapi::OpenApi> {
    Json(crate::openapi::document())
}
