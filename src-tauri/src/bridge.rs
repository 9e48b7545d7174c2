//! What the pages may ask of this shell: calls to the agent, its events, and the few choices that are the desktop's own.

use std::collections::HashMap;
use std::sync::Mutex;

use http_body_util::BodyExt;
use hyper::Method;
use serde::Serialize;
use sublet_protocol::problem::{Problem, ProblemCode};
use tauri::State;
use tauri::async_runtime::JoinHandle;
use tauri::ipc::Channel;
use tauri_plugin_autostart::ManagerExt;

use crate::agent::{Agent, CallError};
use crate::notices;
use crate::preferences::{Kept, Notices};
use crate::tray::Place;
use crate::words::Language;

/// An answer of the agent.
#[derive(Serialize)]
pub struct Reply {
    status: u16,
    kind: String,
    body: String,
}

/// Calls the agent's local API. An agent that is away answers with 502, as `sublet dashboard` does.
#[tauri::command]
pub async fn call(
    agent: State<'_, Agent>,
    method: String,
    path: String,
    body: Option<String>,
) -> Result<Reply, String> {
    let method = match method.as_str() {
        "GET" => Method::GET,
        "PUT" => Method::PUT,
        "POST" => Method::POST,
        "PATCH" => Method::PATCH,
        "DELETE" => Method::DELETE,
        other => return Err(format!("The agent takes no {other}.")),
    };
    let answer = agent
        .call(method, &path, body.unwrap_or_default().into_bytes())
        .await;
    match answer {
        Ok(answer) => Ok(Reply {
            status: answer.status,
            kind: answer.kind,
            body: String::from_utf8_lossy(&answer.body).into_owned(),
        }),
        Err(error) => away(&error),
    }
}

fn away(error: &CallError) -> Result<Reply, String> {
    let detail = format!("There is no answer: {error}.");
    let problem = Problem::new(ProblemCode::Unavailable, detail);
    Ok(Reply {
        status: 502,
        kind: "application/problem+json".to_owned(),
        body: serde_json::to_string(&problem).map_err(|error| error.to_string())?,
    })
}

/// Event streams under way, by the page's own number for each.
#[derive(Default)]
pub struct Listening(Mutex<HashMap<u32, JoinHandle<()>>>);

/// A piece of the agent's event stream; the last one says why there are no more.
#[derive(Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    Text(String),
    End(Option<String>),
}

/// Hands the agent's events to the page until [`unlisten`].
#[tauri::command]
pub fn listen(
    agent: State<'_, Agent>,
    listening: State<'_, Listening>,
    number: u32,
    pieces: Channel<Piece>,
) {
    let agent = agent.inner().clone();
    let task = tauri::async_runtime::spawn(async move {
        let end = match agent.send(Method::GET, "events", Vec::new()).await {
            Err(error) => Some(error.to_string()),
            Ok(response) => {
                let mut body = response.into_body();
                loop {
                    match body.frame().await {
                        None => break None,
                        Some(Err(error)) => break Some(error.to_string()),
                        Some(Ok(frame)) => {
                            let bytes = frame.into_data().unwrap_or_default();
                            let text = String::from_utf8_lossy(&bytes).into_owned();
                            if pieces.send(Piece::Text(text)).is_err() {
                                return;
                            }
                        }
                    }
                }
            }
        };
        if let Err(error) = pieces.send(Piece::End(end)) {
            tracing::debug!(%error, "a page left before its events ended");
        }
    });
    listening.keep(number, Some(task));
}

/// Ends what [`listen`] began.
#[tauri::command]
pub fn unlisten(listening: State<'_, Listening>, number: u32) {
    listening.keep(number, None);
}

impl Listening {
    fn keep(&self, number: u32, task: Option<JoinHandle<()>>) {
        let mut tasks = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        tasks.retain(|_, task| !task.inner().is_finished());
        let before = match task {
            Some(task) => tasks.insert(number, task),
            None => tasks.remove(&number),
        };
        if let Some(before) = before {
            before.abort();
        }
    }
}

/// What is the desktop's own and not the agent's.
#[derive(Serialize)]
pub struct Shell {
    /// Absent: this desktop cannot say.
    autostart: Option<bool>,
    notices: Notices,
    /// Whether the desktop has a place for the tray icon.
    tray: bool,
    /// Whether the desktop shows notifications, as far as is known.
    notifications: bool,
}

/// The desktop's own choices.
#[tauri::command]
pub fn shell(app: tauri::AppHandle, kept: State<'_, Kept>, place: State<'_, Place>) -> Shell {
    let autostart = app.autolaunch().is_enabled();
    Shell {
        autostart: autostart
            .inspect_err(
                |error| tracing::warn!(%error, "what starts with the session cannot be read"),
            )
            .ok(),
        notices: kept.notices(),
        tray: place.is_there(),
        notifications: notices::are_shown(),
    }
}

/// Whether this shell starts with the session.
#[tauri::command]
pub fn set_autostart(app: tauri::AppHandle, on: bool) -> Result<(), String> {
    let autostart = app.autolaunch();
    let done = if on {
        autostart.enable()
    } else {
        autostart.disable()
    };
    done.map_err(|error| error.to_string())
}

/// Which notifications the owner wants.
#[tauri::command]
pub fn set_notices(kept: State<'_, Kept>, notices: Notices) -> Result<(), String> {
    kept.keep_notices(notices)
        .map_err(|error| error.to_string())
}

/// Which language the pages are in, so that tray and notifications speak it too.
#[tauri::command]
pub fn speak(kept: State<'_, Kept>, language: Language) -> Result<(), String> {
    kept.keep_language(language)
        .map_err(|error| error.to_string())
}
