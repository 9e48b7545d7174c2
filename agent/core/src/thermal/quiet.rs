//! What quiet bounds leave of a card, and of its score.

use super::duty;
use crate::facts::PowerRange;
use crate::settings::Quiet;
use sublet_protocol::gpu::BenchScore;

/// The score that a GPU offers under quiet bounds: the measured one times the share of the factory's power that is
/// allowed (or, where no limit can be set, the share of the time).
///
/// A lower bound, not a measurement. Work per second rises with the clock, while power rises with the clock times the
/// square of a voltage that rises with it too, so near the factory's limit the last watts buy the least: half of the
/// power leaves far more than half of the speed. It would not hold where most of the power were drawn at rest, which
/// is why [`Quiet::power_percent`] begins at 30 and no limit goes below the card's own lowest. A benchmark that was
/// run under the limit is better than this. A fan ceiling promises nothing by itself: what it costs depends on the
/// room, as heat does without it.
pub fn quiet_score(score: BenchScore, quiet: &Quiet, range: Option<PowerRange>) -> BenchScore {
    let (allowed, whole) = match range.filter(|range| range.default_mw > 0) {
        Some(range) => (ceiling_mw(quiet, range), range.default_mw),
        None => (u32::from(duty::most_tenths(quiet)), 10),
    };
    let allowed = allowed.min(whole);
    let part = |figure: u64| {
        let part = u128::from(figure) * u128::from(allowed) / u128::from(whole);
        u64::try_from(part).unwrap_or(figure)
    };
    BenchScore {
        score: u32::try_from(part(score.score.into())).unwrap_or(score.score),
        fp32_mflops: part(score.fp32_mflops),
        bandwidth_mb_s: part(score.bandwidth_mb_s),
    }
}

/// The most power that quiet bounds allow, in mW; never below what the card takes.
pub(super) fn ceiling_mw(quiet: &Quiet, range: PowerRange) -> u32 {
    percent_mw(range, quiet.power_percent.into()).max(range.lowest_mw)
}

pub(super) fn percent_mw(range: PowerRange, percent: i64) -> u32 {
    let part = i64::from(range.default_mw) * percent / 100;
    u32::try_from(part).unwrap_or(0)
}
