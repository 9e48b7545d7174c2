//! A camera with a lens: sharp at one distance, soft before and behind it.

use std::f32::consts::PI;

use crate::geometry::Ray;
use crate::vector::Vec3;

#[derive(Clone, Copy, Debug)]
pub struct Camera {
    position: Vec3,
    forward: Vec3,
    right: Vec3,
    up: Vec3,
    /// Half the picture's height, one metre in front of the lens.
    half_height: f32,
    lens_radius: f32,
    focus: f32,
}

impl Camera {
    /// `view` is the vertical angle in degrees, `lens_radius` and the distance to `sharp_at` in metres.
    pub fn new(
        position: Vec3,
        target: Vec3,
        view: f32,
        lens_radius: f32,
        sharp_at: Vec3,
    ) -> Camera {
        let forward = (target - position).normalized();
        let right = forward.cross(Vec3::UP).normalized();
        Camera {
            position,
            forward,
            right,
            up: right.cross(forward),
            half_height: libm::tanf(view * PI / 360.0),
            lens_radius,
            focus: (sharp_at - position).dot(forward),
        }
    }

    /// The ray through a point of the picture: `x` from -aspect to aspect, `y` from -1 (bottom) to 1 (top).
    pub fn ray(&self, x: f32, y: f32, lens: (f32, f32)) -> Ray {
        let through =
            self.forward + self.right * (x * self.half_height) + self.up * (y * self.half_height);
        let sharp = self.position + through * self.focus;
        let (radius, angle) = (self.lens_radius * lens.0.sqrt(), 2.0 * PI * lens.1);
        let origin = self.position
            + self.right * (radius * libm::cosf(angle))
            + self.up * (radius * libm::sinf(angle));
        Ray {
            origin,
            direction: (sharp - origin).normalized(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::vec3;

    #[test]
    fn every_ray_of_a_pixel_meets_in_the_plane_of_focus_and_nowhere_else() {
        let camera = Camera::new(
            vec3(0.0, 1.0, 6.0),
            vec3(0.0, 1.0, 0.0),
            40.0,
            0.1,
            vec3(0.0, 1.0, 1.0),
        );
        let at_depth = |lens, depth: f32| {
            let ray = camera.ray(0.5, -0.25, lens);
            ray.at((ray.origin.z - depth) / -ray.direction.z)
        };
        let lenses = [(0.0, 0.0), (1.0, 0.0), (1.0, 0.25), (0.5, 0.7)];
        let sharp = at_depth(lenses[0], 1.0);
        for lens in lenses {
            assert!((at_depth(lens, 1.0) - sharp).length() < 1e-5);
        }
        let soft = (at_depth(lenses[1], -4.0) - at_depth(lenses[0], -4.0)).length();
        assert!((soft - 0.1).abs() < 1e-3, "as far behind as before: {soft}");
    }

    #[test]
    fn up_is_up_and_right_is_right() {
        let camera = Camera::new(
            Vec3::ZERO,
            vec3(0.0, 0.0, -1.0),
            90.0,
            0.0,
            vec3(0.0, 0.0, -1.0),
        );
        let corner = camera.ray(1.0, 1.0, (0.0, 0.0)).direction;
        let want = vec3(1.0, 1.0, -1.0).normalized();
        assert!((corner - want).length() < 1e-5, "{corner:?}");
    }
}
