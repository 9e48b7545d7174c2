//! Programs come and go, in a `/proc` made for it and in the real one.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sublet_core::facts::{Program, ProgramKind};
use zbus::object_server::SignalEmitter;
use zbus::zvariant::{ObjectPath, OwnedObjectPath};

use super::libraries::Libraries;
use super::rules::{Place, Rules};
use super::running::Running;
use super::{Chosen, ProgramSources, ProgramWatch};
use crate::sensors::testing::{Bus, FakeProc, Tree, until};

fn program(name: &str, kind: ProgramKind) -> Program {
    Program {
        name: name.to_owned(),
        kind,
    }
}

fn game(name: &str) -> Program {
    program(name, ProgramKind::Game)
}

fn chosen(name: &str) -> Program {
    program(name, ProgramKind::Chosen)
}

/// A shelf of games at `/games/common`, one chosen name and one chosen folder.
fn rules() -> Rules {
    let mut rules = Rules::default();
    rules.place(vec![Place::Shelf {
        folder: "/games/common".into(),
        names: [("HS".to_owned(), "Half Sword".to_owned())].into(),
    }]);
    rules.choose(&[
        Chosen::Name("Blender.exe".to_owned()),
        Chosen::Folder("/opt/render".into()),
    ]);
    rules
}

struct Stand {
    proc: FakeProc,
    running: Running,
    rules: Rules,
    now: Instant,
}

impl Stand {
    fn new() -> Self {
        let proc = FakeProc::new();
        Self {
            running: Running::new(proc.path()),
            rules: rules(),
            now: Instant::now(),
            proc,
        }
    }

    fn look(&mut self) -> Vec<Program> {
        self.now += Duration::from_secs(1);
        assert!(self.running.look(&self.rules, self.now));
        super::list(self.running.found(), &[])
    }
}

#[test]
fn a_game_is_seen_at_the_look_after_its_start_and_gone_at_the_one_after_its_end() {
    let mut stand = Stand::new();
    assert_eq!(stand.look(), []);
    stand.proc.start(40, "/games/common/HS/bin/hs", &["./hs"]);
    assert_eq!(stand.look(), [game("Half Sword")]);
    assert_eq!(stand.look(), [game("Half Sword")]);
    stand.proc.end(40);
    assert_eq!(stand.look(), []);
}

#[test]
fn a_process_that_becomes_a_game_after_its_start_is_seen() {
    let mut stand = Stand::new();
    stand.look();
    stand.proc.start(40, "/usr/bin/bash", &["bash", "run.sh"]);
    assert_eq!(stand.look(), []);
    stand.proc.end(40);
    stand.proc.start(40, "/games/common/New Game/x", &["x"]);
    assert_eq!(stand.look(), [game("New Game")], "named as its folder");
    stand.proc.start(50, "/usr/bin/bash", &["bash", "slow.sh"]);
    for _ in 0..5 {
        stand.look();
    }
    stand.proc.end(50);
    stand.proc.start(50, "/games/common/Late/x", &["x"]);
    let seen = (0..21).position(|_| stand.look().contains(&game("Late")));
    assert!(seen.is_some(), "every process is asked after every 20 s");
}

#[test]
fn what_the_owner_chose_is_seen_by_any_of_its_names() {
    let mut stand = Stand::new();
    stand.proc.start(40, "/usr/bin/blender", &["blender"]);
    stand.proc.start(41, "/opt/render/tools/bake", &["bake"]);
    stand
        .proc
        .start(42, "/usr/bin/python3", &["python3", "/home/u/blender"]);
    stand.proc.start(
        43,
        "/usr/bin/less",
        &["less", "/opt/render/notes", "blender"],
    );
    assert_eq!(
        stand.look(),
        [
            chosen("bake"),
            chosen("blender"),
            chosen("blender (python3)")
        ]
    );
    stand.rules.choose(&[]);
    stand.running.forget();
    assert_eq!(stand.look(), []);
}

