use super::*;
use std::collections::HashMap;
use std::sync::Mutex;
use sublet_core::facts::{InputKind, Watching, WatchingHow};
use zbus::object_server::SignalEmitter;
use zbus::zvariant::{ObjectPath, OwnedObjectPath};

/// A bus of the test's own.
struct PrivateBus {
    _daemon: Beside,
    address: String,
    /// Its socket goes with it.
    _folder: tempfile::TempDir,
}

impl PrivateBus {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("bus");
        let mut daemon = Beside::start(
            Command::new("dbus-daemon")
                .args(["--session", "--nofork", "--nopidfile", "--print-address=1"])
                .arg(format!("--address=unix:path={}", socket.display()))
                .stdout(Stdio::piped())
                .stderr(Stdio::null()),
        );
        let address = daemon.line();
        Self {
            _daemon: daemon,
            address,
            _folder: folder,
        }
    }

    async fn client(&self) -> zbus::Connection {
        let builder = zbus::connection::Builder::address(self.address.as_str()).unwrap();
        builder.build().await.unwrap()
    }
}

fn world() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

fn on_session_bus(folder: &Path, bus: &PrivateBus) -> Surroundings {
    std::fs::write(folder.join("input-list"), "").unwrap();
    Surroundings {
        session_bus: Some(bus.address.clone()),
        ..bare(folder)
    }
}

#[derive(Default)]
struct IdleMonitor {
    idle_ms: u64,
    watches: Arc<Mutex<Vec<u32>>>,
}

#[zbus::interface(name = "org.gnome.Mutter.IdleMonitor")]
impl IdleMonitor {
    fn get_idletime(&self) -> u64 {
        self.idle_ms
    }

    fn add_user_active_watch(&self) -> u32 {
        let mut watches = self.watches.lock().unwrap();
        let id = 41 + u32::try_from(watches.len()).unwrap();
        watches.push(id);
        id
    }

    fn remove_watch(&self, id: u32) {
        self.watches.lock().unwrap().retain(|watch| *watch != id);
    }

    #[zbus(signal)]
    async fn watch_fired(emitter: &SignalEmitter<'_>, id: u32) -> zbus::Result<()>;
}

#[test]
fn gnome_is_polled_at_rest_and_tells_of_input_while_listening() {
    const PATH: &str = "/org/gnome/Mutter/IdleMonitor/Core";
    let (folder, bus, world) = (tempfile::tempdir().unwrap(), PrivateBus::start(), world());
    let watches = Arc::new(Mutex::new(Vec::new()));
    let monitor = IdleMonitor {
        idle_ms: 300_000,
        watches: Arc::clone(&watches),
    };
    let service = world.block_on(async {
        let service = bus.client().await;
        service.object_server().at(PATH, monitor).await.unwrap();
        service
            .request_name("org.gnome.Mutter.IdleMonitor")
            .await
            .unwrap();
        service
    });
    let watch = PresenceWatch::start_in(on_session_bus(folder.path(), &bus));
    let (idle, by) = until("idle time", || watch.idle());
    assert!(
        idle >= Duration::from_secs(300) && by == InputKind::Desk,
        "{idle:?}"
    );
    assert!(watches.lock().unwrap().is_empty());

    watch.listen(true);
    let id = until("a watch", || watches.lock().unwrap().last().copied());
    // One that is another's, then ours.
    let start = world.block_on(async {
        let emitter = SignalEmitter::new(&service, PATH).unwrap();
        IdleMonitor::watch_fired(&emitter, 7).await.unwrap();
        let start = Instant::now();
        IdleMonitor::watch_fired(&emitter, id).await.unwrap();
        start
    });
    let count = watch.until_touched(0);
    assert!(
        start.elapsed() < Duration::from_millis(200),
        "{:?}",
        start.elapsed()
    );
    assert!(watch.idle().unwrap().0 < Duration::from_secs(5));
    // It asks anew, since each watch tells once.
    let next = until("another watch", || {
        watches.lock().unwrap().iter().copied().find(|it| *it != id)
    });
    world.block_on(async {
        let emitter = SignalEmitter::new(&service, PATH).unwrap();
        IdleMonitor::watch_fired(&emitter, next).await.unwrap();
    });
    watch.until_touched(count);

    watch.listen(false);
    until("its watches are gone but for those that fired", || {
        (watches.lock().unwrap().len() <= 2).then_some(())
    });
    world.block_on(async { service.close().await.unwrap() });
    watch.until_says("GNOME", "does not run");
}

struct SessionManager;

#[zbus::interface(name = "org.gnome.SessionManager")]
impl SessionManager {
    fn is_inhibited(&self, flags: u32) -> bool {
        flags & 8 != 0
    }

