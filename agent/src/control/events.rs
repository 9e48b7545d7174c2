//! The live view: server-sent events with the whole [`Status`], when it changed, at most once a second.

use super::Request;
use super::server::{Daemon, Failure};
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use std::convert::Infallible;
use std::time::Duration;
use sublet_protocol::local::Status;
use sublet_protocol::problem::Problem;
use tokio::time::MissedTickBehavior;

const EVERY: Duration = Duration::from_secs(1);

/// A sign of life, so that a client can tell a quiet agent from a dead one.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Events named `status` (a `Status`) when something changed, and `problem` (a `Problem`) when the agent could
/// not say. The first comes at once.
#[utoipa::path(get, path = "/local/v1/events", operation_id = "events", tag = "agent",
    responses((status = 200, body = String, content_type = "text/event-stream")))]
pub(super) async fn events(
    State(daemon): State<Daemon>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let stream = async_stream::stream! {
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = None;
        loop {
            tokio::select! {
                () = daemon.closing.cancelled() => break,
                _ = tick.tick() => {}
            }
            let news = match daemon.ask(Request::Status).await {
                Ok(status) => News::Status(Box::new(status)),
                Err(Failure(problem)) => News::Problem(problem),
            };
            let shown = news.without_ages();
            if last.as_ref() != Some(&shown) {
                last = Some(shown);
                yield Ok(news.event());
            }
        }
    };
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

#[derive(Debug, Clone, PartialEq)]
enum News {
    Status(Box<Status>),
    Problem(Problem),
}

impl News {
    /// A reading that only grew older is not news.
    fn without_ages(&self) -> Self {
        let mut news = self.clone();
        if let Self::Status(status) = &mut news {
            for telemetry in status
                .gpus
                .iter_mut()
                .filter_map(|gpu| gpu.telemetry.as_mut())
            {
                telemetry.age_ms = 0;
            }
        }
        news
    }

    fn event(&self) -> Event {
        let (name, data) = match self {
            Self::Status(status) => ("status", serde_json::to_string(status)),
            Self::Problem(problem) => ("problem", serde_json::to_string(problem)),
        };
        match data {
            Ok(data) => Event::default().event(name).data(data),
            Err(error) => Event::default().comment(format!("unwritable: {error}")),
        }
    }
}
