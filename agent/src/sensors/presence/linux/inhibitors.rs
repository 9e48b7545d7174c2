//! Who keeps the display on: films, calls, presentations. Each desktop has its own list of them.

use sublet_core::facts::{Watching, WatchingHow};
use zbus::zvariant::OwnedObjectPath;

use super::bus::{Bus, BusError, Service};
use crate::sensors::presence::board::Post;

/// Also of Cinnamon, which took it over; MATE has its own name for it.
const GNOME: Service = Service {
    name: "org.gnome.SessionManager",
    path: "/org/gnome/SessionManager",
    interface: "org.gnome.SessionManager",
};
const KDE: Service = Service {
    name: "org.kde.Solid.PowerManagement.PolicyAgent",
    path: "/org/kde/Solid/PowerManagement/PolicyAgent",
    interface: "org.kde.Solid.PowerManagement.PolicyAgent",
};
const XFCE: Service = Service {
    name: "org.freedesktop.PowerManagement",
    path: "/org/freedesktop/PowerManagement/Inhibit",
    interface: "org.freedesktop.PowerManagement.Inhibit",
};

pub(super) async fn look(bus: &Bus, names: &[String], post: &Post) {
    let runs = |service: Service| names.iter().any(|name| name == service.name);
    let found = if runs(GNOME) {
        gnome(bus).await
    } else if runs(KDE) {
        kde(bus).await
    } else if runs(XFCE) {
        bus.ask(XFCE, "GetInhibitors", &()).await
    } else {
        return post.not_here("This session has no list of programs that keep the display on.");
    };
    match found {
        Ok(programs) => {
            let said = if programs.is_empty() {
                "No program keeps the display on.".to_owned()
            } else {
                format!("The display is kept on by {}.", programs.join(", "))
            };
            let watching = |program| Watching {
                program,
                how: WatchingHow::Inhibits,
            };
            post.watching(programs.into_iter().map(watching).collect());
            post.works(said);
        }
        Err(why) => post.fails(format!(
            "It is not told which programs keep the display on: {why}."
        )),
    }
}

async fn gnome(bus: &Bus) -> Result<Vec<String>, BusError> {
    /// The session may not be called idle.
    const IDLE: u32 = 8;
    if !bus.ask::<_, bool>(GNOME, "IsInhibited", &(IDLE,)).await? {
        return Ok(Vec::new());
    }
    let paths: Vec<OwnedObjectPath> = bus.ask(GNOME, "GetInhibitors", &()).await?;
    let inhibitor = Service {
        interface: "org.gnome.SessionManager.Inhibitor",
        ..GNOME
    };
    let mut programs = Vec::new();
    for path in paths {
        // One that has ended meanwhile does not answer.
        let flags = bus
            .ask_at::<_, u32>(inhibitor, &path, "GetFlags", &())
            .await;
        if flags.is_ok_and(|flags| flags & IDLE != 0) {
            let name = bus.ask_at(inhibitor, &path, "GetAppId", &()).await;
            programs.push(name.unwrap_or_else(|_| "A program".into()));
        }
    }
    Ok(programs)
}

async fn kde(bus: &Bus) -> Result<Vec<String>, BusError> {
    /// The display may not be dimmed or switched off.
    const SCREEN: u32 = 4;
    if !bus.ask::<_, bool>(KDE, "HasInhibition", &(SCREEN,)).await? {
        return Ok(Vec::new());
    }
    let all: Vec<(String, String)> = bus.ask(KDE, "ListInhibitions", &()).await?;
    Ok(all.into_iter().map(|(program, _)| program).collect())
}
