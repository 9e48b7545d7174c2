//! What a compositor tells of its seats, by `ext-idle-notify-v1` or KDE's older `org_kde_kwin_idle`.

use std::time::{Duration, Instant};

use wayland_client::protocol::wl_callback::{self, WlCallback};
use wayland_client::protocol::wl_registry::{self, WlRegistry};
use wayland_client::protocol::wl_seat::WlSeat;
use wayland_client::{Connection, Dispatch, QueueHandle};
use wayland_protocols::ext::idle_notify::v1::client::ext_idle_notification_v1::{
    self, ExtIdleNotificationV1,
};
use wayland_protocols::ext::idle_notify::v1::client::ext_idle_notifier_v1::ExtIdleNotifierV1;
use wayland_protocols_plasma::idle::client::org_kde_kwin_idle::OrgKdeKwinIdle;
use wayland_protocols_plasma::idle::client::org_kde_kwin_idle_timeout::{
    self, OrgKdeKwinIdleTimeout,
};

/// A seat without input for so long counts as idle since its last input.
pub(super) const IDLE_AFTER: Duration = Duration::from_secs(1);

/// Every seat of one compositor.
#[derive(Debug, Default)]
pub(super) struct Seats {
    /// All that the compositor has was told once.
    pub complete: bool,
    /// Input began again since this was last taken back.
    pub resumed: bool,
    /// A seat with a film on it is never called idle.
    pub heeds_inhibitors: bool,
    seats: Vec<Seat>,
    notifier: Option<ExtIdleNotifierV1>,
    kde: Option<OrgKdeKwinIdle>,
}

#[derive(Debug)]
struct Seat {
    name: u32,
    proxy: WlSeat,
    watched: bool,
    /// When its last input was; absent while it is in use.
    idle_since: Option<Instant>,
}

impl Seats {
    /// Whether input can be missed on no seat.
    pub fn can_tell(&self) -> bool {
        (self.notifier.is_some() || self.kde.is_some()) && !self.seats.is_empty()
    }

    /// The last input on any seat; absent while one is in use.
    pub fn last_input(&self) -> Option<Instant> {
        let each = self.seats.iter().map(|seat| seat.idle_since);
        each.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// Asks to be told of every seat that is not watched yet.
    pub fn watch(&mut self, handle: &QueueHandle<Self>) {
        let limit = u32::try_from(IDLE_AFTER.as_millis()).unwrap_or(u32::MAX);
        for seat in self.seats.iter_mut().filter(|seat| !seat.watched) {
            seat.watched = true;
            if let Some(notifier) = &self.notifier {
                if wayland_client::Proxy::version(notifier) >= 2 {
                    notifier.get_input_idle_notification(limit, &seat.proxy, handle, seat.name);
                } else {
                    self.heeds_inhibitors = true;
                    notifier.get_idle_notification(limit, &seat.proxy, handle, seat.name);
                }
            } else if let Some(kde) = &self.kde {
                self.heeds_inhibitors = true;
                kde.get_idle_timeout(&seat.proxy, limit, handle, seat.name);
            }
        }
    }

    fn idled(&mut self, name: u32) {
        let now = Instant::now();
        for seat in self.seats.iter_mut().filter(|seat| seat.name == name) {
            seat.idle_since = Some(now.checked_sub(IDLE_AFTER).unwrap_or(now));
        }
    }

    fn resumed(&mut self, name: u32) {
        self.resumed = true;
        for seat in self.seats.iter_mut().filter(|seat| seat.name == name) {
            seat.idle_since = None;
        }
    }
}

impl Dispatch<WlRegistry, ()> for Seats {
    fn event(
        this: &mut Self,
        registry: &WlRegistry,
        event: wl_registry::Event,
        (): &(),
        _: &Connection,
        handle: &QueueHandle<Self>,
    ) {
        match event {
            wl_registry::Event::Global {
                name,
                interface,
                version,
            } => match interface.as_str() {
                "wl_seat" => {
                    this.seats.push(Seat {
                        name,
                        proxy: registry.bind(name, 1, handle, ()),
                        watched: false,
                        idle_since: None,
                    });
                    if this.complete {
                        this.watch(handle);
                    }
                }
                "ext_idle_notifier_v1" => {
                    this.notifier = Some(registry.bind(name, version.min(2), handle, ()));
                }
                "org_kde_kwin_idle" => this.kde = Some(registry.bind(name, 1, handle, ())),
                _ => {}
            },
            wl_registry::Event::GlobalRemove { name } => {
                this.seats.retain(|seat| seat.name != name);
            }
            _ => {}
        }
    }
}

impl Dispatch<WlCallback, ()> for Seats {
    fn event(
        this: &mut Self,
        _: &WlCallback,
        _: wl_callback::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        this.complete = true;
    }
}

impl Dispatch<ExtIdleNotificationV1, u32> for Seats {
    fn event(
        this: &mut Self,
        _: &ExtIdleNotificationV1,
        event: ext_idle_notification_v1::Event,
        seat: &u32,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            ext_idle_notification_v1::Event::Idled => this.idled(*seat),
            ext_idle_notification_v1::Event::Resumed => this.resumed(*seat),
            _ => {}
        }
    }
}

impl Dispatch<OrgKdeKwinIdleTimeout, u32> for Seats {
    fn event(
        this: &mut Self,
        _: &OrgKdeKwinIdleTimeout,
        event: org_kde_kwin_idle_timeout::Event,
        seat: &u32,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            org_kde_kwin_idle_timeout::Event::Idle => this.idled(*seat),
            org_kde_kwin_idle_timeout::Event::Resumed => this.resumed(*seat),
            _ => {}
        }
    }
}

wayland_client::delegate_noop!(Seats: ignore WlSeat);
wayland_client::delegate_noop!(Seats: ExtIdleNotifierV1);
wayland_client::delegate_noop!(Seats: OrgKdeKwinIdle);
