//! `sublet dashboard`: prints the link, then serves until it is told to end.

use super::command::DashboardArgs;
use super::exit::{CliError, Exit};
use super::look::Look;
use super::page::Page;
use crate::control::Endpoint;
use crate::dashboard::Dashboard;
use tokio_util::sync::CancellationToken;

pub(super) async fn show(
    endpoint: Endpoint,
    args: &DashboardArgs,
    look: &Look,
) -> Result<Exit, CliError> {
    let dashboard = Dashboard::open(endpoint, args.port, args.pages.clone())
        .await
        .map_err(anyhow::Error::from)?;
    super::print(&render(&dashboard.link(), dashboard.port(), look))?;
    let closing = CancellationToken::new();
    let serving = dashboard.serve(closing.clone());
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return ended.map(|()| Exit::Fine).map_err(|error| anyhow::Error::from(error).into()),
        told = told_to_end() => told.map_err(anyhow::Error::from)?,
    }
    closing.cancel();
    serving.await.map_err(anyhow::Error::from)?;
    Ok(Exit::Fine)
}

fn render(link: &str, port: u16, look: &Look) -> String {
    let mut page = Page::led_by(look, "The dashboard is open while this command runs.");
    page.space();
    page.line(link);
    page.hint(
        "Keep the link to yourself: whoever has it can pause renting and see what you earned.",
    );
    page.quiet(&format!(
        "From another machine: `ssh -L {port}:127.0.0.1:{port} RIG` first, then open the same link there. Ctrl+C ends it."
    ));
    page.finish()
}

#[cfg(unix)]
async fn told_to_end() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate())?;
    let mut hung_up = signal(SignalKind::hangup())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed,
        _ = terminated.recv() => Ok(()),
        _ = hung_up.recv() => Ok(()),
    }
}

#[cfg(windows)]
async fn told_to_end() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
