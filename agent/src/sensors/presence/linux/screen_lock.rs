//! Whether the screen is locked, as the session's own screen lock tells.

use std::time::Instant;

use super::bus::{Bus, Service};
use crate::sensors::presence::board::{Post, SessionSeen};

/// In the order in which they are asked; the first that runs is believed.
const LOCKS: [Service; 5] = [
    lock("org.gnome.ScreenSaver", "/org/gnome/ScreenSaver"),
    lock("org.cinnamon.ScreenSaver", "/org/cinnamon/ScreenSaver"),
    lock("org.mate.ScreenSaver", "/org/mate/ScreenSaver"),
    lock("org.xfce.ScreenSaver", "/org/xfce/ScreenSaver"),
    lock(
        "org.freedesktop.ScreenSaver",
        "/org/freedesktop/ScreenSaver",
    ),
];

/// Each interface is called as its service is.
const fn lock(name: &'static str, path: &'static str) -> Service {
    Service {
        name,
        path,
        interface: name,
    }
}

pub(super) async fn look(bus: &Bus, names: &[String], post: &Post) {
    let running = LOCKS
        .iter()
        .find(|lock| names.iter().any(|name| name == lock.name));
    let Some(lock) = running else {
        return post.not_here("This session has no screen lock that tells.");
    };
    match bus.ask::<_, bool>(*lock, "GetActive", &()).await {
        Ok(locked) => {
            post.session(SessionSeen {
                locked: Some(locked),
                ..SessionSeen::nothing(Instant::now())
            });
            post.works(if locked {
                "The screen is locked."
            } else {
                "The screen is not locked."
            });
        }
        Err(why) => post.fails(format!("{} does not tell: {why}.", lock.name)),
    }
}
