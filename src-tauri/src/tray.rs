//! The icon in the tray: the state as a shape, today's earnings, and what the owner does most.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::Method;
use sublet_protocol::local::{PauseRequest, Status};
use sublet_protocol::reason::RigState;
use tauri::menu::{Menu, MenuBuilder, MenuItem, MenuItemBuilder, PredefinedMenuItem};
use tauri::tray::{MouseButton, TrayIcon, TrayIconBuilder, TrayIconEvent};
use tauri::{AppHandle, Manager, Wry};
use tokio::sync::watch;

use crate::agent::Agent;
use crate::mark::mark;
use crate::notices;
use crate::preferences::Kept;
use crate::starter::Absence;
use crate::watch::{Seen, Trouble};
use crate::window;
use crate::words::{Words, with};

const HOUR_MS: u64 = 3_600_000;
/// Longer lines make trays unwieldy.
const LINE_MAX: usize = 72;
/// A desktop that starts together with this may need a while until it has a place for icons.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// From so many vain tries on, about a quarter of a minute, there is no place.
const TRIES: u32 = 4;

/// Whether the desktop has a place for the icon.
#[derive(Default)]
pub struct Place {
    absent: AtomicBool,
}

impl Place {
    /// As far as is known.
    pub fn is_there(&self) -> bool {
        !self.absent.load(Ordering::Relaxed)
    }
}

/// The menu's lines that change.
struct Lines {
    state: MenuItem<Wry>,
    today: MenuItem<Wry>,
    pause: [MenuItem<Wry>; 3],
    resume: MenuItem<Wry>,
    open: MenuItem<Wry>,
    quit: MenuItem<Wry>,
}

/// What the tray shows for a moment.
#[derive(Debug, PartialEq, Eq)]
struct Face {
    state: Option<RigState>,
    sentence: String,
    today: String,
    /// Whether it can be paused, and resumed.
    pause: bool,
    resume: bool,
    quit: &'static str,
}

/// Puts the icon into the tray and keeps it true. Where there is no tray, that is told once, and tried again for as
/// long as the shell runs: a tray may come later.
pub fn put(app: &AppHandle, mut seen: watch::Receiver<Seen>) {
    let app = app.clone();
    let mut spoken = app.state::<Kept>().spoken();
    tauri::async_runtime::spawn(async move {
        let (tray, lines) = built(&app).await;
        let mut shown = None;
        loop {
            let words = Words::of(*spoken.borrow_and_update());
            let face = face(&seen.borrow_and_update(), words);
            let now = (face, words.open);
            if shown.as_ref() != Some(&now) {
                if let Err(error) = show(&tray, &lines, &now.0, words) {
                    tracing::warn!(%error, "the tray could not be brought up to date");
                }
                shown = Some(now);
            }
            tokio::select! {
                changed = seen.changed() => if changed.is_err() { return },
                changed = spoken.changed() => if changed.is_err() { return },
            }
        }
    });
}

