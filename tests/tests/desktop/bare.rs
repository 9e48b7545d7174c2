//! A desktop that has next to nothing.

use std::time::Duration;
use sublet_tests::desktop::{Desktop, SOON};
use sublet_tests::program::Running;
use sublet_tests::wait::until;

const NO_TRAY: &str = "this desktop shows no tray icon";
const NO_NOTIFICATIONS: &str = "this desktop shows no notifications";

fn told(shell: &Running, what: &str) -> usize {
    shell.said().matches(what).count()
}

/// Neither a panel, nor a notification service, nor a compositor.
#[test]
fn without_a_tray_and_notifications_it_works_and_says_so_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut desktop = Desktop::set_up(folder.path());
    let mut shell = desktop.start(&[]);
    let window = desktop.until_window("Ready to rent");
    until("the word on the tray", SOON, || {
        match told(&shell, NO_TRAY) {
            0 => Err(shell.said()),
            _ => Ok(()),
        }
    });
    desktop.session.screen.close(&window);
    desktop.until_no_window();
    until("the word on notifications", SOON, || {
        match told(&shell, NO_NOTIFICATIONS) {
            0 => Err(shell.said()),
            _ => Ok(()),
        }
    });

    // Started again, the window is back; closed again, nothing more is said.
    let mut second = desktop.start(&[]);
    let window = desktop.until_window("Ready to rent");
    until("the second start's end", SOON, || {
        second.ended().ok_or(String::new())
    });
    desktop.session.screen.close(&window);
    desktop.until_no_window();
    assert_eq!(shell.ended(), None);
    assert_eq!(told(&shell, NO_TRAY), 1);
    assert_eq!(told(&shell, NO_NOTIFICATIONS), 1);

    // A panel that comes late gets the icon.
    desktop.session.add_panel();
    let tray = desktop.session.bus.tray(Duration::from_secs(70));
    tray.choose("Open Sublet");
    desktop.until_window("Ready to rent");
}
