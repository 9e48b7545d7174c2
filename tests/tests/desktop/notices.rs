//! What the owner is told without looking.

use nvml_sim::Gpu;
use sublet_tests::desktop::{Desktop, SOON};
use sublet_tests::simulated::calm;
use sublet_tests::wait::until;

#[test]
fn the_owner_is_told_what_was_chosen_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut desktop = Desktop::set_up(folder.path());
    desktop.session.add_notifications();
    let window = desktop.drive();
    window.until_text("h1", "rest", |text| text.starts_with("Ready to rent"));

    // Heat is told unless it is switched off.
    let hot = || Gpu {
        temperature_c: 88,
        ..calm()
    };
    desktop.show(hot());
    until("the word on heat", SOON, || {
        let notified = desktop.session.notified();
        if notified.contains("Too hot to rent") {
            Ok(())
        } else {
            Err(notified)
        }
    });
    desktop.show(calm());
    desktop.until_status("a cool card", |status| status["state"] == "ready");

    window.click("//nav//a[contains(., 'Settings')]");
    window.click("//label[contains(., 'a GPU is too hot to rent')]/input");
    window.click("//label[contains(., 'a job is done and has earned')]/input");
    let choices = folder.path().join("share/sublet/desktop.toml");
    until("the choices on the disk", SOON, || {
        let text = std::fs::read_to_string(&choices).map_err(|error| error.to_string())?;
        if text.contains("paid = true") && text.contains("hot = false") {
            Ok(())
        } else {
            Err(text)
        }
    });
    desktop.show(hot());
    desktop.until_status("a hot card", |status| status["state"] != "ready");
    desktop.show(calm());
    desktop.until_status("a cool card", |status| status["state"] == "ready");
    desktop.market.submit(&sublet_tests::jobs::of_seconds(3));
    until("the word on the pay", SOON, || {
        let notified = desktop.session.notified();
        if notified.contains(" earned") && notified.contains("is done.") {
            Ok(())
        } else {
            Err(notified)
        }
    });
    let notified = desktop.session.notified();
    let hot = notified.matches("summary: 'Too hot to rent'").count();
    assert_eq!(hot, 1, "{notified}");

    // It starts with the session once that is chosen.
    let autostart = folder.path().join("home/.config/autostart");
    let entries = || std::fs::read_dir(&autostart).map_or(0, Iterator::count);
    assert_eq!(entries(), 0);
    window.click("//label[contains(., 'Start with the session')]/input");
    until("an entry", SOON, || match entries() {
        1 => Ok(()),
        other => Err(other.to_string()),
    });
    let entry = std::fs::read_dir(&autostart)
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let text = std::fs::read_to_string(entry.path()).unwrap();
    assert!(text.contains("--hidden"), "{text}");
}
