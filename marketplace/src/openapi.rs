//! The API's description, generated from the handlers and the protocol's types.

use crate::routes::{account, blobs, jobs, meta, rigs, sessions};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sublet marketplace",
        description = "What rigs and renters say to a Sublet marketplace, v1. Amounts are whole micro-USD, times are ms. Errors are RFC 9457 problem documents with stable codes."
    ),
    paths(
        meta::health,
        meta::openapi,
        sessions::pose_challenge,
        sessions::open_session,
        rigs::put_offer,
        rigs::heartbeat,
        rigs::commands,
        rigs::append_log,
        blobs::put_blob,
        blobs::get_blob,
        blobs::head_blob,
        jobs::submit_job,
        jobs::list_jobs,
        jobs::get_job,
        jobs::cancel_job,
        jobs::read_log,
        account::get_account,
    ),
    modifiers(&Tokens)
)]
struct Document;

struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        for (name, what) in [
            ("rig", "The token of the rig's session."),
            ("renter", "The token of the renter's account."),
        ] {
            let scheme = HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some(what))
                .build();
            components.add_security_scheme(name, SecurityScheme::Http(scheme));
        }
    }
}

/// The document.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// The document as it is committed: indented, with a newline at its end.
///
/// # Errors
/// It has no JSON form, which cannot be.
pub fn text() -> Result<String, serde_json::Error> {
    document().to_pretty_json().map(|text| text + "\n")
}
