//! The services of a desktop session: GNOME's idle monitor, the screen lock, and who keeps the display on.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use sublet_core::facts::InputKind;
use zbus::MessageStream;

use super::bus::{Bus, BusError, Service};
use super::{LOOK_AGAIN, Senses, Surroundings, ago, inhibitors, screen_lock};
use crate::sensors::presence::board::Post;

const MUTTER: Service = Service {
    name: "org.gnome.Mutter.IdleMonitor",
    path: "/org/gnome/Mutter/IdleMonitor/Core",
    interface: "org.gnome.Mutter.IdleMonitor",
};
/// What changes seldom, and is no reason to give the GPU back within the second, is asked once in so many beats.
const SELDOM: u64 = 5;

/// The places on the board of what lives on this bus.
pub(super) struct Posts {
    pub mutter: Post,
    pub lock: Post,
    pub inhibitors: Post,
}

impl Posts {
    fn all(&self) -> [&Post; 3] {
        [&self.mutter, &self.lock, &self.inhibitors]
    }
}

pub(super) async fn run(posts: Posts, here: Arc<Surroundings>, mut senses: Senses) {
    loop {
        let opened = match &here.bus_of_session() {
            Some(address) => Bus::open(address).await.map_err(|why| why.to_string()),
            None => Err("this user has none".into()),
        };
        match opened {
            Ok(bus) => {
                let why = follow(&bus, &posts, &mut senses).await;
                tracing::debug!(%why, "the session bus has gone");
                for post in posts.all() {
                    post.fails(format!("The session bus does not answer: {why}."));
                }
                senses.beats(1).await;
            }
            Err(why) => {
                for post in posts.all() {
                    post.not_here(format!("There is no session bus: {why}."));
                }
                senses.beats(LOOK_AGAIN).await;
            }
        }
    }
}

/// Until the bus fails; why it did.
async fn follow(bus: &Bus, posts: &Posts, senses: &mut Senses) -> BusError {
    let mut names = Vec::new();
    let mut beats = 0u64;
    let mut watch: Option<Watch> = None;
    loop {
        let mutter = names.iter().any(|name| name == MUTTER.name);
        if !(mutter && senses.listening()) {
            if let Some(watch) = watch.take() {
                watch.end(bus).await;
            }
        } else if watch.is_none() {
            match Watch::begin(bus).await {
                Ok(begun) => watch = Some(begun),
                Err(why) => posts
                    .mutter
                    .fails(format!("GNOME does not tell of input: {why}.")),
            }
        }
        tokio::select! {
            _ = senses.pulse.changed() => {
                if beats.is_multiple_of(SELDOM) {
                    names = match bus.names().await {
                        Ok(names) => names,
                        Err(why) => return why,
                    };
                    screen_lock::look(bus, &names, &posts.lock).await;
                    inhibitors::look(bus, &names, &posts.inhibitors).await;
                }
                beats += 1;
                idle_time(bus, &names, &posts.mutter).await;
                if let Some(watch) = &mut watch
                    && let Err(why) = watch.rearm(bus).await
                {
                    posts.mutter.fails(format!("GNOME does not tell of input: {why}."));
                }
            }
            _ = senses.ears.changed() => {}
            () = fired(&mut watch) => posts.mutter.heard(InputKind::Desk),
        }
    }
}

async fn idle_time(bus: &Bus, names: &[String], post: &Post) {
    if !names.iter().any(|name| name == MUTTER.name) {
        return post.not_here("GNOME's compositor does not run in this session.");
    }
    match bus.ask::<_, u64>(MUTTER, "GetIdletime", &()).await {
        Ok(idle_ms) => {
            post.seat(true);
            post.touch(ago(Duration::from_millis(idle_ms)), InputKind::Desk, true);
            post.works(format!("GNOME: last input {} s ago.", idle_ms / 1_000));
        }
        Err(why) => post.fails(format!("GNOME does not tell idle time: {why}.")),
    }
}

/// Being told of the next input. It is told once; then it must be asked for again.
struct Watch {
    signals: MessageStream,
    /// Absent once it was told.
    id: Option<u32>,
}

impl Watch {
    async fn begin(bus: &Bus) -> Result<Self, BusError> {
        let mut this = Self {
            signals: bus.signals(MUTTER, "WatchFired").await?,
            id: None,
        };
        this.rearm(bus).await?;
        Ok(this)
    }

    async fn rearm(&mut self, bus: &Bus) -> Result<(), BusError> {
        if self.id.is_none() {
            self.id = Some(bus.ask(MUTTER, "AddUserActiveWatch", &()).await?);
        }
        Ok(())
    }

    async fn end(self, bus: &Bus) {
        if let Some(id) = self.id {
            let removed: Result<(), _> = bus.ask(MUTTER, "RemoveWatch", &(id,)).await;
            if let Err(why) = removed {
                tracing::debug!(%why, "a watch of GNOME's idle monitor stays behind");
            }
        }
    }
}

/// When input was told. Never, where no watch waits for it.
async fn fired(watch: &mut Option<Watch>) {
    let Some(watch) = watch else {
        return std::future::pending().await;
    };
    while let Some(signal) = watch.signals.next().await {
        let id = signal
            .ok()
            .and_then(|it| it.body().deserialize::<u32>().ok());
        if id.is_some() && id == watch.id {
            watch.id = None;
            return;
        }
    }
    std::future::pending().await
}
