//! The picture: a brass ring, glass, clay and pebbles on a polished floor, at dusk.

use crate::camera::Camera;
use crate::geometry::{EPSILON, Panel, Ray, Shape};
use crate::material::Material;
use crate::sampler::hash;
use crate::vector::{Vec3, vec3};

const BRASS: Vec3 = vec3(0.93, 0.66, 0.30);

pub struct Scene {
    things: Vec<(Shape, Material)>,
    pub panels: Vec<Panel>,
    pub camera: Camera,
}

/// What a ray meets first.
pub enum Meeting<'a> {
    Surface {
        distance: f32,
        shape: &'a Shape,
        material: Material,
    },
    Light {
        distance: f32,
        panel: &'a Panel,
    },
}

impl Scene {
    pub fn meet(&self, ray: &Ray) -> Option<Meeting<'_>> {
        let mut far = f32::MAX;
        let mut first = None;
        for thing in &self.things {
            if let Some(t) = thing.0.meet(ray, EPSILON, far) {
                far = t;
                first = Some(thing);
            }
        }
        let light = self
            .panels
            .iter()
            .find_map(|panel| panel.meet(ray, far).map(|distance| (distance, panel)));
        if let Some((distance, panel)) = light {
            return Some(Meeting::Light { distance, panel });
        }
        first.map(|(shape, material)| Meeting::Surface {
            distance: far,
            shape,
            material: match shape {
                Shape::Floor => floor(ray.at(far)),
                _ => *material,
            },
        })
    }

    /// Whether anything stands within `far` metres along the ray.
    pub fn blocked(&self, ray: &Ray, far: f32) -> bool {
        self.things
            .iter()
            .any(|(shape, _)| shape.meet(ray, EPSILON, far).is_some())
    }

    pub fn still_life() -> Scene {
        let mut things = vec![(Shape::Floor, Material::Matte { albedo: Vec3::ONE })];
        things.extend(main_pieces());
        things.extend(pebbles());
        Scene {
            things,
            panels: panels(),
            camera: Camera::new(
                vec3(0.15, 1.32, 7.4),
                vec3(0.12, 1.02, 0.0),
                27.0,
                0.050,
                vec3(0.0, 0.9, 0.75),
            ),
        }
    }
}

fn ball(x: f32, z: f32, radius: f32, material: Material) -> (Shape, Material) {
    let center = vec3(x, radius, z);
    (Shape::Sphere { center, radius }, material)
}

fn glaze(albedo: Vec3) -> Material {
    Material::Polished {
        albedo,
        mirror: 0.045,
        roughness: 0.28,
    }
}

fn main_pieces() -> Vec<(Shape, Material)> {
    let clear = Material::Glass {
        index: 1.5,
        absorption: vec3(0.10, 0.05, 0.06),
    };
    let smoke = Material::Glass {
        index: 1.5,
        absorption: vec3(3.2, 1.6, 0.5),
    };
    let ring = Shape::Ring {
        center: vec3(0.30, 1.36, -0.75),
        axis: vec3(0.30, 0.0, 0.954).normalized(),
        major: 1.22,
        minor: 0.14,
    };
    let brass = |roughness| Material::Metal {
        tint: BRASS,
        roughness,
    };
    vec![
        (ring, brass(0.30)),
        ball(-0.62, 0.75, 0.70, clear),
        ball(1.02, 0.62, 0.46, glaze(vec3(0.60, 0.155, 0.075))),
        ball(
            -1.78,
            -0.35,
            0.52,
            Material::Matte {
                albedo: vec3(0.26, 0.34, 0.27),
            },
        ),
        ball(0.30, 1.45, 0.20, brass(0.14)),
        ball(1.72, 1.28, 0.22, smoke),
        ball(-1.42, 1.62, 0.13, glaze(vec3(0.75, 0.68, 0.55))),
    ]
}

