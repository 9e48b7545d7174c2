//! systemd's logind: who is logged in and where, whether their screen is locked, since when they are idle, and who
//! keeps the machine from being called idle.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use sublet_core::facts::{InputKind, Watching, WatchingHow};
use zbus::zvariant::{OwnedObjectPath, OwnedValue};

use super::bus::{Bus, BusError, Service};
use super::logind_sessions::{Login, Logins};
use super::{LOOK_AGAIN, Senses, Surroundings, ago, terminals};
use crate::sensors::presence::board::{Post, SessionSeen};

const MANAGER: Service = Service {
    name: "org.freedesktop.login1",
    path: "/org/freedesktop/login1",
    interface: "org.freedesktop.login1.Manager",
};
const SESSION: Service = Service {
    interface: "org.freedesktop.login1.Session",
    ..MANAGER
};
/// Sessions come and go seldom.
const SELDOM: u64 = 5;

/// What it tells of terminals goes to `terminals`.
pub(super) async fn run(post: Post, terminals: Post, here: Arc<Surroundings>, mut senses: Senses) {
    loop {
        match Bus::open(&here.system_bus).await {
            Ok(bus) => match follow(&bus, [&post, &terminals], &here.dev, &mut senses).await {
                Ended::NotHere => post.not_here("logind does not run here."),
                Ended::Failed(why) => {
                    post.fails(format!("logind does not answer: {why}."));
                    senses.beats(1).await;
                    continue;
                }
            },
            Err(why) => post.not_here(format!("There is no system bus: {why}.")),
        }
        senses.beats(LOOK_AGAIN).await;
    }
}

enum Ended {
    NotHere,
    Failed(BusError),
}

async fn follow(bus: &Bus, posts: [&Post; 2], dev: &Path, senses: &mut Senses) -> Ended {
    let mut was_idle = false;
    loop {
        match bus.names().await {
            Ok(names) if names.iter().any(|name| name == MANAGER.name) => {}
            Ok(_) => return Ended::NotHere,
            Err(why) => return Ended::Failed(why),
        }
        if let Err(why) = look(bus, posts, dev, &mut was_idle).await {
            return Ended::Failed(why);
        }
        senses
            .beats(if senses.listening() { 1 } else { SELDOM })
            .await;
    }
}

async fn look(
    bus: &Bus,
    [post, remote]: [&Post; 2],
    dev: &Path,
    was_idle: &mut bool,
) -> Result<(), BusError> {
    let logins = Logins(logins(bus).await?);
    let programs = inhibitors(bus).await?;
    post.seat(logins.graphical());
    post.session(SessionSeen {
        locked: logins.locked(),
        remote: Some(logins.remote_desktop()),
        ..SessionSeen::nothing(Instant::now())
    });
    let idle = logins.idle_since_us().map(since);
    match idle {
        // Only those who say that they are idle can be believed: many desktops never do.
        Some(since) => post.touch(since, InputKind::Desk, true),
        None if *was_idle => post.touch(Instant::now(), InputKind::Desk, false),
        None => {}
    }
    *was_idle = idle.is_some();
    if let Some(last) = terminals::last_input(dev, logins.remote_terminals()) {
        remote.touch(last, InputKind::Remote, false);
    }
    let watching = |program| Watching {
        program,
        how: WatchingHow::Inhibits,
    };
    post.watching(programs.into_iter().map(watching).collect());
    post.works(logins.in_words());
    Ok(())
}

async fn logins(bus: &Bus) -> Result<Vec<Login>, BusError> {
    type Row = (String, u32, String, String, OwnedObjectPath);
    let rows: Vec<Row> = bus.ask(MANAGER, "ListSessions", &()).await?;
    let mut logins = Vec::new();
    for (_, _, _, seat, path) in rows {
        // One that has ended meanwhile does not answer.
        let Ok(told) = bus.properties(SESSION, &path).await else {
            continue;
        };
        let text = |name| text(told.get(name));
        let yes = |name| told.get(name).and_then(|it| it.downcast_ref::<bool>().ok());
        let since = told.get("IdleSinceHint");
        logins.push(Login {
            seat: !seat.is_empty(),
            kind: text("Type"),
            class: text("Class"),
            terminal: text("TTY"),
            active: yes("Active").unwrap_or(false),
            remote: yes("Remote").unwrap_or(false),
            locked: yes("LockedHint"),
            idle: yes("IdleHint").unwrap_or(false),
            idle_since_us: since.and_then(|it| it.downcast_ref::<u64>().ok()),
        });
    }
    Ok(logins)
}

fn text(value: Option<&OwnedValue>) -> String {
    let text = value.and_then(|value| value.downcast_ref::<&str>().ok());
    text.unwrap_or_default().to_owned()
}

/// Those that forbid idleness altogether. Who merely delays sleep, or forbids it to finish a download, shows nothing.
async fn inhibitors(bus: &Bus) -> Result<Vec<String>, BusError> {
    type Row = (String, String, String, String, u32, u32);
    let rows: Vec<Row> = bus.ask(MANAGER, "ListInhibitors", &()).await?;
    let forbids = |(what, _, _, mode, _, _): &Row| {
        mode == "block" && what.split(':').any(|what| what == "idle")
    };
    Ok(rows
        .into_iter()
        .filter(forbids)
        .map(|(_, who, ..)| who)
        .collect())
}

/// A time of the wall's clock, in microseconds since 1970.
fn since(us: u64) -> Instant {
    let then = SystemTime::UNIX_EPOCH + Duration::from_micros(us);
    ago(SystemTime::now().duration_since(then).unwrap_or_default())
}
