//! The desktop shell: an icon in the tray, a window made when it is wanted, and notifications. It is a client of the
//! agent like any other: the agent runs on when this ends, and this tells when the agent is gone.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may stop at once"))]

mod agent;
mod bridge;
mod mark;
mod notices;
mod preferences;
mod starter;
mod tray;
mod watch;
mod window;
mod words;

use agent::Agent;
use tauri::{Manager, RunEvent};
use tracing_subscriber::EnvFilter;

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_env("SUBLET_LOG").unwrap_or_else(|_| EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        .init();
    draw_without_the_gpu();
    let agent = match tauri::async_runtime::block_on(Agent::find()) {
        Ok(agent) => agent,
        Err(error) => {
            // Started from a menu, nobody reads standard error.
            let heading = words::Words::of(words::from_environment()).cannot_start;
            if let Err(unheard) = notices::show(heading, &format!("{error:#}.")) {
                tracing::warn!(%unheard, "this desktop shows no notifications");
            }
            return Err(error);
        }
    };
    let app = tauri::Builder::default()
        // First of all: a second start shows the first one's window and ends.
        .plugin(tauri_plugin_single_instance::init(|app, _, _| {
            window::show(app);
        }))
        .plugin(
            tauri_plugin_autostart::Builder::new()
                .args([HIDDEN])
                .build(),
        )
        .invoke_handler(tauri::generate_handler![
            bridge::call,
            bridge::listen,
            bridge::unlisten,
            bridge::shell,
            bridge::set_autostart,
            bridge::set_notices,
            bridge::speak,
        ])
        .setup(move |app| {
            app.manage(agent.clone());
            app.manage(bridge::Listening::default());
            app.manage(preferences::Kept::read(&agent.data));
            app.manage(tray::Place::default());
            let seen = watch::follow(agent.clone());
            tray::put(app.handle(), seen.clone());
            notices::tell(app.handle(), seen);
            if !std::env::args().any(|word| word == HIDDEN) {
                window::show(app.handle());
            }
            Ok(())
        })
        .build(tauri::generate_context!())?;
    app.run(|app, event| {
        // A closed window is gone, its memory with it; the tray stays, and makes a new one when asked.
        if let RunEvent::ExitRequested {
            code: None, api, ..
        } = event
        {
            api.prevent_exit();
            tray::without(app);
        }
    });
    Ok(())
}

/// Starts without a window: what the desktop's list of programs to start says.
const HIDDEN: &str = "--hidden";

/// Has the pages drawn by the processor: the graphics card is for its owner and for jobs, and with some of its drivers
/// WebKit shows an empty window.
#[cfg(target_os = "linux")]
fn draw_without_the_gpu() {
    #[expect(unsafe_code, reason = "WebKit can be told in no other way")]
    // SAFETY: the first thing that main does; no other thread runs yet.
    unsafe {
        std::env::set_var("WEBKIT_DISABLE_DMABUF_RENDERER", "1");
    }
}

#[cfg(not(target_os = "linux"))]
fn draw_without_the_gpu() {}
