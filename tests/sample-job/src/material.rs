//! What a surface does with light. Directions are local: `z` is the normal, both point away from the surface.

use std::f32::consts::PI;

use crate::vector::{Vec3, vec3};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Material {
    /// Chalk, clay: the same from every side.
    Matte { albedo: Vec3 },
    /// A colour under a clear coat: glazed clay, polished stone.
    Polished {
        albedo: Vec3,
        /// What the coat mirrors when looked at straight on, 0 to 1.
        mirror: f32,
        roughness: f32,
    },
    Metal {
        /// What it mirrors when looked at straight on.
        tint: Vec3,
        roughness: f32,
    },
    Glass {
        /// Refractive index, against air.
        index: f32,
        /// What the glass takes away, per metre.
        absorption: Vec3,
    },
}

/// A direction chosen by a surface.
#[derive(Clone, Copy, Debug)]
pub struct Bounce {
    pub direction: Vec3,
    /// What the light is multiplied by: reflectance times cosine over density.
    pub weight: Vec3,
    /// Chance per steradian; none when the direction is the only one possible (a mirror, clear glass).
    pub density: Option<f32>,
}

impl Material {
    /// Reflectance times cosine for light from `to` seen from `from`, and the chance per steradian that
    /// [`Material::bounce`] would choose `to`.
    pub fn evaluate(&self, from: Vec3, to: Vec3) -> (Vec3, f32) {
        if from.z <= 0.0 || to.z <= 0.0 {
            return (Vec3::ZERO, 0.0);
        }
        match *self {
            Material::Matte { albedo } => (albedo * (to.z / PI), to.z / PI),
            Material::Polished {
                albedo,
                mirror,
                roughness,
            } => {
                let (gloss, gloss_density) = facets(from, to, roughness);
                let half = (from + to).normalized();
                let coat = gloss * fresnel(mirror, from.dot(half));
                let below = (1.0 - fresnel(mirror, from.z)) * (1.0 - fresnel(mirror, to.z));
                let share = coat_share(albedo, mirror, from.z);
                (
                    vec3(coat, coat, coat) + albedo * (below * to.z / PI),
                    share * gloss_density + (1.0 - share) * to.z / PI,
                )
            }
            Material::Metal { tint, roughness } => {
                let (gloss, density) = facets(from, to, roughness);
                let cosine = from.dot((from + to).normalized());
                (tint.map(|f0| fresnel(f0, cosine)) * gloss, density)
            }
            Material::Glass { .. } => (Vec3::ZERO, 0.0),
        }
    }

    /// Chooses where light that leaves towards `from` came from. `entering` is false when the ray runs inside. `seen`
    /// is true where the eye sees the surface, itself or in glass: there, glass looks for what it mirrors more often.
    pub fn bounce(
        &self,
        from: Vec3,
        entering: bool,
        seen: bool,
        choice: f32,
        spot: (f32, f32),
    ) -> Option<Bounce> {
        let direction = match *self {
            Material::Matte { .. } => cosine_lobe(spot),
            Material::Polished {
                albedo,
                mirror,
                roughness,
            } => {
                if choice < coat_share(albedo, mirror, from.z) {
                    mirrored_by_facet(from, roughness, spot)
                } else {
                    cosine_lobe(spot)
                }
            }
            Material::Metal { roughness, .. } => mirrored_by_facet(from, roughness, spot),
            Material::Glass { index, .. } => {
                let least = if seen { 0.2 } else { 0.0 };
                return Some(through(from, index, entering, least, choice));
            }
        };
        let (value, density) = self.evaluate(from, direction);
        (density > 1e-6).then(|| Bounce {
            direction,
            weight: value * (1.0 / density),
            density: Some(density),
        })
    }
}

/// Schlick's approximation of Fresnel's law.
fn fresnel(straight_on: f32, cosine: f32) -> f32 {
    let k = (1.0 - cosine).clamp(0.0, 1.0);
    straight_on + (1.0 - straight_on) * (k * k) * (k * k) * k
}