    fn get_inhibitors(&self) -> Vec<OwnedObjectPath> {
        [
            "/org/gnome/SessionManager/Inhibitor1",
            "/org/gnome/SessionManager/Inhibitor2",
        ]
        .map(|path| ObjectPath::try_from(path).unwrap().into())
        .to_vec()
    }
}

struct Inhibitor {
    program: &'static str,
    flags: u32,
}

#[zbus::interface(name = "org.gnome.SessionManager.Inhibitor")]
impl Inhibitor {
    fn get_app_id(&self) -> &str {
        self.program
    }

    fn get_flags(&self) -> u32 {
        self.flags
    }
}

struct ScreenSaver {
    locked: bool,
}

#[zbus::interface(name = "org.gnome.ScreenSaver")]
impl ScreenSaver {
    fn get_active(&self) -> bool {
        self.locked
    }
}

#[test]
fn who_keeps_gnomes_display_on_is_named_and_a_lock_is_seen() {
    let (folder, bus, world) = (tempfile::tempdir().unwrap(), PrivateBus::start(), world());
    let _service = world.block_on(async {
        let service = bus.client().await;
        let server = service.object_server();
        server
            .at("/org/gnome/SessionManager", SessionManager)
            .await
            .unwrap();
        let film = Inhibitor {
            program: "org.videolan.VLC",
            flags: 8 | 4,
        };
        let burning = Inhibitor {
            program: "brasero",
            flags: 4,
        };
        server
            .at("/org/gnome/SessionManager/Inhibitor1", film)
            .await
            .unwrap();
        server
            .at("/org/gnome/SessionManager/Inhibitor2", burning)
            .await
            .unwrap();
        server
            .at("/org/gnome/ScreenSaver", ScreenSaver { locked: true })
            .await
            .unwrap();
        service
            .request_name("org.gnome.SessionManager")
            .await
            .unwrap();
        service.request_name("org.gnome.ScreenSaver").await.unwrap();
        service
    });
    let watch = PresenceWatch::start_in(on_session_bus(folder.path(), &bus));
    let watching = until("a film", || {
        watch
            .latest(Instant::now())
            .watching
            .filter(|it| !it.value.is_empty())
    });
    let film = Watching {
        program: "org.videolan.VLC".into(),
        how: WatchingHow::Inhibits,
    };
    assert_eq!(watching.value, [film]);
    let session = until("a session", || watch.latest(Instant::now()).session);
    assert!(session.value.locked);
}

type Row = (String, u32, String, String, OwnedObjectPath);

struct Manager;

#[zbus::interface(name = "org.freedesktop.login1.Manager")]
impl Manager {
    fn list_sessions(&self) -> Vec<Row> {
        let path = |path: &'static str| ObjectPath::try_from(path).unwrap().into();
        vec![
            (
                "2".into(),
                1000,
                "anna".into(),
                "seat0".into(),
                path("/session/_2"),
            ),
            (
                "c5".into(),
                1000,
                "anna".into(),
                String::new(),
                path("/session/c5"),
            ),
        ]
    }

