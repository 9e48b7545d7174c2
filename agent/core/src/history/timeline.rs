//! Segments as they are shown: in order, whole, without overlaps; and what they add up to.

use super::recorder::same;
use std::collections::BTreeMap;
use sublet_protocol::local::history::{Segment, SegmentKind};

/// What was recorded of one GPU between two times, with a segment that says so wherever nothing was. What overlaps
/// counts for what began later, which also was written later.
pub fn gapless(mut recorded: Vec<Segment>, from_ms: u64, to_ms: u64) -> Vec<Segment> {
    recorded.sort_by_key(|segment| segment.from_ms);
    let mut whole: Vec<Segment> = Vec::new();
    for mut segment in recorded {
        segment.from_ms = segment.from_ms.max(from_ms);
        segment.to_ms = segment.to_ms.min(to_ms);
        if segment.from_ms >= segment.to_ms {
            continue;
        }
        if let Some(last) = whole.last_mut() {
            last.to_ms = last.to_ms.min(segment.from_ms);
            if last.to_ms <= last.from_ms {
                whole.pop();
            }
        }
        let ended_ms = whole.last().map_or(from_ms, |last| last.to_ms);
        if ended_ms < segment.from_ms {
            whole.push(nothing(ended_ms, segment.from_ms));
        }
        match whole.last_mut() {
            Some(last) if same(last, &segment) => last.to_ms = segment.to_ms,
            _ => whole.push(segment),
        }
    }
    let ended_ms = whole.last().map_or(from_ms, |last| last.to_ms);
    if ended_ms < to_ms {
        whole.push(nothing(ended_ms, to_ms));
    }
    whole
}

fn nothing(from_ms: u64, to_ms: u64) -> Segment {
    Segment {
        from_ms,
        to_ms,
        kind: SegmentKind::NotRunning,
        reasons: Vec::new(),
        reason: None,
        lease: None,
    }
}

/// What they add up to between two times, in ms; kinds that did not happen are absent.
pub fn totals<'a>(
    segments: impl IntoIterator<Item = &'a Segment>,
    from_ms: u64,
    to_ms: u64,
) -> BTreeMap<SegmentKind, u64> {
    let mut totals = BTreeMap::new();
    for segment in segments {
        let ms = segment
            .to_ms
            .min(to_ms)
            .saturating_sub(segment.from_ms.max(from_ms));
        if ms > 0 {
            *totals.entry(segment.kind).or_default() += ms;
        }
    }
    totals
}

/// When the agent ran, by what it recorded of any GPU: in order, and apart from each other.
pub fn ran<'a>(segments: impl IntoIterator<Item = &'a Segment>) -> Vec<(u64, u64)> {
    let mut spans: Vec<(u64, u64)> = segments
        .into_iter()
        .filter(|segment| segment.kind != SegmentKind::NotRunning)
        .map(|segment| (segment.from_ms, segment.to_ms))
        .collect();
    spans.sort_unstable();
    let mut ran: Vec<(u64, u64)> = Vec::new();
    for (from_ms, to_ms) in spans {
        match ran.last_mut() {
            Some(last) if from_ms <= last.1 => last.1 = last.1.max(to_ms),
            _ => ran.push((from_ms, to_ms)),
        }
    }
    ran
}
