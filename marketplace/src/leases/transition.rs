//! What a rig may say of a lease after what it said before.
//!
//! A rig is heard every few seconds only, so it may skip states, but it never goes back: the one pair that goes
//! both ways is running and paused. A repeat of the same state is always fine. `verified`, `settled` and `lost`
//! are not the rig's to say.

use LeaseState::{
    Accepted, Failed, Finished, Lost, Offered, Paused, Pulling, Reclaiming, Refused, Running,
    Settled, Starting, Uploading, Verified,
};
use sublet_protocol::lease::LeaseState;

/// Whether a rig may report `next` of a lease that stands at `now`.
pub fn may_follow(now: LeaseState, next: LeaseState) -> bool {
    if now == next {
        return !matches!(next, Verified | Settled | Lost);
    }
    match now {
        Offered => matches!(
            next,
            Accepted
                | Pulling
                | Starting
                | Running
                | Paused
                | Reclaiming
                | Uploading
                | Finished
                | Failed
                | Refused
        ),
        Accepted => matches!(
            next,
            Pulling
                | Starting
                | Running
                | Paused
                | Reclaiming
                | Uploading
                | Finished
                | Failed
                | Refused
        ),
        Pulling => matches!(
            next,
            Starting | Running | Paused | Reclaiming | Uploading | Finished | Failed
        ),
        Starting => matches!(
            next,
            Running | Paused | Reclaiming | Uploading | Finished | Failed
        ),
        Running => matches!(next, Paused | Reclaiming | Uploading | Finished | Failed),
        Paused => matches!(next, Running | Reclaiming | Uploading | Finished | Failed),
        Reclaiming => matches!(next, Uploading | Finished | Failed),
        Uploading => matches!(next, Finished | Failed),
        Finished | Verified | Settled | Failed | Refused | Lost => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [LeaseState; 14] = [
        Offered, Accepted, Pulling, Starting, Running, Paused, Reclaiming, Uploading, Finished,
        Verified, Settled, Failed, Refused, Lost,
    ];

    /// Every cell, row by row: `y` where the column may follow the row.
    const TABLE: [&str; 14] = [
        "yyyyyyyyy..yy.", // offered
        ".yyyyyyyy..yy.", // accepted
        "..yyyyyyy..y..", // pulling
        "...yyyyyy..y..", // starting
        "....yyyyy..y..", // running
        "....yyyyy..y..", // paused
        "......yyy..y..", // reclaiming
        ".......yy..y..", // uploading
        "........y.....", // finished
        "..............", // verified
        "..............", // settled
        "...........y..", // failed
        "............y.", // refused
        "..............", // lost
    ];

    #[test]
    fn every_cell_of_the_table_is_as_written() {
        for (now, row) in ALL.into_iter().zip(TABLE) {
            for (next, cell) in ALL.into_iter().zip(row.chars()) {
                assert_eq!(
                    may_follow(now, next),
                    cell == 'y',
                    "{} after {}",
                    next.name(),
                    now.name()
                );
            }
        }
    }

    #[test]
    fn nothing_follows_a_rig_s_last_word() {
        for now in ALL.into_iter().filter(|s| s.is_over_for_rig()) {
            for next in ALL.into_iter().filter(|next| *next != now) {
                assert!(!may_follow(now, next));
            }
        }
    }
}
