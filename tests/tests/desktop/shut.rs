//! A window that is closed, and one that is asked for again.

use std::time::Duration;
use sublet_tests::desktop::{Desktop, SOON};
use sublet_tests::wait::until;

/// Programs of the web engine that draw a page for this process.
fn pages_of(pid: u32) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let read = |file: &str| std::fs::read_to_string(entry.path().join(file));
        let (Ok(stat), Ok(name)) = (read("stat"), read("comm")) else {
            continue;
        };
        let parent = stat
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.split(' ').nth(1));
        if parent == Some(&pid.to_string()) && name.starts_with("WebKitWebProces") {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

#[test]
fn a_closed_window_is_gone_and_comes_back_and_quitting_leaves_the_agent() {
    let folder = tempfile::tempdir().unwrap();
    let mut desktop = Desktop::set_up(folder.path());
    desktop.session.add_panel();
    let mut shell = desktop.start(&[]);
    let window = desktop.until_window("Ready to rent");
    let agent = desktop.agent();

    // A second start shows the first one's window, and ends.
    desktop.session.screen.put_away(&window);
    until("the window put away", SOON, || match desktop.window() {
        Some(window) if !window.shown => Ok(()),
        window => Err(format!("{window:?}")),
    });
    let mut second = desktop.start(&[]);
    let ended = until("the second start's end", SOON, || {
        second.ended().ok_or(String::new())
    });
    assert!(ended.success(), "{ended}");
    let screen = &desktop.session.screen;
    let same = |other: &sublet_tests::windows::Window| other.id == window.id;
    screen.until_window("the window in front", SOON, |other| {
        same(other) && other.shown && other.active
    });

    // Closed, it is gone with all that drew it; the shell stays.
    assert_eq!(pages_of(shell.pid()).len(), 1);
    screen.close(&window);
    desktop.until_no_window();
    until("nothing that draws", SOON, || match pages_of(shell.pid()) {
        left if left.is_empty() => Ok(()),
        left => Err(format!("{left:?}")),
    });
    let tray = desktop.session.bus.tray(SOON);
    tray.click();
    let again = desktop.until_window("Ready to rent");
    assert_ne!(again.id, window.id);
    screen.close(&again);
    desktop.until_no_window();
    tray.choose("Open Sublet");
    desktop.until_window("Ready to rent");
    assert_eq!(shell.ended(), None);

    // Quitting ends the shell alone.
    tray.choose("Quit (renting goes on without this icon)");
    let ended = until("the shell's end", SOON, || {
        shell.ended().ok_or(String::new())
    });
    assert!(ended.success(), "{ended}");
    desktop.until_status("an agent that goes on", |status| status["state"] == "ready");
    assert_eq!(desktop.agent(), agent);

    // As the session starts it: no window, and the agent that runs is the one it speaks to.
    let _shell = desktop.start(&["--hidden"]);
    let tray = desktop.session.bus.tray(SOON);
    tray.until_lines("the state", |lines| lines[0].label.contains("RTX 4090"));
    assert_eq!(desktop.window(), None);
    assert_eq!(desktop.agent(), agent);
    let tooltip = tray.tooltip();
    assert!(tooltip.contains("RTX 4090"), "{tooltip}");

    // Away, it has a shape of its own.
    let icon = tray.icon();
    desktop.hold_agent(true);
    desktop.kill_agent();
    until(
        "the mark of an absent agent",
        Duration::from_secs(20),
        || {
            if tray.icon() == icon {
                Err("the same mark".to_owned())
            } else {
                Ok(())
            }
        },
    );
    desktop.hold_agent(false);
    desktop.until_status("an agent that is back", |status| status["state"] == "ready");
}
