//! The windows on a display, as a window manager knows them.

use crate::screen::Screen;
use crate::wait::until;
use std::time::Duration;
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{
    Atom, AtomEnum, ClientMessageEvent, ConnectionExt as _, EventMask, MapState,
};

/// A window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// X's number for it.
    pub id: u32,
    /// What stands over it.
    pub title: String,
    /// Whether it is to be seen.
    pub shown: bool,
    /// Whether it has the keyboard.
    pub active: bool,
}

impl Screen {
    /// All of them, panels and desktops too.
    pub fn windows(&self) -> Vec<Window> {
        let active = self.words(self.root, "_NET_ACTIVE_WINDOW");
        let list = self.words(self.root, "_NET_CLIENT_LIST");
        list.into_iter()
            .filter_map(|id| {
                // It may go while it is looked at.
                let attributes = self.connection.get_window_attributes(id).ok()?;
                let shown = attributes.reply().ok()?.map_state == MapState::VIEWABLE;
                Some(Window {
                    id,
                    title: self.text(id, "_NET_WM_NAME"),
                    shown,
                    active: active.first() == Some(&id),
                })
            })
            .collect()
    }

    /// Waits for a shown window whose title ends so.
    #[track_caller]
    pub fn until_window(
        &self,
        what: &str,
        within: Duration,
        wanted: impl Fn(&Window) -> bool,
    ) -> Window {
        until(what, within, || {
            let windows = self.windows();
            let found = windows.iter().find(|window| wanted(window)).cloned();
            found.ok_or(format!("{windows:?}"))
        })
    }

    /// Asks a window to close, as its close button does.
    #[track_caller]
    pub fn close(&self, window: &Window) {
        self.ask(window.id, "_NET_CLOSE_WINDOW", 0);
    }

    /// Makes a window an icon.
    #[track_caller]
    pub fn put_away(&self, window: &Window) {
        self.ask(window.id, "WM_CHANGE_STATE", 3);
    }

    fn ask(&self, window: u32, message: &str, word: u32) {
        let event = ClientMessageEvent::new(32, window, self.atom(message), [word, 0, 0, 0, 0]);
        let mask = EventMask::SUBSTRUCTURE_REDIRECT | EventMask::SUBSTRUCTURE_NOTIFY;
        self.connection
            .send_event(false, self.root, mask, event)
            .unwrap()
            .check()
            .unwrap();
        self.connection.flush().unwrap();
    }

    fn atom(&self, name: &str) -> Atom {
        let cookie = self.connection.intern_atom(false, name.as_bytes()).unwrap();
        cookie.reply().unwrap().atom
    }

    fn words(&self, window: u32, property: &str) -> Vec<u32> {
        let property = self.atom(property);
        let cookie = self
            .connection
            .get_property(false, window, property, AtomEnum::WINDOW, 0, 1024)
            .unwrap();
        let Ok(reply) = cookie.reply() else {
            return Vec::new();
        };
        reply.value32().map(Iterator::collect).unwrap_or_default()
    }

    fn text(&self, window: u32, property: &str) -> String {
        let (property, kind) = (self.atom(property), self.atom("UTF8_STRING"));
        let cookie = self
            .connection
            .get_property(false, window, property, kind, 0, 1024)
            .unwrap();
        cookie
            .reply()
            .map(|reply| String::from_utf8_lossy(&reply.value).into_owned())
            .unwrap_or_default()
    }
}
