//! The local API described: generated from the code, served, and committed as `docs/openapi/agent.json`.

use super::{events, past, routes};
use sublet_protocol::reason::RigState;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sublet agent, local API",
        description = "What the agent says to its own window, tray, command line and dashboards. Served on a Unix \
            socket (`<data>/run/agent.sock`) or a named pipe, to the owner of the agent and root only.",
        license(name = "Apache-2.0 OR MIT")
    ),
    paths(
        routes::status,
        routes::gpus,
        routes::jobs,
        routes::job_log,
        routes::wallet,
        routes::wallet_export,
        routes::pause,
        routes::resume,
        routes::bench,
        routes::start_bench,
        routes::doctor,
        routes::settings,
        routes::change_settings,
        routes::check_settings,
        past::history,
        past::telemetry,
        past::trace,
        past::preview,
        routes::openapi_json,
        events::events,
    ),
    components(schemas(RigState)),
    tags((name = "agent", description = "One agent, one data folder."))
)]
struct Description;

/// The OpenAPI document, pretty, with a line end at its end.
///
/// # Errors
/// Where serde cannot write it, which the drift test would have shown.
pub fn document() -> Result<String, serde_json::Error> {
    let mut text = Description::openapi().to_pretty_json()?;
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_description_is_the_codes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi/agent.json");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed.replace("\r\n", "\n") == super::document().unwrap(),
            "docs/openapi/agent.json has drifted from the code. Update it with:\n    cargo run -p sublet-agent -- openapi > docs/openapi/agent.json"
        );
    }
}
