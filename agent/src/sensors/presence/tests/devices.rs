use super::*;
use std::io::Write as _;
use sublet_core::facts::InputKind;

const KEYBOARD: &str = "\
I: Bus=0003 Vendor=046d Product=c31c Version=0110
N: Name=\"USB Keyboard\"
H: Handlers=sysrq kbd event3 leds
B: PROP=0
B: EV=120013
B: KEY=1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe

";
const WHEEL: &str = "\
I: Bus=0003 Vendor=046d Product=c24f Version=0111
N: Name=\"Racing Wheel\"
H: Handlers=event4 js0
B: PROP=0
B: EV=20001b
B: KEY=1ff 0 0 0 0 0 0 ffff00000000 0 0 0 0
B: ABS=30027

";

/// A pipe in place of a device file, with its other end.
fn device(folder: &Path, name: &str) -> std::fs::File {
    let input = folder.join("dev/input");
    std::fs::create_dir_all(&input).unwrap();
    let path = input.join(name);
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    std::fs::File::options()
        .read(true)
        .write(true)
        .open(path)
        .unwrap()
}

fn key_a() -> Vec<u8> {
    let mut record = vec![0; 16];
    record.extend([1, 0, 30, 0, 1, 0, 0, 0]);
    record
}

#[test]
fn a_keyboard_is_read_at_rest_and_heard_while_listening() {
    let folder = tempfile::tempdir().unwrap();
    let mut keyboard = device(folder.path(), "event3");
    std::fs::write(folder.path().join("input-list"), KEYBOARD).unwrap();
    let watch = PresenceWatch::start_in(bare(folder.path()));
    watch.until_says("Input devices", "last input");
    until("idle for 2 s", || {
        (watch.idle()?.0 > Duration::from_secs(2)).then_some(())
    });
    keyboard.write_all(&key_a()).unwrap();
    let (_, by) = until("touched", || {
        watch
            .idle()
            .filter(|(idle, _)| *idle < Duration::from_secs(1))
    });
    assert_eq!(by, InputKind::Desk);

    let count = *watch.touched().borrow();
    watch.listen(true);
    let mut last = count;
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(250));
        let start = Instant::now();
        keyboard.write_all(&key_a()).unwrap();
        last = watch.until_touched(last);
        assert!(
            start.elapsed() < Duration::from_millis(500),
            "{:?}",
            start.elapsed()
        );
    }
}

#[test]
fn a_wheel_is_heard_apart_and_says_nothing_of_the_desk() {
    let folder = tempfile::tempdir().unwrap();
    let mut wheel = device(folder.path(), "js0");
    let _keyboard = device(folder.path(), "event3");
    std::fs::write(folder.path().join("input-list"), WHEEL).unwrap();
    // How it stands: a button up, an axis in the middle.
    wheel
        .write_all(&[0, 0, 0, 0, 0, 0, 0x81, 0, 0, 0, 0, 0, 0, 0, 0x82, 0])
        .unwrap();
    let watch = PresenceWatch::start_in(bare(folder.path()));
    watch.until_says("Gamepads", "1 gamepads or wheels are heard");
    watch.listen(true);
    // Somebody turns it.
    wheel.write_all(&[0, 0, 0, 0, 0, 0x60, 2, 0]).unwrap();
    watch.until_touched(0);
    let (_, by) = until("by the wheel", || watch.idle());
    assert_eq!(by, InputKind::Gamepad);

    // A keyboard is plugged in: it is a touch of its own, and from now on there is a desk to cover.
    std::fs::write(folder.path().join("input-list"), [WHEEL, KEYBOARD].concat()).unwrap();
    until("the keyboard", || {
        watch.idle().filter(|(_, by)| *by == InputKind::Desk)
    });
}

#[test]
fn a_keyboard_that_may_not_be_read_leaves_the_desk_unknown() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("input-list"), KEYBOARD).unwrap();
    let watch = PresenceWatch::start_in(bare(folder.path()));
    watch.until_says("Input devices", "1 of 1 keyboards");
    assert_eq!(watch.latest(Instant::now()).touch, None);
}

#[test]
fn its_thread_ends_with_the_watch() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("input-list"), "").unwrap();
    let watch = PresenceWatch::start_in(bare(folder.path()));
    watch.until_says("Input devices", "No keyboard");
    let board = Arc::downgrade(&watch.board);
    drop(watch);
    until("nobody holds the board", || {
        board.upgrade().is_none().then_some(())
    });
}