/// Three stones, one on the other.
fn pebbles() -> Vec<(Shape, Material)> {
    let stone = |grey: f32| Material::Polished {
        albedo: vec3(grey, grey * 0.97, grey * 0.92),
        mirror: 0.035,
        roughness: 0.55,
    };
    let pebble = |x, y, radii, grey| {
        let center = vec3(x, y, -0.15);
        (Shape::Pebble { center, radii }, stone(grey))
    };
    vec![
        pebble(1.92, 0.25, vec3(0.56, 0.25, 0.46), 0.16),
        pebble(1.88, 0.66, vec3(0.37, 0.17, 0.33), 0.42),
        pebble(1.95, 0.95, vec3(0.22, 0.12, 0.20), 0.72),
    ]
}

/// The soft light of a window, before the scene to the left, and a cool fill from the right.
fn panels() -> Vec<Panel> {
    let facing = |center: Vec3, target: Vec3, width: f32, height: f32, radiance: Vec3| {
        let normal = (target - center).normalized();
        let across = Vec3::UP.cross(normal).normalized();
        Panel {
            center,
            half_u: across * (width / 2.0),
            half_v: normal.cross(across) * (height / 2.0),
            radiance,
        }
    };
    vec![
        facing(
            vec3(-4.6, 4.4, 3.2),
            vec3(0.0, 0.6, 0.2),
            3.4,
            3.4,
            vec3(4.2, 3.1, 2.1),
        ),
        facing(
            vec3(5.6, 3.4, 2.2),
            vec3(0.4, 0.8, 0.0),
            1.6,
            3.2,
            vec3(0.9, 1.25, 1.9),
        ),
    ]
}

/// Slabs of dark polished stone, each a little different, with narrow seams that fade with distance.
fn floor(point: Vec3) -> Material {
    let size = 1.6;
    let (u, v) = (point.x / size + 0.37, point.z / size + 0.15);
    let (column, row) = (u.floor(), v.floor());
    let shade = hash((column as i32 as u32) ^ hash(row as i32 as u32)) as f32 / u32::MAX as f32;
    let edge = |x: f32| (x - x.floor()).min(1.0 - (x - x.floor())) * size;
    let seam = edge(u).min(edge(v)) < 0.006;
    let stone = vec3(0.060, 0.062, 0.072) * (0.8 + 0.4 * shade);
    if seam && point.length_squared() < 400.0 {
        Material::Matte {
            albedo: stone * 0.4,
        }
    } else {
        Material::Polished {
            albedo: stone,
            mirror: 0.06,
            roughness: 0.17 + 0.05 * shade,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_on_the_floor_touches_it_and_nothing_is_inside_another() {
        let scene = Scene::still_life();
        let balls: Vec<(Vec3, f32)> = scene
            .things
            .iter()
            .filter_map(|(shape, _)| match *shape {
                Shape::Sphere { center, radius } => Some((center, radius)),
                _ => None,
            })
            .collect();
        for (i, (a, r)) in balls.iter().enumerate() {
            assert!((a.y - r).abs() < 1e-6);
            for (b, s) in &balls[..i] {
                assert!((*a - *b).length() > r + s, "{a:?} meets {b:?}");
            }
        }
        let ring = scene.things.iter().find_map(|(shape, _)| match *shape {
            Shape::Ring {
                center,
                axis,
                major,
                minor,
            } => Some((center, axis, major, minor)),
            _ => None,
        });
        let (center, axis, major, minor) = ring.unwrap_or_default();
        assert!((center.y - major - minor).abs() < 1e-6, "the ring stands");
        assert!((axis.length() - 1.0).abs() < 1e-6);
        for (b, s) in &balls {
            let from = *b - center;
            let up = from.dot(axis);
            let out = (from.length_squared() - up * up).sqrt() - major;
            assert!(
                (out * out + up * up).sqrt() > minor + s,
                "the ring meets {b:?}"
            );
        }
    }

    #[test]
    fn a_shadow_ray_is_blocked_by_what_stands_between() {
        let scene = Scene::still_life();
        let up_from = |x, z| Ray {
            origin: vec3(x, 0.001, z),
            direction: Vec3::UP,
        };
        assert!(scene.blocked(&up_from(-0.62, 0.75 + 0.1), 9.0));
        assert!(!scene.blocked(&up_from(-3.0, 3.0), 9.0));
    }
}
