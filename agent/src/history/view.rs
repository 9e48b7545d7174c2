//! The timeline, and its days and weeks.

use super::calendar::Day;
use std::collections::BTreeMap;
use sublet_core::history::{gapless, totals};
use sublet_protocol::ids::GpuId;
use sublet_protocol::local::history::{Electricity, GpuHistory, History, Segment, Total};
use sublet_protocol::money::MicroUsd;

/// What was recorded over some days.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recorded {
    /// By GPU, as it was stored, and what is not stored yet.
    pub segments: BTreeMap<GpuId, Vec<Segment>>,
    /// Gross and fee of each day, by the ledger.
    pub earned: Vec<(MicroUsd, MicroUsd)>,
    /// What electricity took each day.
    pub electricity: Vec<Option<Electricity>>,
    /// When the first thing was recorded.
    pub begins_ms: Option<u64>,
    /// Why recording stands still.
    pub problem: Option<String>,
}

/// Puts it together. `days` are the days of `recorded`, `names` the GPUs in the machine.
pub fn view(
    recorded: Recorded,
    days: &[Day],
    names: &BTreeMap<GpuId, String>,
    now_ms: u64,
) -> History {
    let from_ms = days.first().map_or(now_ms, |day| day.from_ms);
    let mut segments = recorded.segments;
    for gpu in names.keys() {
        segments.entry(gpu.clone()).or_default();
    }
    // A GPU that was taken out long ago has nothing to show here.
    segments.retain(|gpu, of| names.contains_key(gpu) || !of.is_empty());
    let gpus: Vec<GpuHistory> = segments
        .into_iter()
        .map(|(gpu, of)| GpuHistory {
            name: names
                .get(&gpu)
                .cloned()
                .unwrap_or_else(|| gpu.as_str().to_owned()),
            segments: gapless(of, from_ms, now_ms),
            gpu,
        })
        .collect();
    let earned = recorded
        .earned
        .into_iter()
        .chain(std::iter::repeat((MicroUsd::ZERO, MicroUsd::ZERO)));
    let electricity = recorded
        .electricity
        .into_iter()
        .chain(std::iter::repeat(None));
    let days_of: Vec<Total> = days
        .iter()
        .zip(earned.zip(electricity))
        .map(|(day, ((gross, fee), electricity))| {
            let to_ms = day.to_ms.min(now_ms);
            let all = gpus.iter().flat_map(|gpu| &gpu.segments);
            told(Total {
                from_ms: day.from_ms,
                to_ms,
                hours_ms: totals(all, day.from_ms, to_ms),
                gross,
                fee,
                net: gross.saturating_sub(fee),
                electricity,
                left: None,
            })
        })
        .collect();
    History {
        from_ms,
        to_ms: now_ms,
        recorded_from_ms: recorded.begins_ms,
        problem: recorded.problem,
        weeks: weeks(days, &days_of),
        days: days_of,
        gpus,
    }
}

fn told(mut total: Total) -> Total {
    total.left = total
        .electricity
        .and_then(|electricity| electricity.left_of(total.net));
    total
}

fn weeks(days: &[Day], totals: &[Total]) -> Vec<Total> {
    let mut weeks: Vec<Total> = Vec::new();
    for (day, total) in days.iter().zip(totals) {
        match weeks.last_mut() {
            Some(week) if !day.monday => add(week, total),
            _ => weeks.push(total.clone()),
        }
    }
    weeks.into_iter().map(told).collect()
}

fn add(week: &mut Total, day: &Total) {
    week.to_ms = day.to_ms;
    for (kind, ms) in &day.hours_ms {
        *week.hours_ms.entry(*kind).or_default() += ms;
    }
    week.gross = week.gross.saturating_add(day.gross);
    week.fee = week.fee.saturating_add(day.fee);
    week.net = week.net.saturating_add(day.net);
    if let Some(took) = day.electricity {
        let sum = week.electricity.get_or_insert_default();
        sum.cost = sum.cost.saturating_add(took.cost);
        sum.energy_wh += took.energy_wh;
        sum.rented_ms += took.rented_ms;
        sum.unmeasured_ms += took.unmeasured_ms;
        sum.unpriced_ms += took.unpriced_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::super::days;
    use super::*;
    use jiff::tz::TimeZone;
    use sublet_protocol::local::history::SegmentKind;

    const DAY: u64 = 24 * 3_600_000;

    #[test]
    fn days_and_weeks_add_up_to_the_timeline() {
        // Wednesday, 2026-11-18 12:00 UTC.
        let now_ms = 1_795_003_200_000;
        let days = days(now_ms, 4, &TimeZone::UTC);
        let gpu = GpuId::new("GPU-1").unwrap();
        let segment = |from_ms, to_ms, kind| Segment {
            from_ms,
            to_ms,
            kind,
            reasons: Vec::new(),
            reason: None,
            lease: None,
        };
        // From Sunday noon until now, rented for the first day of it.
        let noon = days[0].from_ms + DAY / 2;
        let recorded = Recorded {
            segments: BTreeMap::from([(
                gpu.clone(),
                vec![
                    segment(noon, noon + DAY, SegmentKind::Renting),
                    segment(noon + DAY, now_ms, SegmentKind::NoDemand),
                ],
            )]),
            earned: vec![(MicroUsd(100), MicroUsd(5)), (MicroUsd(300), MicroUsd(15))],
            electricity: vec![
                None,
                Some(Electricity {
                    cost: MicroUsd(400),
                    rented_ms: DAY / 2,
                    ..Electricity::default()
                }),
            ],
            begins_ms: Some(noon),
            problem: None,
        };
        let names = BTreeMap::from([(gpu, "RTX".to_owned())]);
        let history = view(recorded, &days, &names, now_ms);
        let kinds: Vec<SegmentKind> = history.gpus[0].segments.iter().map(|s| s.kind).collect();
        assert_eq!(
            kinds,
            [
                SegmentKind::NotRunning,
                SegmentKind::Renting,
                SegmentKind::NoDemand
            ]
        );
        let rented: Vec<u64> = history
            .days
            .iter()
            .map(|day| {
                day.hours_ms
                    .get(&SegmentKind::Renting)
                    .copied()
                    .unwrap_or(0)
            })
            .collect();
        assert_eq!(rented, [DAY / 2, DAY / 2, 0, 0]);
        assert_eq!(history.days[0].left, None, "nothing measured, nothing told");
        assert_eq!(history.days[1].left, Some(-115));
        for day in &history.days {
            let sum: u64 = day.hours_ms.values().sum();
            assert_eq!(sum, day.to_ms - day.from_ms);
        }
        // Sunday is a week of its own; Monday begins the next.
        assert_eq!(history.weeks.len(), 2);
        assert_eq!(history.weeks[1].from_ms, days[1].from_ms);
        assert_eq!(history.weeks[1].to_ms, now_ms);
        assert_eq!(history.weeks[1].gross, MicroUsd(300));
        assert_eq!(history.weeks[1].left, Some(-115));
    }
}
