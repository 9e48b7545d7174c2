//! The five states as shapes: the same as on the pages, drawn for the tray.

use sublet_protocol::reason::RigState;
use tauri::image::Image;

/// Pixels of a side. Trays scale it down.
const SIDE: u32 = 64;
/// Each pixel is looked at so many times in each direction, for smooth edges.
const LOOKS: u32 = 4;

/// A state's mark. Absent: the agent is away, a dashed ring.
pub fn mark(state: Option<RigState>) -> Image<'static> {
    Image::new_owned(pixels(state), SIDE, SIDE)
}

/// Hues in the middle between those of the light and of the dark pages: a tray may be either.
fn colour(state: Option<RigState>) -> [u8; 3] {
    match state {
        Some(RigState::Yours) => [0xab, 0x70, 0xbf],
        Some(RigState::Ready) => [0x3d, 0x86, 0xd8],
        Some(RigState::Renting) => [0x1f, 0x9e, 0x7b],
        Some(RigState::Waiting) => [0xb5, 0x82, 0x1c],
        Some(RigState::NeedsYou) => [0xd9, 0x53, 0x3a],
        None => [0x8c, 0x8c, 0x8c],
    }
}

fn pixels(state: Option<RigState>) -> Vec<u8> {
    let [red, green, blue] = colour(state);
    let mut pixels = Vec::with_capacity((SIDE * SIDE * 4) as usize);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let mut hits = 0;
            for look in 0..LOOKS * LOOKS {
                let at = |pixel: u32, step: u32| {
                    // From the middle, in halves of the side: -1 to 1.
                    (pixel as f64 + (step as f64 + 0.5) / LOOKS as f64) / SIDE as f64 * 2.0 - 1.0
                };
                hits += u32::from(inside(state, at(x, look % LOOKS), at(y, look / LOOKS)));
            }
            let alpha = (hits * 255 / (LOOKS * LOOKS)) as u8;
            pixels.extend([red, green, blue, alpha]);
        }
    }
    pixels
}

/// Whether a point belongs to the shape. Measures as in the pages' StateMark, whose box is 20 wide.
fn inside(state: Option<RigState>, x: f64, y: f64) -> bool {
    let radius = x.hypot(y) * 10.0;
    let ring = (5.5..8.5).contains(&radius);
    match state {
        Some(RigState::Yours) => ring,
        Some(RigState::Ready) => radius < 4.75,
        Some(RigState::Renting) => radius < 8.75,
        Some(RigState::Waiting) => ring || (x >= 0.0 && radius < 8.5),
        // A triangle on its base.
        Some(RigState::NeedsYou) => {
            let height = (y * 10.0 + 8.0) / 15.5;
            (0.0..=1.0).contains(&height) && x.abs() * 10.0 <= height * 8.75
        }
        // Eight dashes.
        None => ring && (y.atan2(x) / std::f64::consts::TAU * 16.0).rem_euclid(2.0) < 1.2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Option<RigState>; 6] = [
        Some(RigState::Yours),
        Some(RigState::Ready),
        Some(RigState::Renting),
        Some(RigState::Waiting),
        Some(RigState::NeedsYou),
        None,
    ];

    /// At the size of a tray, in grey: what is told apart by shape is told apart without colour.
    fn shape(state: Option<RigState>) -> Vec<u8> {
        pixels(state).chunks(4).map(|pixel| pixel[3]).collect()
    }

    #[test]
    fn every_state_is_told_apart_by_its_shape() {
        for (at, one) in ALL.iter().enumerate() {
            for other in &ALL[at + 1..] {
                let (one, other) = (shape(*one), shape(*other));
                let differ = one
                    .iter()
                    .zip(&other)
                    .filter(|(a, b)| a.abs_diff(**b) > 128)
                    .count();
                assert!(differ > one.len() / 20, "{differ} of {} pixels", one.len());
            }
        }
    }

    #[test]
    fn every_mark_stays_clear_of_the_edge_and_fills_its_box() {
        for state in ALL {
            let shape = shape(state);
            let side = SIDE as usize;
            assert!((0..side).all(|at| shape[at] == 0 && shape[at * side] == 0));
            let filled = shape.iter().filter(|alpha| **alpha > 128).count();
            assert!(filled > shape.len() / 8, "{state:?}");
        }
    }
}
