//! Follows light backwards from the eye: at each surface one direction is chosen, and one lamp is asked directly.

use crate::geometry::{EPSILON, Panel, Ray};
use crate::material::Material;
use crate::sampler::Sampler;
use crate::scene::{Meeting, Scene};
use crate::sky::{sky, sky_with_sun};
use crate::vector::{Frame, Vec3};

const MOST_BOUNCES: u32 = 12;
/// A single path that found a lamp through glass and mirrors is dimmed to this: it would be a lone white dot.
const BRIGHTEST_INDIRECT: f32 = 0.7;

/// The light that arrives along `ray`.
pub fn light_along(scene: &Scene, mut ray: Ray, sampler: &mut Sampler) -> Vec3 {
    let mut light = Vec3::ZERO;
    let mut share = Vec3::ONE;
    // The density with which the last surface chose this ray; none from the eye, a mirror or glass.
    let mut density: Option<f32> = None;
    let mut scattered = false;
    for bounce in 0..MOST_BOUNCES {
        let add = |light: &mut Vec3, arriving: Vec3| {
            let bright = arriving.luminance();
            let dim = if (scattered || bounce > 3) && bright > BRIGHTEST_INDIRECT {
                BRIGHTEST_INDIRECT / bright
            } else {
                1.0
            };
            *light += arriving * dim;
        };
        let (distance, shape, material) = match scene.meet(&ray) {
            None => {
                let look = if scattered { sky } else { sky_with_sun };
                add(&mut light, share.filtered(look(ray.direction)));
                break;
            }
            Some(Meeting::Light { distance, panel }) => {
                let weight = density.map_or(1.0, |by_surface| {
                    let cosine = -ray.direction.dot(panel.normal());
                    heuristic(by_surface, asked(scene, panel, distance, cosine))
                });
                add(&mut light, share.filtered(panel.radiance) * weight);
                break;
            }
            Some(Meeting::Surface {
                distance,
                shape,
                material,
            }) => (distance, shape, material),
        };
        let point = ray.at(distance);
        let outward = shape.normal(point);
        let entering = ray.direction.dot(outward) < 0.0;
        let normal = if entering { outward } else { -outward };
        if let (false, Material::Glass { absorption, .. }) = (entering, material) {
            share = share.filtered(absorption.map(|a| libm::expf(-a * distance)));
        }
        let frame = Frame::around(normal);
        let from = frame.to_local(-ray.direction);

        if !matches!(material, Material::Glass { .. }) {
            let asked = ask_a_lamp(scene, point, normal, frame, from, &material, sampler);
            add(&mut light, share.filtered(asked));
        }

        let seen = !scattered && bounce < 4;
        let (choice, spot) = (sampler.one(), sampler.pair());
        let Some(next) = material.bounce(from, entering, seen, choice, spot) else {
            break;
        };
        share = share.filtered(next.weight);
        density = next.density;
        scattered |= next.density.is_some_and(|d| d < 20.0);
        if bounce > 3 {
            let survive = share.largest().min(0.95);
            if sampler.one() >= survive {
                break;
            }
            share = share * (1.0 / survive);
        }
        let side = if next.direction.z > 0.0 { 1.0 } else { -1.0 };
        ray = Ray {
            origin: point + normal * (side * EPSILON),
            direction: frame.to_world(next.direction),
        };
    }
    light
}

/// The light that comes straight from a lamp chosen at random.
fn ask_a_lamp(
    scene: &Scene,
    point: Vec3,
    normal: Vec3,
    frame: Frame,
    from: Vec3,
    material: &Material,
    sampler: &mut Sampler,
) -> Vec3 {
    let spot = sampler.pair();
    let scaled = spot.0 * scene.panels.len() as f32;
    let chosen = (scaled as usize).min(scene.panels.len() - 1);
    let panel = &scene.panels[chosen];
    let start = point + normal * EPSILON;
    // What is left of the number after the choice is as even as the number was.
    let to = panel.point((scaled - chosen as f32, spot.1)) - start;
    let distance = to.length();
    let direction = to * (1.0 / distance);
    let cosine = -direction.dot(panel.normal());
    if cosine <= 0.0 {
        return Vec3::ZERO;
    }
    let (value, by_surface) = material.evaluate(from, frame.to_local(direction));
    if by_surface <= 0.0 {
        return Vec3::ZERO;
    }
    let ray = Ray {
        origin: start,
        direction,
    };
    if scene.blocked(&ray, distance - EPSILON) {
        return Vec3::ZERO;
    }
    let asked = asked(scene, panel, distance, cosine);
    value.filtered(panel.radiance) * (heuristic(asked, by_surface) / asked)
}

/// Chance per steradian that [`ask_a_lamp`] asks in this direction.
fn asked(scene: &Scene, panel: &Panel, distance: f32, cosine: f32) -> f32 {
    panel.density(distance, cosine) / scene.panels.len() as f32
}

/// Veach's power heuristic: how much a way of finding light counts when another could have found it too.
fn heuristic(this: f32, other: f32) -> f32 {
    this * this / (this * this + other * other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ways_to_find_a_light_count_as_one() {
        for (a, b) in [(0.1, 3.0), (1.0, 1.0), (40.0, 0.02)] {
            assert!((heuristic(a, b) + heuristic(b, a) - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn the_sky_is_seen_past_the_things_and_the_light_is_finite() {
        let scene = Scene::still_life();
        let up = Ray {
            origin: scene.camera.ray(0.0, 0.0, (0.0, 0.0)).origin,
            direction: Vec3::UP,
        };
        let mut sampler = Sampler::new(1, 2, 3);
        assert_eq!(light_along(&scene, up, &mut sampler), sky(Vec3::UP));
        for i in 0..4000 {
            let mut sampler = Sampler::new(5, i, 0);
            let (x, y) = sampler.pair();
            let ray = scene
                .camera
                .ray(3.0 * x - 1.5, 2.0 * y - 1.0, sampler.pair());
            let light = light_along(&scene, ray, &mut sampler);
            assert!(
                light.length().is_finite() && light.x >= 0.0,
                "sample {i}: {light:?}"
            );
        }
    }
}
