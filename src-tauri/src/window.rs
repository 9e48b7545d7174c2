//! The one window: made when it is wanted, destroyed when it is closed.

use tauri::webview::NewWindowResponse;
use tauri::{AppHandle, Manager, Url, WebviewUrl, WebviewWindowBuilder};

const LABEL: &str = "main";

/// Shows the window, made anew where there is none.
pub fn show(app: &AppHandle) {
    if let Err(error) = open(app) {
        tracing::error!(%error, "the window could not be opened");
    }
}

fn open(app: &AppHandle) -> tauri::Result<()> {
    if let Some(window) = app.get_webview_window(LABEL) {
        window.unminimize()?;
        window.show()?;
        return window.set_focus();
    }
    WebviewWindowBuilder::new(app, LABEL, WebviewUrl::default())
        .title("Sublet")
        .inner_size(1080.0, 760.0)
        .min_inner_size(900.0, 600.0)
        // The page says the state in its title, in the language that it is in.
        .on_document_title_changed(|window, title| {
            if let Err(error) = window.set_title(&title) {
                tracing::warn!(%error, "the window could not be given its title");
            }
        })
        // The pages stay in the window, everything else goes to the browser.
        .on_navigation(|url| {
            let here = is_ours(url);
            if !here {
                hand_over(url);
            }
            here
        })
        .on_new_window(|url, _| {
            hand_over(&url);
            NewWindowResponse::Deny
        })
        .build()?;
    Ok(())
}

/// `tauri://localhost`, which on Windows is called `http://tauri.localhost`; and what a page makes to be saved.
fn is_ours(url: &Url) -> bool {
    match url.scheme() {
        "tauri" => true,
        "http" | "https" => url.host_str() == Some("tauri.localhost"),
        "blob" => Url::parse(url.path()).is_ok_and(|inner| is_ours(&inner)),
        _ => false,
    }
}

fn hand_over(url: &Url) {
    if url.scheme() != "https" {
        tracing::warn!(%url, "a page led to what is no web page; it is not opened");
        return;
    }
    if let Err(error) = tauri_plugin_opener::open_url(url.as_str(), None::<&str>) {
        tracing::warn!(%error, %url, "a link could not be opened in the browser");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pages_themselves_stay_in_the_window() {
        for (url, ours) in [
            ("tauri://localhost/index.html#/jobs", true),
            ("http://tauri.localhost/", true),
            ("blob:tauri://localhost/5b5a", true),
            ("https://sublet.example/", false),
            ("blob:https://sublet.example/5b5a", false),
            ("file:///etc/passwd", false),
            ("https://tauri.localhost.example/", false),
        ] {
            assert_eq!(is_ours(&Url::parse(url).unwrap()), ours, "{url}");
        }
    }
}