async fn built(app: &AppHandle) -> (TrayIcon, Lines) {
    let place = app.state::<Place>();
    let mut pause = FIRST_PAUSE;
    let mut tries = 0;
    loop {
        match build(app) {
            Ok(built) => {
                place.absent.store(false, Ordering::Relaxed);
                return built;
            }
            Err(error) => {
                tries += 1;
                if tries == TRIES {
                    place.absent.store(true, Ordering::Relaxed);
                    tracing::warn!(%error, "this desktop shows no tray icon; start Sublet again to get its window");
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The window was closed. Where no icon is left to see, the owner is told once how to get it back.
pub fn without(app: &AppHandle) {
    let kept = app.state::<Kept>();
    if !app.state::<Place>().is_there() && kept.tell_of_no_tray() {
        let words = kept.words();
        notices::show_soon(words.goes_on.to_owned(), words.no_tray.to_owned());
    }
}

fn build(app: &AppHandle) -> tauri::Result<(TrayIcon, Lines)> {
    let words = app.state::<Kept>().words();
    let item = |id: &str, text: &str| MenuItemBuilder::with_id(id, text).build(app);
    let told = |id: &str, text: &str| MenuItemBuilder::with_id(id, text).enabled(false).build(app);
    let lines = Lines {
        state: told("state", words.looking)?,
        today: told("today", words.today_unknown)?,
        pause: [
            item("pause-hour", words.pause_hour)?,
            item("pause-tomorrow", words.pause_tomorrow)?,
            item("pause", words.pause)?,
        ],
        resume: item("resume", words.resume)?,
        open: item("open", words.open)?,
        quit: item("quit", words.quit_away)?,
    };
    let line = || PredefinedMenuItem::separator(app);
    let menu: Menu<Wry> = MenuBuilder::new(app)
        .items(&[&lines.state, &lines.today, &line()?])
        .items(&[
            &lines.pause[0],
            &lines.pause[1],
            &lines.pause[2],
            &lines.resume,
        ])
        .items(&[&line()?, &lines.open, &lines.quit])
        .build()?;
    let tray = TrayIconBuilder::with_id("sublet")
        .icon(mark(None))
        .title("Sublet")
        .tooltip("Sublet")
        .menu(&menu)
        .show_menu_on_left_click(false)
        .on_menu_event(|app, event| chosen(app, event.id().as_ref()))
        .on_tray_icon_event(|tray, event| {
            if let TrayIconEvent::Click {
                button: MouseButton::Left,
                ..
            } = event
            {
                window::show(tray.app_handle());
            }
        })
        .build(app)?;
    Ok((tray, lines))
}

fn show(tray: &TrayIcon, lines: &Lines, face: &Face, words: &Words) -> tauri::Result<()> {
    tray.set_icon(Some(mark(face.state)))?;
    tray.set_tooltip(Some(&face.sentence))?;
    lines.state.set_text(&face.sentence)?;
    lines.today.set_text(&face.today)?;
    let texts = [words.pause_hour, words.pause_tomorrow, words.pause];
    for (line, text) in lines.pause.iter().zip(texts) {
        line.set_text(text)?;
        line.set_enabled(face.pause)?;
    }
    lines.resume.set_text(words.resume)?;
    lines.resume.set_enabled(face.resume)?;
    lines.open.set_text(words.open)?;
    lines.quit.set_text(face.quit)
}

fn face(seen: &Seen, words: &'static Words) -> Face {
    match &seen.status {
        None => Face {
            state: None,
            sentence: shortened(&away(seen.trouble.as_ref(), words)),
            today: words.today_unknown.to_owned(),
            pause: false,
            resume: false,
            quit: words.quit_away,
        },
        Some(status) => of(status, words),
    }
}

fn away(trouble: Option<&Trouble>, words: &Words) -> String {
    match trouble {
        None => words.looking.to_owned(),
        Some(Trouble::Absent(Absence::Starting)) => words.starting.to_owned(),
        Some(Trouble::Absent(Absence::Hangs)) => words.hangs.to_owned(),
        Some(Trouble::Absent(Absence::Ended(last))) => with(words.ended, last),
        Some(Trouble::Absent(Absence::Refused(why))) => with(words.refused, why),
        Some(Trouble::Talk(why)) => with(words.talk, why),
    }
}

fn of(status: &Arc<Status>, words: &'static Words) -> Face {
    let paused = status.pause.is_some();
    Face {
        state: Some(status.state),
        sentence: if words.agents {
            shortened(&status.sentence)
        } else {
            words.state(status.state).to_owned()
        },
        today: with(words.today, &status.today.to_string()),
        pause: !paused,
        resume: paused,
        // The agent is a program of its own.
        quit: if status.state == RigState::Renting {
            words.quit_running
        } else {
            words.quit
        },
    }
}

/// Whole words, up to what a tray can show.
fn shortened(sentence: &str) -> String {
    if sentence.chars().count() <= LINE_MAX {
        return sentence.to_owned();
    }
    let mut short = String::new();
    for word in sentence.split(' ') {
        if short.chars().count() + word.chars().count() + 2 > LINE_MAX {
            break;
        }
        short.push_str(word);
        short.push(' ');
    }
    format!("{}…", short.trim_end().trim_end_matches(['.', ',']))
}

fn chosen(app: &AppHandle, id: &str) {
    match id {
        "open" => window::show(app),
        "quit" => app.exit(0),
        "resume" => ask(app, Method::DELETE, None),
        "pause" => ask(app, Method::PUT, Some(pause(None, None))),
        "pause-hour" => ask(app, Method::PUT, Some(pause(Some(HOUR_MS), None))),
        "pause-tomorrow" => ask(app, Method::PUT, Some(until_tomorrow())),
        _ => {}
    }
}

fn pause(for_ms: Option<u64>, until_ms: Option<u64>) -> PauseRequest {
    PauseRequest {
        for_ms,
        until_ms,
        gpu: None,
    }
}

/// Until 00:00 of the owner's next day. A calendar that cannot say when that is gives a pause of a day.
fn until_tomorrow() -> PauseRequest {
    let until = jiff::Zoned::now()
        .tomorrow()
        .and_then(|then| then.start_of_day())
        .ok()
        .and_then(|then| u64::try_from(then.timestamp().as_millisecond()).ok());
    match until {
        Some(until_ms) => pause(None, Some(until_ms)),
        None => pause(Some(24 * HOUR_MS), None),
    }
}

fn ask(app: &AppHandle, method: Method, request: Option<PauseRequest>) {
    let agent = app.state::<Agent>().inner().clone();
    tauri::async_runtime::spawn(async move {
        let body = match request
            .map(|request| serde_json::to_vec(&request))
            .transpose()
        {
            Ok(body) => body.unwrap_or_default(),
            Err(error) => return tracing::error!(%error, "the wish could not be written down"),
        };
        match agent.call(method, "pause", body).await {
            Ok(answer) if answer.status < 300 => {}
            Ok(answer) => {
                let said = String::from_utf8_lossy(&answer.body).into_owned();
                tracing::error!(said, "the agent did not take the wish from the tray");
            }
            Err(error) => tracing::error!(%error, "the wish from the tray did not reach the agent"),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Language;

    #[test]
    fn a_long_sentence_ends_at_a_word() {
        let long = "Yours while you play. Renting again 5 minutes after the game closes, or when you say so.";
        let short = shortened(long);
        assert!(
            short.chars().count() <= LINE_MAX && short.ends_with('…'),
            "{short}"
        );
        assert!(long.starts_with(short.trim_end_matches('…')), "{short}");
        assert_eq!(shortened("Ready."), "Ready.");
    }

    #[test]
    fn tomorrow_is_at_most_a_day_and_an_hour_away() {
        let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap();
        let until = until_tomorrow().until_ms.unwrap();
        assert!(until > now && until - now <= 25 * HOUR_MS);
    }

    #[test]
    fn an_absent_agent_has_a_face_of_its_own() {
        let seen = |trouble| Seen {
            status: None,
            trouble: Some(Trouble::Absent(trouble)),
        };
        let english = Words::of(Language::English);
        let starting = face(&seen(Absence::Starting), english);
        assert_eq!(starting.state, None);
        assert_eq!(starting.sentence, "The agent is being started");
        assert!(!starting.pause && !starting.resume);
        let ended = seen(Absence::Ended("no marketplace is named".into()));
        assert_eq!(
            face(&ended, Words::of(Language::German)).sentence,
            "Der Agent ist beendet: no marketplace is named"
        );
    }
}
