//! `/v1/account`: how a renter's money stands.

use super::auth::RenterCaller;
use crate::app::Shared;
use crate::fault::Fault;
use crate::renters;
use axum::Json;
use axum::extract::State;
use sublet_protocol::problem::Problem;
use sublet_protocol::renter::AccountView;

/// Shows the renter's account: free, set aside, spent. The three add up to all that was ever paid in.
#[utoipa::path(get, path = "/v1/account", tag = "jobs", security(("renter" = [])),
    responses((status = 200, body = AccountView),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn get_account(
    State(app): State<Shared>,
    RenterCaller(renter): RenterCaller,
) -> Result<Json<AccountView>, Fault> {
    let mut snapshot = app.readers.begin().await?;
    renters::view(&mut snapshot, &renter).await.map(Json)
}
