//! A card as a trace tells it, from what was measured of it.

use super::minute::Quarter;
use crate::facts::GpuFacts;
use crate::profit::Draw;
use crate::simulate::Card;

/// By how many °C each W warms a card whose own figure is not known.
const USUAL_C_PER_W: f64 = 0.18;
/// The room's temperature, where nothing tells.
const USUAL_AMBIENT_C: f64 = 22.0;
/// Quarters of an hour and W apart that a line needs.
const POINTS: usize = 8;
const SPREAD_W: f64 = 30.0;
/// How much of each W may become °C, to be believed.
const BELIEVED: std::ops::RangeInclusive<f64> = 0.02..=1.0;
/// Powers that a trace takes, in W.
const LIMIT_W: std::ops::RangeInclusive<u32> = 1..=5_000;

/// How power warms a card: in the end it is at `ambient + c_per_w * W`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Warmth {
    /// In °C.
    pub ambient_c: f64,
    /// In °C for each W.
    pub c_per_w: f64,
}

impl Warmth {
    /// The line of least squares through what was measured; the usual one through its middle where that is too little.
    pub fn of<'a>(quarters: impl IntoIterator<Item = &'a Quarter>) -> Self {
        let points: Vec<(f64, f64)> = quarters
            .into_iter()
            .filter_map(|quarter| Some((quarter.power_w?, quarter.temperature_c?)))
            .collect();
        if points.is_empty() {
            return Self {
                ambient_c: USUAL_AMBIENT_C,
                c_per_w: USUAL_C_PER_W,
            };
        }
        let mean =
            |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / points.len() as f64;
        let watts = mean(&mut points.iter().map(|(watts, _)| *watts));
        let celsius = mean(&mut points.iter().map(|(_, celsius)| *celsius));
        let (mut both, mut square) = (0.0, 0.0);
        for (w, c) in &points {
            both += (w - watts) * (c - celsius);
            square += (w - watts) * (w - watts);
        }
        let spread = (square / points.len() as f64).sqrt();
        let slope = Some(both / square)
            .filter(|slope| BELIEVED.contains(slope))
            .filter(|_| points.len() >= POINTS && spread * 2.0 >= SPREAD_W)
            .unwrap_or(USUAL_C_PER_W);
        Self {
            ambient_c: celsius - slope * watts,
            c_per_w: slope,
        }
    }
}

/// The card of a trace: what it draws while it works is `draw`, which a card that nobody knows has none of.
pub fn card(gpu: &GpuFacts, draw: Option<Draw>, warmth: Warmth) -> Card {
    let limit_mw = gpu
        .power_range
        .map(|range| range.default_mw)
        .or(gpu.sensed.as_ref().and_then(|sensed| sensed.power_limit_mw));
    let job_w = draw.map_or(0, |draw| draw.mw().div_ceil(1_000));
    let limit_w = limit_mw
        .map_or(job_w, |mw| mw.div_ceil(1_000))
        .max(job_w)
        .clamp(*LIMIT_W.start(), *LIMIT_W.end());
    let lowest_w = gpu.power_range.map(|range| range.lowest_mw.div_ceil(1_000));
    Card {
        id: gpu.info.id.clone(),
        name: gpu.info.name.clone(),
        software: gpu.info.software,
        limit_w,
        lowest_w: lowest_w.filter(|lowest| *lowest <= limit_w),
        job_w: job_w.min(limit_w),
        idle_w: 15.min(limit_w),
        ambient_c: (warmth.ambient_c.round() as i32).clamp(-20, 60),
        c_per_w: warmth.c_per_w,
        tau_s: 60,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quarters(line: impl Fn(f64) -> f64, watts: &[f64]) -> Vec<Quarter> {
        watts
            .iter()
            .map(|watts| Quarter {
                power_w: Some(*watts),
                temperature_c: Some(line(*watts)),
                ..Quarter::default()
            })
            .collect()
    }

    #[test]
    fn the_line_is_found_where_there_is_one() {
        let watts = [15.0, 20.0, 40.0, 250.0, 300.0, 310.0, 290.0, 18.0];
        let found = Warmth::of(&quarters(|w| 24.0 + 0.16 * w, &watts));
        assert!((found.c_per_w - 0.16).abs() < 1e-9, "{found:?}");
        assert!((found.ambient_c - 24.0).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn too_little_makes_the_usual_line_through_what_there_is() {
        let found = Warmth::of(&quarters(|_| 40.0, &[20.0; 20]));
        assert_eq!(found.c_per_w, USUAL_C_PER_W);
        assert!((found.ambient_c - (40.0 - 20.0 * USUAL_C_PER_W)).abs() < 1e-9);
        assert_eq!(Warmth::of(&[]).ambient_c, USUAL_AMBIENT_C);
    }
}