/// How often the coat, rather than the colour below, is asked for a direction.
fn coat_share(albedo: Vec3, mirror: f32, cosine: f32) -> f32 {
    let coat = fresnel(mirror, cosine);
    let below = (1.0 - coat) * albedo.luminance();
    (coat / (coat + below + 1e-6)).clamp(0.15, 0.9)
}

/// A direction on the half-sphere, chosen in proportion to its cosine.
fn cosine_lobe((u, v): (f32, f32)) -> Vec3 {
    let (radius, angle) = (u.sqrt(), 2.0 * PI * v);
    vec3(
        radius * libm::cosf(angle),
        radius * libm::sinf(angle),
        (1.0 - u).sqrt().max(1e-4),
    )
}

/// GGX facets (Walter et al. 2007) with Smith's height-correlated shadowing: reflectance times cosine without the
/// Fresnel factor, and the density of [`mirrored_by_facet`].
fn facets(from: Vec3, to: Vec3, roughness: f32) -> (f32, f32) {
    let a2 = roughness * roughness * roughness * roughness;
    let half = (from + to).normalized();
    let d = half.z * half.z * (a2 - 1.0) + 1.0;
    let distribution = a2 / (PI * d * d);
    let lambda = |w: Vec3| {
        let z2 = w.z * w.z;
        0.5 * ((1.0 + a2 * (1.0 - z2).max(0.0) / z2).sqrt() - 1.0)
    };
    let (behind_from, behind_to) = (lambda(from), lambda(to));
    let value = distribution / (1.0 + behind_from + behind_to) / (4.0 * from.z);
    let density = distribution / (1.0 + behind_from) / (4.0 * from.z);
    (value, density)
}

/// Mirrors `from` at a facet chosen among those visible from there (Dupuy and Benyoub 2023: a spherical cap).
fn mirrored_by_facet(from: Vec3, roughness: f32, (u, v): (f32, f32)) -> Vec3 {
    let a = roughness * roughness;
    let stretched = vec3(from.x * a, from.y * a, from.z).normalized();
    let z = (1.0 - u) * (1.0 + stretched.z) - stretched.z;
    let radius = (1.0 - z * z).max(0.0).sqrt();
    let angle = 2.0 * PI * v;
    let cap = vec3(radius * libm::cosf(angle), radius * libm::sinf(angle), z) + stretched;
    let facet = vec3(cap.x * a, cap.y * a, cap.z.max(1e-6)).normalized();
    -from.reflected(facet)
}

/// Through clear glass, or mirrored at its face: as often as Fresnel's law says, but mirrored no less often than
/// `least`, with weights that make up for it.
fn through(from: Vec3, index: f32, entering: bool, least: f32, choice: f32) -> Bounce {
    let mirror = vec3(-from.x, -from.y, from.z);
    let go = |direction: Vec3, weight: f32| Bounce {
        direction,
        weight: Vec3::ONE * weight,
        density: None,
    };
    let ratio = if entering { 1.0 / index } else { index };
    let sine_squared = ratio * ratio * (1.0 - from.z * from.z);
    if sine_squared >= 1.0 {
        return go(mirror, 1.0);
    }
    let cosine = (1.0 - sine_squared).sqrt();
    // Exact for unpolarised light; the ratio is of the outer to the inner index.
    let across = (from.z - cosine / ratio) / (from.z + cosine / ratio);
    let along = (from.z / ratio - cosine) / (from.z / ratio + cosine);
    let mirrored = 0.5 * (across * across + along * along);
    let often = mirrored.max(least);
    if choice < often {
        go(mirror, mirrored / often)
    } else {
        let bent = vec3(-from.x * ratio, -from.y * ratio, -cosine).normalized();
        go(bent, (1.0 - mirrored) / (1.0 - often))
    }
}

#[cfg(test)]
#[path = "material_tests.rs"]
mod tests;
