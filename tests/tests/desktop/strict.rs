//! What the pages in the window cannot do.

use sublet_tests::desktop::{Desktop, SOON};
use sublet_tests::wait::until;

#[test]
fn the_window_runs_its_own_pages_only_and_links_open_in_the_browser() {
    let folder = tempfile::tempdir().unwrap();
    let desktop = Desktop::set_up(folder.path());
    let window = desktop.drive();
    window.until_text("h1", "the page", |text| text.starts_with("Ready to rent"));
    let page = window.script("return location.href").unwrap();

    // Neither a script that was slipped in, nor anything from elsewhere.
    let slipped = "const s = document.createElement('script'); s.textContent = 'window.slipped = true'; document.head.append(s); return window.slipped === true";
    assert_eq!(window.script(slipped).unwrap(), false);
    let reach = |what: &str| {
        let script = format!(
            "const done = arguments[arguments.length - 1]; ({what}).then(() => done('done'), (error) => done(String(error)))"
        );
        let said = window.script_later(&script).unwrap();
        said.as_str().unwrap().to_owned()
    };
    let port = desktop.market.url.clone();
    let fetched = reach(&format!("fetch('{port}/v1/')"));
    assert_ne!(fetched, "done");

    // Of Tauri's own commands none is open; the shell's are.
    for command in [
        "plugin:window|close",
        "plugin:webview|create_webview_window",
        "plugin:event|listen",
        "plugin:autostart|enable",
        "plugin:app|version",
    ] {
        let said = reach(&format!(
            "window.__TAURI_INTERNALS__.invoke('{command}', {{}})"
        ));
        assert!(said.contains("not allowed"), "{command}: {said}");
    }
    assert_eq!(reach("window.__TAURI_INTERNALS__.invoke('shell')"), "done");

    // A link leaves for the browser, and the page stays; in a new window too.
    for (target, url) in [
        ("", "https://sublet.example/a"),
        ("_blank", "https://sublet.example/b"),
    ] {
        let script = format!(
            "const a = document.createElement('a'); a.href = '{url}'; a.target = '{target}'; a.textContent = 'to {url}'; document.querySelector('h1').prepend(a)"
        );
        window.script(&script).unwrap();
        window.click(&format!("//a[. = 'to {url}']"));
        until("the browser", SOON, || {
            let opened = desktop.opened();
            if opened.lines().any(|line| line == url) {
                Ok(())
            } else {
                Err(opened)
            }
        });
    }
    window
        .script("const a = document.createElement('a'); a.href = 'file:///etc/passwd'; document.body.append(a); a.click()")
        .unwrap();
    assert_eq!(window.script("return location.href").unwrap(), page);
    assert_eq!(desktop.opened().lines().count(), 2);
    window.until_text("h1", "the page", |text| text.contains("Ready to rent your"));
}
