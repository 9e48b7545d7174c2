//! An owner's day at the window and the tray.

use std::time::Duration;
use sublet_tests::desktop::{Desktop, SOON};
use sublet_tests::jobs;
use sublet_tests::wait::until;

#[test]
fn the_window_tells_a_job_from_offer_to_paid_and_the_tray_pauses() {
    let folder = tempfile::tempdir().unwrap();
    let mut desktop = Desktop::set_up(folder.path());
    desktop.session.add_panel();
    let window = desktop.drive();

    // The first home: nobody but the shell has started the agent.
    window.until_text("h1", "a card that waits for a job", |text| {
        text.starts_with("Ready to rent your") && text.contains("RTX 4090")
    });
    let tray = desktop.session.bus.tray(SOON);
    let ready = tray.until_lines("the state", |lines| lines[0].label.contains("RTX 4090"));
    let labels: Vec<&str> = ready.iter().map(|line| line.label.as_str()).collect();
    assert_eq!(
        labels[1..],
        [
            "$0.00 earned today",
            "Pause for 1 hour",
            "Pause until tomorrow",
            "Pause until I resume",
            "Resume",
            "Open Sublet",
            "Quit (renting goes on without this icon)",
        ]
    );
    let ready_icon = tray.icon();

    let job = desktop.market.submit(&jobs::of_seconds(3));
    window.until_text("h1", "the job", |text| text.starts_with("Renting your"));
    tray.until_lines("what becomes of the job", |lines| {
        lines
            .iter()
            .any(|line| line.label.starts_with("Quit (the job goes on"))
    });
    assert_ne!(tray.icon(), ready_icon, "renting has a shape of its own");
    desktop
        .session
        .screen
        .picture("desktop-renting", (0, 0, 1280, 900));
    let view = desktop
        .market
        .until_job(&job, &["completed"], Duration::from_secs(90));
    window.click("//nav//a[contains(., 'Wallet')]");
    let name = view["name"].as_str().unwrap_or("tracer").to_owned();
    window.until_text("main", "the job's pay", |text| text.contains(&name));
    let wallet = until("a proven wallet", SOON, || {
        let wallet = desktop.run(&["wallet", "--json"]).json();
        if wallet["unproven"] == 0 && wallet["gross"] != 0 {
            Ok(wallet)
        } else {
            Err(wallet.to_string())
        }
    });
    assert_eq!(wallet["gross"], view["charged"]);

    // Paused from the tray, seen in the window; and back.
    window.click("//nav//a[contains(., 'Home')]");
    window.until_text("h1", "rest", |text| text.starts_with("Ready to rent"));
    tray.choose("Pause for 1 hour");
    window.until_text("h1", "the pause", |text| text.starts_with("Yours."));
    let status = desktop.until_status("the pause", |status| status["pause"].is_object());
    assert!(status["pause"]["until_ms"].is_u64(), "{status}");
    let paused = tray.until_lines("a pause to end", |lines| {
        lines
            .iter()
            .any(|line| line.label == "Resume" && line.enabled)
    });
    assert!(
        paused
            .iter()
            .all(|line| !line.label.starts_with("Pause") || !line.enabled),
        "{paused:#?}"
    );
    tray.choose("Resume");
    window.until_text("h1", "the end of the pause", |text| {
        text.starts_with("Ready to rent")
    });
    tray.choose("Pause until tomorrow");
    let status = desktop.until_status("the pause", |status| status["pause"].is_object());
    assert!(status["pause"]["until_ms"].is_u64(), "{status}");
    tray.choose("Resume");
    tray.choose("Pause until I resume");
    let status = desktop.until_status("the pause", |status| status["pause"].is_object());
    assert!(status["pause"]["until_ms"].is_null(), "{status}");
    tray.choose("Resume");
    window.until_text("h1", "the end of the pause", |text| {
        text.starts_with("Ready to rent")
    });

    // The agent is killed: the window says that it is gone, and the shell starts it again.
    desktop.hold_agent(true);
    let killed = desktop.kill_agent();
    window.until_text("h1", "its absence", |text| {
        text == "The agent is not running."
    });
    tray.until_lines("its absence", |lines| {
        lines[0].label == "The agent is being started"
    });
    desktop.hold_agent(false);
    window.until_text("h1", "another agent", |text| {
        text.starts_with("Ready to rent")
    });
    assert_ne!(desktop.agent(), Some(killed));
}