#[test]
fn steams_tools_are_no_games_and_windows_games_are_found_through_wine() {
    let mut stand = Stand::new();
    let proc = &stand.proc;
    let wine = "/games/common/Proton 9.0/files/bin/wine64-preloader";
    proc.start(40, "/games/common/SteamLinuxRuntime_sniper/pv", &["pv"]);
    proc.start(41, wine, &[r"C:\windows\system32\services.exe"]);
    proc.start(42, "/games/common/notes.txt", &["notes.txt"]);
    assert_eq!(stand.look(), []);

    let proc = &stand.proc;
    proc.start(
        50,
        wine,
        &[r"Z:\games\COMMON\Witcher 3\bin\witcher3.exe", "-x"],
    );
    assert_eq!(stand.look(), [game("Witcher 3")]);
    stand.proc.end(50);

    // By a drive that Wine links to the library.
    let prefix = Tree::new();
    std::fs::create_dir_all(prefix.path().join("games/common/HS")).unwrap();
    prefix.link("dosdevices/s:", prefix.path().join("games"));
    let shelf = prefix.path().canonicalize().unwrap().join("games/common");
    stand.rules.place(vec![Place::Shelf {
        folder: shelf,
        names: Default::default(),
    }]);
    let environment = format!("A=1\0WINEPREFIX={}\0", prefix.path().display());
    stand.proc.start(60, wine, &[r"S:\common\HS\hs.exe"]);
    stand.proc.tree.write("60/environ", environment);
    assert_eq!(stand.look(), [game("HS")]);
}

#[test]
fn threads_of_a_game_are_not_counted_along() {
    let mut stand = Stand::new();
    stand.look();
    stand.proc.start(40, "/games/common/HS/hs", &["hs"]);
    for thread in 41..60 {
        stand.proc.start(thread, "/games/common/HS/hs", &["hs"]);
        let status = format!("Name:\ths\nTgid:\t40\nPid:\t{thread}\n");
        stand.proc.tree.write(&format!("{thread}/status"), status);
    }
    assert_eq!(stand.look(), [game("Half Sword")]);
    assert_eq!(stand.running.found().len(), 1);
}

#[test]
fn a_container_that_sees_only_itself_knows_nothing() {
    let proc = FakeProc::new();
    proc.tree.remove("self");
    proc.tree.link("self/ns/pid", "pid:[4026532281]");
    assert!(!Running::new(proc.path()).look(&rules(), Instant::now()));
}

#[test]
fn libraries_of_all_launchers_are_found_and_read_again_when_they_change() {
    let home = Tree::new();
    let steam = ".var/app/com.valvesoftware.Steam/.local/share/Steam/steamapps";
    let disk = home.path().join("disk");
    home.write(
        &format!("{steam}/libraryfolders.vdf"),
        format!(
            r#""libraryfolders" {{ "0" {{ "path" "{}" }} }}"#,
            disk.display()
        ),
    );
    home.write(
        "disk/steamapps/appmanifest_1.acf",
        r#""AppState" { "appid" "1" "name" "Half Sword" "installdir" "HS" }"#,
    );
    home.write(
        ".config/heroic/legendaryConfig/legendary/installed.json",
        r#"{"Sugar": {"title": "Hades", "install_path": "/g/Hades"}}"#,
    );
    home.write(
        ".config/heroic/gog_store/installed.json",
        r#"{"installed": [{"appName": "7", "install_path": "/g/Gwent"},
                          {"appName": "8", "install_path": "/g/Inscryption"}]}"#,
    );
    home.write(
        ".config/heroic/gog_store/library.json",
        r#"{"games": [{"app_name": "7", "title": "GWENT: The Card Game"}]}"#,
    );
    let lutris = home.write(".local/share/lutris/pga.db", "");
    let database = rusqlite::Connection::open(lutris).unwrap();
    let rows = format!(
        "CREATE TABLE games (name TEXT, directory TEXT, installed INTEGER);
         INSERT INTO games VALUES ('Quake', '/g/quake', 1), ('Doom', '/g/doom', 0),
                                  ('Everything', '{}', 1), ('Nothing', '', 1);",
        home.path().display()
    );
    database.execute_batch(&rows).unwrap();

    let mut libraries = Libraries::new(vec![home.path().to_owned()]);
    let places = libraries.look().unwrap();

    let names: Vec<&str> = places
        .iter()
        .filter_map(|place| match place {
            Place::Game { name, .. } => Some(name.as_str()),
            Place::Shelf { .. } => None,
        })
        .collect();
    assert_eq!(
        names,
        ["Hades", "GWENT: The Card Game", "Inscryption", "Quake"]
    );
    let shelf = Place::Shelf {
        folder: disk.join("steamapps/common"),
        names: [("HS".to_owned(), "Half Sword".to_owned())].into(),
    };
    assert!(places.contains(&shelf), "{places:?}");
    assert_eq!(libraries.look(), None, "nothing changed");

    home.write(
        ".config/legendary/installed.json",
        r#"{"Fn": {"title": "Fortnite", "install_path": "/g/Fortnite"}}"#,
    );
    let places = libraries.look().unwrap();
    assert!(
        places
            .iter()
            .any(|place| matches!(place, Place::Game { name, .. } if name == "Fortnite"))
    );
}

