//! An X11 display: how long nobody has touched it, what fills it, whether it is off; and, while listening, every
//! touch as it happens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::time::sleep_until;
use x11rb::connection::Connection as _;
use x11rb::protocol::Event;

use super::x11_display::{Display, NoDisplay};
use super::x11_reach::Reach;
use super::{DEAF, LOOK_AGAIN, Senses, Surroundings, ago};
use crate::sensors::presence::board::{Post, SessionSeen};

pub(super) async fn run(post: Post, here: Arc<Surroundings>, mut senses: Senses) {
    loop {
        match Display::open(&here) {
            Ok(display) => {
                let why = follow(&display, &post, &mut senses).await;
                tracing::debug!(%why, "the X display has gone");
                // It may be back in a moment, or gone for good: the next try tells.
                post.fails(format!("Display {} does not answer: {why}.", display.name));
                senses.beats(1).await;
                continue;
            }
            Err(NoDisplay::None(why)) => post.not_here(why),
            Err(NoDisplay::Refused(why)) => {
                post.seat(true);
                post.fails(why);
            }
        }
        senses.beats(LOOK_AGAIN).await;
    }
}

/// Until it fails; why it did.
async fn follow(display: &Display, post: &Post, senses: &mut Senses) -> String {
    match try_follow(display, post, senses).await {
        Ok(never) => match never {},
        Err(why) => why.to_string(),
    }
}

type Problem = Box<dyn std::error::Error>;

async fn try_follow(
    display: &Display,
    post: &Post,
    senses: &mut Senses,
) -> Result<std::convert::Infallible, Problem> {
    let socket = UnixStream::from_std(display.socket()?)?;
    let mut selected = false;
    let mut deaf_until: Option<Instant> = None;
    look(display, post)?;
    loop {
        let now = Instant::now();
        deaf_until = deaf_until.filter(|end| *end > now);
        let want = senses.listening() && deaf_until.is_none();
        if want != selected {
            display.select_input(want)?;
            selected = want;
        }
        if heard(display)? && want {
            post.heard(display.reach.hands());
            deaf_until = Some(Instant::now() + DEAF);
            continue;
        }
        tokio::select! {
            _ = senses.pulse.changed() => look(display, post)?,
            _ = senses.ears.changed() => {}
            () = sleep_until(deaf_until.unwrap_or(now).into()), if deaf_until.is_some() => {
                // What happened in between is found by its time.
                look(display, post)?;
            }
            ready = socket.readable() => {
                ready?;
                arrived(&socket);
            }
        }
    }
}

/// What has arrived is read by x11rb, through its own handle of the socket, until nothing is left; so nothing is
/// left.
pub(super) fn arrived(socket: &UnixStream) {
    let _ = socket.try_io(Interest::READABLE, || -> std::io::Result<()> {
        Err(std::io::ErrorKind::WouldBlock.into())
    });
}

/// Whether anything was touched, among what has arrived.
fn heard(display: &Display) -> Result<bool, Problem> {
    let mut heard = false;
    while let Some(event) = display.connection.poll_for_event()? {
        heard |= matches!(
            event,
            Event::XinputRawKeyPress(_)
                | Event::XinputRawKeyRelease(_)
                | Event::XinputRawButtonPress(_)
                | Event::XinputRawButtonRelease(_)
                | Event::XinputRawMotion(_)
                | Event::XinputRawTouchBegin(_)
                | Event::XinputRawTouchUpdate(_)
                | Event::XinputRawTouchEnd(_)
        );
    }
    Ok(heard)
}

fn look(display: &Display, post: &Post) -> Result<(), Problem> {
    let seen = display.look()?;
    let covers_desk = display.reach == Reach::Desk;
    post.touch(ago(seen.idle), display.reach.hands(), covers_desk);
    // A display in memory is nothing to sit at.
    if display.reach != Reach::Detached {
        post.seat(true);
    }
    post.session(SessionSeen {
        display_off: seen.off,
        remote: Some(display.reach == Reach::Elsewhere),
        ..SessionSeen::nothing(Instant::now())
    });
    let mut sees = format!(
        "Display {}: last input {} s ago.",
        display.name,
        seen.idle.as_secs()
    );
    if let Some(full) = &seen.full_screen {
        sees.push_str(&format!(" {} fills the screen.", full.program));
    }
    sees.push_str(display.reach.limits());
    post.watching(seen.full_screen.into_iter().collect());
    post.works(sees);
    Ok(())
}

/// What one look at a display shows.
#[derive(Debug)]
pub(super) struct Seen {
    pub idle: Duration,
    /// Absent where the display does not manage power.
    pub off: Option<bool>,
    pub full_screen: Option<sublet_core::facts::Watching>,
}
