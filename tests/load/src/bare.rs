//! The limit to measure against: axum, and a handler that parses the heartbeat and answers with a constant.

use axum::routing::post;
use axum::{Json, Router};
use serde::Serialize;
use std::net::SocketAddr;
use sublet_protocol::heartbeat::Heartbeat;
use tokio::net::TcpListener;

#[derive(Serialize)]
struct Answer {
    next_ms: u64,
}

async fn take(Json(beat): Json<Heartbeat>) -> Json<Answer> {
    // The parsed heartbeat is used, so that parsing it cannot be left out.
    Json(Answer {
        next_ms: 15_000 + beat.epoch % 2,
    })
}

/// Serves on a free loopback port, which is told to `ready`, until the process ends.
pub async fn serve(ready: impl FnOnce(SocketAddr)) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    ready(listener.local_addr()?);
    let router = Router::new().route("/v1/rigs/{rig}/heartbeat", post(take));
    axum::serve(listener, router).await?;
    Ok(())
}
