//! The watch on a Windows that has a keyboard, if only one that a program presses.

use std::time::{Duration, Instant};

use sublet_core::facts::{InputKind, Touch};
use windows_sys::Win32::UI::Input::KeyboardAndMouse::{INPUT, INPUT_KEYBOARD, SendInput};

use crate::sensors::presence::{PresenceWatch, SourceState};

const SOON: Duration = Duration::from_secs(20);

fn press_a_key() {
    let mut key = INPUT {
        r#type: INPUT_KEYBOARD,
        ..INPUT::default()
    };
    key.Anonymous.ki.wVk = 0x41;
    // SAFETY: one value is pointed to, of the size that is said.
    assert_eq!(unsafe { SendInput(1, &key, size_of::<INPUT>() as i32) }, 1);
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + SOON;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "not within {SOON:?}: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_key_is_seen_at_rest_and_told_of_at_once_while_listening() {
    let watch = PresenceWatch::start();
    until("every source has looked", || {
        let sources = watch.sources();
        let works = |state| matches!(state, SourceState::Works(_));
        (!sources.is_empty() && sources.into_iter().all(|it| works(it.state))).then_some(())
    });
    press_a_key();
    until("input at rest", || {
        match watch.latest(Instant::now()).touch?.value {
            Touch::Ago { idle_ms, by } => (idle_ms < 2_000 && by == InputKind::Desk).then_some(()),
            Touch::NoSeat => None,
        }
    });
    assert_eq!(*watch.touched().borrow(), 0);

    watch.listen(true);
    let mut took = Vec::new();
    for _ in 0..10 {
        // What follows at once is the same touch.
        std::thread::sleep(Duration::from_millis(250));
        let before = *watch.touched().borrow();
        let start = Instant::now();
        press_a_key();
        until("a touch", || {
            (*watch.touched().borrow() != before).then_some(())
        });
        took.push(start.elapsed());
    }
    took.sort_unstable();
    // Asking once a second would take 500 ms.
    assert!(took[5] < Duration::from_millis(100), "{took:?}");
}
