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
        blobs::upload_position,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_description_is_the_current_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi/market.json");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == text().unwrap(),
            "docs/openapi/market.json is not what the code describes. Update it with:\n  \
             cargo run -p sublet-market -- openapi > docs/openapi/market.json"
        );
    }

    #[test]
    fn every_operation_has_a_summary_and_a_problem_as_its_default() {
        let json = serde_json::to_value(document()).unwrap();
        for (path, methods) in json["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                assert!(operation["summary"].is_string(), "{method} {path}");
                let has = operation["responses"]["default"].is_object();
                assert!(has || path == "/v1/openapi.json", "{method} {path}");
            }
        }
    }
}
