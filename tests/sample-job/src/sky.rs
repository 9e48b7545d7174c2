//! The evening sky: a gradient, the sun going down, and three ranges of hills in the haze.

use crate::vector::{Vec3, vec3};

/// Where the sun goes down: behind the scene, seen through the ring.
const SUN: Vec3 = vec3(0.040, 0.070, -0.9967);
/// The cosine of its radius, and of where its soft edge ends.
const SUN_CORE: f32 = 0.999_74;
const SUN_EDGE: f32 = 0.999_62;

const ZENITH: Vec3 = vec3(0.022, 0.055, 0.165);
const DUSK: Vec3 = vec3(0.085, 0.135, 0.310);
const ROSE: Vec3 = vec3(0.250, 0.200, 0.330);
const PEACH: Vec3 = vec3(0.640, 0.330, 0.280);
const HORIZON: Vec3 = vec3(0.900, 0.420, 0.190);

/// The light that comes from `direction` (of length one), the sun's disc left out.
pub fn sky(direction: Vec3) -> Vec3 {
    hills(direction, air(direction))
}

/// The same with the sun. Only for rays that come from the eye or from mirrors: the disc is too small to be found by
/// chance from a matte surface, and would leave white dots there.
pub fn sky_with_sun(direction: Vec3) -> Vec3 {
    let disc = ((direction.dot(SUN) - SUN_EDGE) / (SUN_CORE - SUN_EDGE)).clamp(0.0, 1.0);
    hills(direction, air(direction) + vec3(5.6, 2.5, 0.85) * disc)
}

fn air(direction: Vec3) -> Vec3 {
    let height = direction.y.max(0.0);
    let towards = direction.dot(SUN);
    let low = 1.0 / (1.0 + 18.0 * height * height);
    let mut colour = gradient(height);
    colour += vec3(0.75, 0.26, 0.08) * (power(towards.max(0.0), 8) * low * 0.30);
    colour += vec3(1.5, 0.72, 0.26) * (power(towards.max(0.0), 90) * low * 0.6);
    // Away from the sun the sky is darker.
    colour * (0.75 + 0.25 * towards)
}

fn gradient(height: f32) -> Vec3 {
    let bands = [
        (0.0, HORIZON),
        (0.06, PEACH),
        (0.15, ROSE),
        (0.32, DUSK),
        (1.0, ZENITH),
    ];
    for pair in bands.windows(2) {
        let ((low, below), (high, above)) = (pair[0], pair[1]);
        if height <= high {
            let t = (height - low) / (high - low);
            return below.mix(above, t * t * (3.0 - 2.0 * t));
        }
    }
    ZENITH
}

fn hills(direction: Vec3, behind: Vec3) -> Vec3 {
    if direction.y > 0.2 {
        return behind;
    }
    let round = libm::atan2f(direction.x, -direction.z);
    let ridges = [
        (0.058, 2.0, 0.4, 0.66),
        (0.038, 3.4, 2.1, 0.80),
        (0.020, 5.3, 4.0, 0.90),
    ];
    let mut colour = behind;
    for (height, pace, phase, depth) in ridges {
        let wave = libm::sinf(round * pace + phase)
            + 0.5 * libm::sinf(round * pace * 2.7 + phase * 1.7)
            + 0.22 * libm::sinf(round * pace * 6.1 + phase * 3.1);
        let ridge = height * (0.60 + 0.40 * wave);
        // Over a fraction of a degree, not at once: the air between is not clear.
        let inside = ((ridge - direction.y) / 0.004 + 0.5).clamp(0.0, 1.0);
        let shade = vec3(0.060, 0.055, 0.13);
        colour = colour.mix(behind.mix(shade, depth), inside);
    }
    colour
}

fn power(x: f32, n: u32) -> f32 {
    (0..n).fold(1.0, |product, _| product * x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sky_is_warm_at_the_sunset_and_cool_above() {
        let sunset = sky(vec3(0.0, 0.12, -0.92).normalized());
        let zenith = sky(Vec3::UP);
        assert!(sunset.x > 1.5 * sunset.z, "{sunset:?}");
        assert!(zenith.z > 1.5 * zenith.x, "{zenith:?}");
    }

    #[test]
    fn the_sun_is_a_disc_of_a_few_degrees() {
        let brighter = |d: Vec3| sky_with_sun(d).luminance() - sky(d).luminance();
        assert!(brighter(SUN.normalized()) > 1.0);
        assert_eq!(brighter((SUN + vec3(0.05, 0.03, 0.0)).normalized()), 0.0);
    }

    #[test]
    fn the_gradient_has_no_steps() {
        let mut last = gradient(0.0);
        for i in 1..=1000 {
            let next = gradient(i as f32 / 1000.0);
            assert!((next - last).length() < 0.02, "at {i}");
            last = next;
        }
    }
}
