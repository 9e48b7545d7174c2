use super::compositor::Compositor;
use super::*;
use std::os::unix::fs::PermissionsExt as _;
use sublet_core::facts::InputKind;

/// Sway without a screen. It wants to be nobody special.
fn sway(runtime: &Path) -> Beside {
    std::fs::create_dir(runtime).unwrap();
    std::fs::set_permissions(runtime, std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = if rustix::process::geteuid().is_root() {
        let nobody = 65_534;
        std::os::unix::fs::chown(runtime, Some(nobody), Some(nobody)).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sway"]);
        command
    } else {
        Command::new("sway")
    };
    command
        .args(["-c", "/dev/null"])
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("DISPLAY")
        .env("XDG_RUNTIME_DIR", runtime)
        .env("HOME", runtime)
        .env("WLR_BACKENDS", "headless")
        .env("WLR_LIBINPUT_NO_DEVICES", "1")
        .env("WLR_RENDERER", "pixman")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Beside::start(&mut command)
}

/// As if somebody typed it.
fn type_into(runtime: &Path) {
    let typed = Command::new("wtype")
        .arg("a")
        .env("XDG_RUNTIME_DIR", runtime)
        .env("WAYLAND_DISPLAY", "wayland-1")
        .status();
    assert!(typed.expect("wtype must be installed").success());
}

#[test]
fn a_compositor_tells_when_input_ends_and_begins_again() {
    // Reachable by the user that sway runs as.
    let folder = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir()
        .unwrap();
    std::fs::write(folder.path().join("input-list"), "").unwrap();
    let runtime = folder.path().join("run");
    let sway = sway(&runtime);
    until("its socket", || {
        runtime.join("wayland-1").exists().then_some(())
    });
    let watch = PresenceWatch::start_in(bare(folder.path()));
    watch.until_says("Wayland", "last input");
    until("idle for 3 s", || {
        (watch.idle()?.0 > Duration::from_secs(3)).then_some(())
    });

    watch.listen(true);
    let start = Instant::now();
    type_into(&runtime);
    watch.until_touched(0);
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    let (idle, by) = watch.idle().unwrap();
    assert!(
        idle < Duration::from_secs(2) && by == InputKind::Desk,
        "{idle:?}"
    );
    until("idle again", || {
        (watch.idle()?.0 > Duration::from_secs(2)).then_some(())
    });

    drop(sway);
    watch.until_says("Wayland", "No Wayland compositor");
}

#[test]
fn ext_idle_notify_is_asked_for_input_alone_where_it_can_be() {
    for (version, request) in [(1, 1), (2, 2), (3, 2)] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("input-list"), "").unwrap();
        std::fs::create_dir(folder.path().join("run")).unwrap();
        let mut compositor = Compositor::start(&folder.path().join("run/wayland-0"), version);
        let watch = PresenceWatch::start_in(bare(folder.path()));
        let asked = compositor.asked();
        assert_eq!((asked.request, asked.timeout_ms), (request, 1_000));
        // In use until told otherwise.
        watch.until_says("Wayland", "input within the last 1 s");
        let film = "or a program keeps the display on";
        assert_eq!(
            format!("{:?}", watch.state("Wayland")).contains(film),
            version == 1
        );
        compositor.idled();
        watch.until_says("Wayland", "last input");
        until("idle for 2 s", || {
            (watch.idle()?.0 > Duration::from_secs(2)).then_some(())
        });
        watch.listen(true);
        let start = Instant::now();
        compositor.resumed();
        watch.until_touched(0);
        assert!(
            start.elapsed() < Duration::from_millis(200),
            "{:?}",
            start.elapsed()
        );
    }
}