    fn list_inhibitors(&self) -> Vec<(String, String, String, String, u32, u32)> {
        let row = |what: &str, who: &str, mode: &str| {
            (
                what.into(),
                who.into(),
                "a reason".into(),
                mode.into(),
                1000,
                1,
            )
        };
        vec![
            row("sleep", "NetworkManager", "delay"),
            row("handle-lid-switch", "a desktop", "block"),
            row("sleep:idle", "Presenter", "block"),
        ]
    }
}

#[derive(Default)]
struct LoginSession {
    properties: HashMap<&'static str, u64>,
    kind: &'static str,
    terminal: &'static str,
}

impl LoginSession {
    fn yes(&self, name: &str) -> bool {
        self.properties.get(name).is_some_and(|value| *value != 0)
    }
}

#[zbus::interface(name = "org.freedesktop.login1.Session")]
impl LoginSession {
    #[zbus(property, name = "Type")]
    fn kind(&self) -> &str {
        self.kind
    }

    #[zbus(property)]
    fn class(&self) -> &str {
        "user"
    }

    #[zbus(property, name = "TTY")]
    fn terminal(&self) -> &str {
        self.terminal
    }

    #[zbus(property)]
    fn active(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn remote(&self) -> bool {
        self.yes("Remote")
    }

    #[zbus(property)]
    fn locked_hint(&self) -> bool {
        self.yes("LockedHint")
    }

    #[zbus(property)]
    fn idle_hint(&self) -> bool {
        self.yes("IdleHint")
    }

    #[zbus(property)]
    fn idle_since_hint(&self) -> u64 {
        self.properties.get("IdleSinceHint").copied().unwrap_or(0)
    }
}

fn us_since_1970() -> u64 {
    let now = std::time::SystemTime::now();
    let since = now
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    u64::try_from(since.as_micros()).unwrap()
}

#[test]
fn logind_tells_of_locks_idle_desktops_presentations_and_people_over_ssh() {
    let (folder, bus, world) = (tempfile::tempdir().unwrap(), PrivateBus::start(), world());
    let dev = folder.path().join("dev/pts");
    std::fs::create_dir_all(&dev).unwrap();
    let ago = |seconds| std::time::SystemTime::now() - Duration::from_secs(seconds);
    let terminal = std::fs::File::create(dev.join("5")).unwrap();
    terminal
        .set_times(std::fs::FileTimes::new().set_accessed(ago(90)))
        .unwrap();
    let service = world.block_on(async {
        let service = bus.client().await;
        let server = service.object_server();
        server.at("/org/freedesktop/login1", Manager).await.unwrap();
        let since = us_since_1970() - 600_000_000;
        let desktop = LoginSession {
            properties: [("LockedHint", 1), ("IdleHint", 1), ("IdleSinceHint", since)].into(),
            kind: "wayland",
            terminal: "tty2",
        };
        let ssh = LoginSession {
            properties: [("Remote", 1)].into(),
            kind: "tty",
            terminal: "pts/5",
        };
        server.at("/session/_2", desktop).await.unwrap();
        server.at("/session/c5", ssh).await.unwrap();
        service
            .request_name("org.freedesktop.login1")
            .await
            .unwrap();
        service
    });
    std::fs::write(folder.path().join("input-list"), "").unwrap();
    let watch = PresenceWatch::start_in(Surroundings {
        system_bus: bus.address.clone(),
        ..bare(folder.path())
    });
    let (idle, by) = until("somebody over ssh", || watch.idle());
    assert_eq!((by, idle.as_secs() / 10), (InputKind::Remote, 9));
    let facts = watch.latest(Instant::now());
    assert!(
        facts
            .session
            .is_some_and(|it| it.value.locked && !it.value.remote)
    );
    let presenter = Watching {
        program: "Presenter".into(),
        how: WatchingHow::Inhibits,
    };
    assert_eq!(facts.watching.unwrap().value, [presenter]);

    // They log out of ssh: what is left is that nobody has used the desktop for ten minutes.
    world.block_on(async {
        let server = service.object_server();
        server
            .remove::<LoginSession, _>("/session/c5")
            .await
            .unwrap();
    });
    drop(terminal);
    watch.until_says("logind", "1 logged in here, 0 from other machines");
    world.block_on(async { service.close().await.unwrap() });
    watch.until_says("logind", "does not run here");
}
