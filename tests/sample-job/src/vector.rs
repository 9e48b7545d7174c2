//! Three numbers: a point, a direction or a colour in linear light.

use std::ops::{Add, AddAssign, Mul, Neg, Sub};

/// A point (metres), a direction, or a colour (linear RGB, unbounded).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Vec3 {
    pub x: f32,
    pub y: f32,
    pub z: f32,
}

pub const fn vec3(x: f32, y: f32, z: f32) -> Vec3 {
    Vec3 { x, y, z }
}

impl Vec3 {
    pub const ZERO: Vec3 = vec3(0.0, 0.0, 0.0);
    pub const ONE: Vec3 = vec3(1.0, 1.0, 1.0);
    pub const UP: Vec3 = vec3(0.0, 1.0, 0.0);

    pub fn dot(self, o: Vec3) -> f32 {
        self.x * o.x + self.y * o.y + self.z * o.z
    }

    pub fn cross(self, o: Vec3) -> Vec3 {
        vec3(
            self.y * o.z - self.z * o.y,
            self.z * o.x - self.x * o.z,
            self.x * o.y - self.y * o.x,
        )
    }

    pub fn length_squared(self) -> f32 {
        self.dot(self)
    }

    pub fn length(self) -> f32 {
        self.length_squared().sqrt()
    }

    pub fn normalized(self) -> Vec3 {
        self * (1.0 / self.length())
    }

    /// Component by component: a colour seen through a filter.
    pub fn filtered(self, o: Vec3) -> Vec3 {
        vec3(self.x * o.x, self.y * o.y, self.z * o.z)
    }

    pub fn largest(self) -> f32 {
        self.x.max(self.y).max(self.z)
    }

    pub fn map(self, f: impl Fn(f32) -> f32) -> Vec3 {
        vec3(f(self.x), f(self.y), f(self.z))
    }

    pub fn mix(self, o: Vec3, t: f32) -> Vec3 {
        self * (1.0 - t) + o * t
    }

    pub fn reflected(self, normal: Vec3) -> Vec3 {
        self - normal * (2.0 * self.dot(normal))
    }

    /// How bright the eye finds this colour (Rec. 709 weights).
    pub fn luminance(self) -> f32 {
        self.dot(vec3(0.2126, 0.7152, 0.0722))
    }
}

impl Add for Vec3 {
    type Output = Vec3;
    fn add(self, o: Vec3) -> Vec3 {
        vec3(self.x + o.x, self.y + o.y, self.z + o.z)
    }
}

impl AddAssign for Vec3 {
    fn add_assign(&mut self, o: Vec3) {
        *self = *self + o;
    }
}

impl Sub for Vec3 {
    type Output = Vec3;
    fn sub(self, o: Vec3) -> Vec3 {
        vec3(self.x - o.x, self.y - o.y, self.z - o.z)
    }
}

impl Mul<f32> for Vec3 {
    type Output = Vec3;
    fn mul(self, k: f32) -> Vec3 {
        vec3(self.x * k, self.y * k, self.z * k)
    }
}

impl Neg for Vec3 {
    type Output = Vec3;
    fn neg(self) -> Vec3 {
        vec3(-self.x, -self.y, -self.z)
    }
}

/// Three perpendicular unit vectors around a normal: local `z` is the normal.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    tangent: Vec3,
    bitangent: Vec3,
    normal: Vec3,
}

impl Frame {
    pub fn around(normal: Vec3) -> Frame {
        let helper = if normal.x.abs() > 0.7 {
            Vec3::UP
        } else {
            vec3(1.0, 0.0, 0.0)
        };
        let tangent = helper.cross(normal).normalized();
        Frame {
            tangent,
            bitangent: normal.cross(tangent),
            normal,
        }
    }

    pub fn to_world(self, v: Vec3) -> Vec3 {
        self.tangent * v.x + self.bitangent * v.y + self.normal * v.z
    }

    pub fn to_local(self, v: Vec3) -> Vec3 {
        vec3(
            v.dot(self.tangent),
            v.dot(self.bitangent),
            v.dot(self.normal),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_right_handed_and_takes_vectors_there_and_back() {
        for normal in [
            Vec3::UP,
            vec3(1.0, 0.0, 0.0),
            vec3(-0.3, 0.2, -0.9).normalized(),
        ] {
            let frame = Frame::around(normal);
            let v = vec3(0.3, -0.7, 0.5);
            let back = frame.to_local(frame.to_world(v));
            assert!((back - v).length() < 1e-5, "{back:?}");
            assert!((frame.tangent.cross(frame.bitangent) - normal).length() < 1e-5);
        }
    }

    #[test]
    fn a_mirror_keeps_the_length_and_turns_the_normal_part() {
        let v = vec3(0.6, -0.8, 0.0);
        assert_eq!(v.reflected(Vec3::UP), vec3(0.6, 0.8, 0.0));
    }
}
