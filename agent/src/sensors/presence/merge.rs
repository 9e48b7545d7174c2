//! One picture of what every source sees.
//!
//! The freshest input of any source counts, and one source that covers the desk is enough. A source that stops
//! answering makes the picture older, it does not make it vanish: whoever reads it decides how old is too old.

use std::time::{Duration, Instant};

use sublet_core::facts::{Aged, FRESH_MS, OwnerFacts, Session, Touch, Watching, WatchingHow};

use super::board::{SeatSeen, Sight, SourceState, TouchSeen};

pub(super) fn merge(sights: &[Sight], now: Instant) -> OwnerFacts {
    let nobody_can = no_seat(sights);
    OwnerFacts {
        touch: touch(sights, nobody_can, now),
        session: session(sights, now)
            .or_else(|| nobody_can.map(|read_at| aged(Session::default(), read_at, now))),
        watching: watching(sights, now)
            .or_else(|| nobody_can.map(|read_at| aged(Vec::new(), read_at, now))),
    }
}

fn aged<T>(value: T, read_at: Instant, now: Instant) -> Aged<T> {
    Aged {
        value,
        age_ms: millis(now.saturating_duration_since(read_at)),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// When it was last seen that there is nothing to sit at: every source has looked, those that look for a seat found
/// none, and none that shows one is there.
fn no_seat(sights: &[Sight]) -> Option<Instant> {
    if sights
        .iter()
        .any(|sight| sight.state == SourceState::Looking)
    {
        return None;
    }
    let seats = || sights.iter().filter_map(|sight| sight.seat);
    if seats().any(|SeatSeen { there, .. }| there) {
        return None;
    }
    seats().map(|seat| seat.read_at).min()
}

/// A source of gamepads or remote sessions says when somebody was here, not that nobody was: the age of the whole is
/// that of the youngest reading that covers the desk.
fn touch(sights: &[Sight], no_seat: Option<Instant>, now: Instant) -> Option<Aged<Touch>> {
    let seen = || sights.iter().filter_map(|sight| sight.touch);
    let covered = seen().filter(|touch| touch.covers_desk);
    let read_at = covered.map(|touch| touch.read_at).max().max(no_seat)?;
    let value = match seen().max_by_key(|touch| touch.last) {
        // As it was at the time of the reading, which the age brings up to date.
        Some(TouchSeen { last, by, .. }) => Touch::Ago {
            idle_ms: millis(read_at.saturating_duration_since(last)),
            by,
        },
        None => Touch::NoSeat,
    };
    Some(aged(value, read_at, now))
}

/// What any source of the last while says; the last word of all where none has spoken for long.
fn session(sights: &[Sight], now: Instant) -> Option<Aged<Session>> {
    let seen = || sights.iter().filter_map(|sight| sight.session);
    let newest = seen().map(|session| session.read_at).max()?;
    let current = || {
        seen().filter(move |session| {
            newest.duration_since(session.read_at) <= Duration::from_millis(FRESH_MS)
        })
    };
    let session = Session {
        locked: current().any(|seen| seen.locked == Some(true)),
        remote: current().any(|seen| seen.remote == Some(true)),
        display_off: current().any(|seen| seen.display_off == Some(true)),
    };
    Some(aged(session, newest, now))
}

/// Each source sees other programs, so the whole is as old as the oldest of them.
fn watching(sights: &[Sight], now: Instant) -> Option<Aged<Vec<Watching>>> {
    let seen = || sights.iter().filter_map(|sight| sight.watching.as_ref());
    let oldest = seen().map(|watching| watching.read_at).min()?;
    let mut what: Vec<Watching> = seen().flat_map(|seen| seen.what.clone()).collect();
    what.sort_by(|a, b| (order(a.how), &a.program).cmp(&(order(b.how), &b.program)));
    what.dedup();
    Some(aged(what, oldest, now))
}

fn order(how: WatchingHow) -> u8 {
    match how {
        WatchingHow::FullScreen => 0,
        WatchingHow::Inhibits => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::presence::board::{SessionSeen, WatchingSeen};
    use sublet_core::facts::InputKind::{self, Desk, Gamepad, Remote};

    const S: Duration = Duration::from_secs(1);

    fn start() -> Instant {
        Instant::now() + 1_000_000 * S
    }

    fn works(name: &'static str) -> Sight {
        Sight {
            state: SourceState::Works(String::new()),
            ..Sight::new(name)
        }
    }

    fn touched(read_at: Instant, last: Instant, by: InputKind, covers_desk: bool) -> Sight {
        Sight {
            touch: Some(TouchSeen {
                read_at,
                last,
                by,
                covers_desk,
            }),
            ..works("a source")
        }
    }

    fn seat(read_at: Instant, there: bool) -> Sight {
        Sight {
            seat: Some(SeatSeen { read_at, there }),
            ..works("seat")
        }
    }

    fn ago(idle: Duration, by: InputKind) -> Touch {
        Touch::Ago {
            idle_ms: millis(idle),
            by,
        }
    }

    #[test]
    fn the_freshest_input_of_any_source_counts() {
        let now = start();
        let keyboard = touched(now, now - 300 * S, Desk, true);
        let wheel = touched(now, now - 2 * S, Gamepad, false);
        let facts = merge(&[keyboard.clone(), wheel], now);
        assert_eq!(facts.touch, Some(Aged::now(ago(2 * S, Gamepad))));

        let ssh = touched(now - 5 * S, now - 400 * S, Remote, false);
        let facts = merge(&[ssh, keyboard], now);
        assert_eq!(facts.touch, Some(Aged::now(ago(300 * S, Desk))));
    }

    #[test]
    fn a_gamepad_alone_does_not_tell_that_nobody_types() {
        let now = start();
        let wheel = touched(now, now - 900 * S, Gamepad, false);
        assert_eq!(merge(&[wheel], now).touch, None);
    }

    #[test]
    fn one_source_that_covers_the_desk_is_enough() {
        let now = start();
        let dead = touched(now - 60 * S, now - 70 * S, Desk, true);
        let alive = touched(now - S, now - 301 * S, Desk, true);
        let facts = merge(&[dead, alive], now).touch.unwrap();
        // What the dead one heard stays true.
        assert_eq!((facts.age_ms, facts.value), (1_000, ago(69 * S, Desk)));
    }

    #[test]
    fn a_source_that_fails_makes_the_reading_age() {
        let now = start();
        let only = touched(now, now - 5 * S, Desk, true);
        let later = merge(&[only], now + 30 * S).touch.unwrap();
        assert_eq!((later.age_ms, later.value), (30_000, ago(5 * S, Desk)));
        assert_eq!(later.fresh(), None);
    }

    #[test]
    fn a_machine_without_anything_to_sit_at_is_known_once_every_source_has_looked() {
        let now = start();
        let nothing = merge(&[seat(now, false)], now + S);
        let at = |value| Aged {
            value,
            age_ms: 1_000,
        };
        assert_eq!(nothing.touch, Some(at(Touch::NoSeat)));
        assert_eq!(nothing.session.unwrap().value, Session::default());
        assert_eq!(nothing.watching.unwrap().value, Vec::new());

        let looking = Sight::new("x11");
        assert_eq!(
            merge(&[seat(now, false), looking], now),
            OwnerFacts::default()
        );
        let display = seat(now, true);
        assert_eq!(merge(&[seat(now, false), display], now).touch, None);
        // Somebody who came over the network was here, seat or not.
        let ssh = touched(now, now - 9 * S, Remote, false);
        let facts = merge(&[seat(now, false), ssh], now);
        assert_eq!(facts.touch, Some(Aged::now(ago(9 * S, Remote))));
    }

    #[test]
    fn with_no_source_at_all_nothing_is_known() {
        assert_eq!(merge(&[], start()), OwnerFacts::default());
        assert_eq!(merge(&[works("logind")], start()), OwnerFacts::default());
    }

    #[test]
    fn what_any_source_says_of_the_session_counts_while_it_is_current() {
        let now = start();
        let session = |read_at, locked, display_off| Sight {
            session: Some(SessionSeen {
                locked,
                display_off,
                ..SessionSeen::nothing(read_at)
            }),
            ..works("a source")
        };
        let both = [
            session(now - 4 * S, Some(true), None),
            session(now, None, Some(true)),
        ];
        let told = merge(&both, now).session.unwrap();
        assert_eq!(told.age_ms, 0);
        assert!(told.value.locked && told.value.display_off && !told.value.remote);

        let stale = [
            session(now - 60 * S, Some(true), None),
            session(now, None, Some(false)),
        ];
        assert_eq!(
            merge(&stale, now).session.unwrap().value,
            Session::default()
        );
    }

    #[test]
    fn what_is_watched_is_everything_that_any_source_sees_and_as_old_as_the_oldest() {
        let now = start();
        let film = |program: &str, how| Watching {
            program: program.into(),
            how,
        };
        let sees = |read_at, what| Sight {
            watching: Some(WatchingSeen { read_at, what }),
            ..works("a source")
        };
        let mpv = film("mpv", WatchingHow::Inhibits);
        let game = film("game", WatchingHow::FullScreen);
        let sights = [
            sees(now - 3 * S, vec![mpv.clone()]),
            sees(now, vec![mpv.clone(), game.clone()]),
        ];
        let watching = merge(&sights, now).watching.unwrap();
        assert_eq!((watching.age_ms, watching.value), (3_000, vec![game, mpv]));
    }
}
