//! The agent's status as it changes, for the tray and the notifications.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::Method;
use sublet_protocol::local::Status;
use tokio::sync::watch;

use crate::agent::{Agent, CallError};
use crate::starter::{Absence, Starter};

/// The agent gives a sign of life every 15 s; three missed ones, and nobody is there.
const SILENCE: Duration = Duration::from_secs(45);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What is known of the agent.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The last status, while the agent is there.
    pub status: Option<Arc<Status>>,
    /// Why there is none.
    pub trouble: Option<Trouble>,
}

/// Why nothing is known of the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody answers, and that is done about it.
    Absent(Absence),
    /// The talk with it went wrong, in words.
    Talk(String),
}

/// Follows the agent for good; starts it where none runs.
pub fn follow(agent: Agent) -> watch::Receiver<Seen> {
    let (tell, seen) = watch::channel(Seen::default());
    tauri::async_runtime::spawn(async move {
        let mut starter = Starter::new(agent.clone());
        let mut pause = FIRST_PAUSE;
        while !tell.is_closed() {
            let outcome = listen(&agent, &tell).await;
            if tell.borrow().status.is_some() {
                starter.answered();
                pause = FIRST_PAUSE;
            }
            let trouble = match outcome {
                Ok(()) | Err(CallError::Away) => Trouble::Absent(starter.absent()),
                Err(error) => Trouble::Talk(error.to_string()),
            };
            tell.send_if_modified(|seen| {
                let news = seen.status.is_some() || seen.trouble.as_ref() != Some(&trouble);
                if news {
                    tracing::info!(?trouble, "the agent is away");
                    *seen = Seen {
                        status: None,
                        trouble: Some(trouble),
                    };
                }
                news
            });
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    });
    seen
}

/// Hands on each status until the agent ends or falls silent.
async fn listen(agent: &Agent, tell: &watch::Sender<Seen>) -> Result<(), CallError> {
    let mut body = agent
        .send(Method::GET, "events", Vec::new())
        .await?
        .into_body();
    let mut events = Events::default();
    loop {
        let frame = tokio::time::timeout(SILENCE, body.frame()).await;
        let piece = match frame {
            Err(_) => return Err(CallError::TimedOut(SILENCE.as_secs())),
            Ok(None) => return Ok(()),
            Ok(Some(Err(error))) => return Err(CallError::Broken(error.to_string())),
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        };
        for (name, data) in events.push(&piece) {
            if name != "status" {
                tracing::warn!(%data, "the agent could not say how it is");
                continue;
            }
            match serde_json::from_str::<Status>(&data) {
                Ok(status) => {
                    tell.send_replace(Seen {
                        status: Some(Arc::new(status)),
                        trouble: None,
                    });
                }
                Err(error) => {
                    return Err(CallError::Broken(format!(
                        "its status cannot be read: {error}"
                    )));
                }
            }
        }
    }
}

/// Server-sent events, put together from pieces.
#[derive(Default)]
struct Events {
    rest: Vec<u8>,
}

impl Events {
    /// The events that are whole now: name and data.
    fn push(&mut self, piece: &[u8]) -> Vec<(String, String)> {
        self.rest.extend_from_slice(piece);
        let mut whole = Vec::new();
        while let Some(end) = self.rest.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.rest.drain(..end + 2).collect();
            let text = String::from_utf8_lossy(&block);
            let field = |name: &str| {
                let values = text
                    .lines()
                    .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                    .map(|value| value.strip_prefix(' ').unwrap_or(value));
                values.collect::<Vec<_>>().join("\n")
            };
            let (name, data) = (field("event"), field("data"));
            if !data.is_empty() {
                whole.push((name, data));
            }
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_put_together_wherever_they_were_cut() {
        let text = b": still here\n\nevent: status\ndata: {\"a\":\ndata: 1}\n\nevent: problem\ndata: no\n\n";
        for cut in 0..text.len() {
            let mut events = Events::default();
            let mut got = events.push(&text[..cut]);
            got.extend(events.push(&text[cut..]));
            assert_eq!(
                got,
                [
                    ("status".to_owned(), "{\"a\":\n1}".to_owned()),
                    ("problem".to_owned(), "no".to_owned())
                ]
            );
        }
    }
}