#[test]
fn epics_notes_are_read() {
    let folder = Tree::new();
    folder.write(
        "A1.item",
        r#"{"DisplayName": "Control", "InstallLocation": "C:\\Games\\Control"}"#,
    );
    folder.write("A2.item", "not json");
    let places = super::launchers::epic(folder.path(), &mut Default::default());
    assert_eq!(
        places,
        [Place::Game {
            folder: r"C:\Games\Control".into(),
            name: "Control".to_owned()
        }]
    );
}

fn sources(home: &Path) -> ProgramSources {
    ProgramSources {
        proc: "/proc".into(),
        homes: vec![home.to_owned()],
        session_bus: None,
    }
}

fn names(watch: &ProgramWatch) -> Option<Vec<String>> {
    let programs = watch.latest(Instant::now())?.value;
    Some(programs.into_iter().map(|program| program.name).collect())
}

#[tokio::test]
async fn a_real_program_that_starts_is_told() {
    let home = Tree::new();
    let game = home.write(".local/share/Steam/steamapps/common/Sleepy/zzz", "");
    std::fs::copy("/bin/sleep", &game).unwrap();
    let watch = ProgramWatch::start_at(sources(home.path()), Vec::new());
    until("the first look", || names(&watch)).await;
    let mut changed = watch.changed();
    changed.mark_unchanged();

    let mut child = Command::new(&game).arg("600").spawn().unwrap();
    let started = Instant::now();
    let told = tokio::time::timeout(Duration::from_secs(20), changed.changed()).await;
    let took = started.elapsed();
    let seen = names(&watch);
    child.kill().unwrap();
    child.wait().unwrap();

    told.unwrap().unwrap();
    assert_eq!(seen, Some(vec!["Sleepy".to_owned()]), "after {took:?}");
    until("its end", || names(&watch).filter(Vec::is_empty)).await;
}

#[derive(Clone, Default)]
struct FakeGameMode {
    games: Arc<Mutex<Vec<(i32, OwnedObjectPath)>>>,
}

#[zbus::interface(name = "com.feralinteractive.GameMode")]
impl FakeGameMode {
    fn list_games(&self) -> Vec<(i32, OwnedObjectPath)> {
        self.games.lock().unwrap().clone()
    }

    #[zbus(signal)]
    async fn game_registered(
        emitter: &SignalEmitter<'_>,
        pid: i32,
        game: ObjectPath<'_>,
    ) -> zbus::Result<()>;
}

const GAMEMODE: &str = "com.feralinteractive.GameMode";
const GAMEMODE_PATH: &str = "/com/feralinteractive/GameMode";

#[tokio::test]
async fn a_game_that_says_so_to_gamemode_is_seen_and_gamemode_is_never_started() {
    let bus = Bus::start().await;
    let started = bus.startable(GAMEMODE);
    let proc = FakeProc::new();
    proc.start(40, "/usr/games/supertux", &["supertux"]);
    let home = Tree::new();
    let watch = ProgramWatch::start_at(
        ProgramSources {
            proc: proc.path(),
            session_bus: Some(bus.address()),
            ..sources(home.path())
        },
        Vec::new(),
    );
    until("the first look", || names(&watch)).await;

    let service = FakeGameMode::default();
    let host = zbus::connection::Builder::address(bus.address().as_str())
        .unwrap()
        .serve_at(GAMEMODE_PATH, service.clone())
        .unwrap()
        .build()
        .await
        .unwrap();
    assert!(!started.exists(), "it was started by being asked");
    let path = ObjectPath::try_from("/com/feralinteractive/GameMode/Games/40").unwrap();
    service
        .games
        .lock()
        .unwrap()
        .push((40, path.clone().into()));
    host.request_name(GAMEMODE).await.unwrap();
    until("the game", || {
        names(&watch).filter(|names| *names == ["supertux"])
    })
    .await;

    service.games.lock().unwrap().clear();
    let emitter = SignalEmitter::new(&host, GAMEMODE_PATH).unwrap();
    FakeGameMode::game_registered(&emitter, 40, path)
        .await
        .unwrap();
    until("its end", || names(&watch).filter(Vec::is_empty)).await;
    assert!(!started.exists());
}

#[test]
fn a_second_in_which_nothing_starts_costs_next_to_nothing() {
    let mut stand = Stand::new();
    for pid in 2..302 {
        stand.proc.start(pid, "/usr/bin/bash", &["bash", "-l"]);
    }
    stand.look();
    stand.look();
    stand.look();
    let cpu = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let before = cpu();
    for _ in 0..100 {
        assert_eq!(stand.look(), []);
    }
    let each = (cpu() - before) / 100;
    // Without optimization, and with five sweeps over all of them.
    assert!(each < Duration::from_micros(300), "{each:?} a second");
}
