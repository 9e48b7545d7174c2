//! Where a ray meets a shape.

use crate::vector::Vec3;

/// Rays start this far off the surface they leave, in metres, so that they do not meet it again by rounding.
pub const EPSILON: f32 = 1e-3;

#[derive(Clone, Copy, Debug)]
pub struct Ray {
    pub origin: Vec3,
    /// Of length one.
    pub direction: Vec3,
}

impl Ray {
    pub fn at(&self, t: f32) -> Vec3 {
        self.origin + self.direction * t
    }
}

/// A shape with an inside and an outside; its normal points outside.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// The ground at height zero.
    Floor,
    Sphere {
        center: Vec3,
        radius: f32,
    },
    /// A sphere stretched along the axes: a pebble.
    Pebble {
        center: Vec3,
        radii: Vec3,
    },
    /// A ring around `axis` (of length one): `major` from the centre to the tube's middle, `minor` the tube's radius.
    Ring {
        center: Vec3,
        axis: Vec3,
        major: f32,
        minor: f32,
    },
}

impl Shape {
    /// The distance along `ray` to the first meeting between `near` and `far`, in metres.
    pub fn meet(&self, ray: &Ray, near: f32, far: f32) -> Option<f32> {
        match *self {
            Shape::Floor => {
                let t = -ray.origin.y / ray.direction.y;
                (t > near && t < far).then_some(t)
            }
            Shape::Sphere { center, radius } => {
                let to = center - ray.origin;
                let middle = to.dot(ray.direction);
                // The distance of the ray from the centre, not b² - c: that one loses its digits far away.
                let off = to - ray.direction * middle;
                first_root(middle, radius * radius - off.length_squared(), near, far)
            }
            Shape::Pebble { center, radii } => {
                let shrink = radii.map(|r| 1.0 / r);
                let to = (center - ray.origin).filtered(shrink);
                let along = ray.direction.filtered(shrink);
                let scale = 1.0 / along.length();
                let along = along * scale;
                let middle = to.dot(along);
                let off = to - along * middle;
                first_root(
                    middle,
                    1.0 - off.length_squared(),
                    near / scale,
                    far / scale,
                )
                .map(|t| t * scale)
            }
            Shape::Ring {
                center,
                axis,
                major,
                minor,
            } => meet_ring(ray, near, far, center, axis, (major, minor)),
        }
    }

    /// The outward normal, of length one, at a point on the surface.
    pub fn normal(&self, point: Vec3) -> Vec3 {
        match *self {
            Shape::Floor => Vec3::UP,
            Shape::Sphere { center, radius } => (point - center) * (1.0 / radius),
            Shape::Pebble { center, radii } => (point - center)
                .filtered(radii.map(|r| 1.0 / (r * r)))
                .normalized(),
            Shape::Ring {
                center,
                axis,
                major,
                ..
            } => {
                let from = point - center;
                let flat = from - axis * from.dot(axis);
                (from - flat.normalized() * major).normalized()
            }
        }
    }
}

fn first_root(middle: f32, half_chord_squared: f32, near: f32, far: f32) -> Option<f32> {
    if half_chord_squared <= 0.0 {
        return None;
    }
    let half = half_chord_squared.sqrt();
    [middle - half, middle + half]
        .into_iter()
        .find(|&t| t > near && t < far)
}

/// Walks along the ray by the distance to the ring, which is always a safe step; starts where the ray enters the
/// flat cylinder around the ring.
fn meet_ring(
    ray: &Ray,
    near: f32,
    far: f32,
    center: Vec3,
    axis: Vec3,
    (major, minor): (f32, f32),
) -> Option<f32> {
    let from = ray.origin - center;
    let (height, rise) = (from.dot(axis), ray.direction.dot(axis));
    let (mut start, mut end) = (near, far);
    let to_slab = |side: f32| (side * minor - height) / rise;
    if rise.abs() > 1e-6 {
        let (a, b) = (to_slab(-1.0), to_slab(1.0));
        start = start.max(a.min(b));
        end = end.min(a.max(b));
    } else if height.abs() > minor {
        return None;
    }
    let middle = -from.dot(ray.direction);
    let off = from + ray.direction * middle;
    let half_squared = (major + minor) * (major + minor) - off.length_squared();
    if half_squared <= 0.0 {
        return None;
    }
    let half = half_squared.sqrt();
    start = start.max(middle - half);
    end = end.min(middle + half);

    let distance = |t: f32| {
        let p = from + ray.direction * t;
        let up = p.dot(axis);
        let out = (p.length_squared() - up * up).max(0.0).sqrt() - major;
        (out * out + up * up).sqrt() - minor
    };
    let mut t = start;
    // A ray that leaves the surface starts at a distance of nearly nothing: the first step carries it away.
    if start == near && distance(t) < 2e-4 {
        t += 2e-3;
        if distance(t) < 0.0 {
            return None;
        }
    }
    for _ in 0..96 {
        if t >= end {
            return None;
        }
        let d = distance(t);
        if d < 1e-4 {
            return Some(t);
        }
        t += d;
    }
    None
}

/// A rectangle that shines to one side.
#[derive(Clone, Copy, Debug)]
pub struct Panel {
    pub center: Vec3,
    /// From the centre to the middle of one edge, and of the next; at right angles.
    pub half_u: Vec3,
    pub half_v: Vec3,
    /// Light given off, per square metre and steradian.
    pub radiance: Vec3,
}

impl Panel {
    /// The side that shines.
    pub fn normal(&self) -> Vec3 {
        self.half_u.cross(self.half_v).normalized()
    }

    pub fn area(&self) -> f32 {
        4.0 * self.half_u.cross(self.half_v).length()
    }

    pub fn point(&self, (u, v): (f32, f32)) -> Vec3 {
        self.center + self.half_u * (2.0 * u - 1.0) + self.half_v * (2.0 * v - 1.0)
    }

    pub fn meet(&self, ray: &Ray, far: f32) -> Option<f32> {
        let normal = self.normal();
        let facing = ray.direction.dot(normal);
        if facing >= 0.0 {
            return None;
        }
        let t = (self.center - ray.origin).dot(normal) / facing;
        if t <= EPSILON || t >= far {
            return None;
        }
        let off = ray.at(t) - self.center;
        let inside = |edge: Vec3| off.dot(edge).abs() <= edge.length_squared();
        (inside(self.half_u) && inside(self.half_v)).then_some(t)
    }

    /// Chance per steradian of choosing the direction to a point `distance` away that sees the panel at `cosine`.
    pub fn density(&self, distance: f32, cosine: f32) -> f32 {
        distance * distance / (cosine * self.area())
    }
}

#[cfg(test)]
#[path = "geometry_tests.rs"]
mod tests;
