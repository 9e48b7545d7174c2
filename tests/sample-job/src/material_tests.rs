use super::*;
use crate::sampler::Sampler;

const MATERIALS: [Material; 4] = [
    Material::Matte { albedo: Vec3::ONE },
    Material::Polished {
        albedo: Vec3::ONE,
        mirror: 0.05,
        roughness: 0.3,
    },
    Material::Metal {
        tint: Vec3::ONE,
        roughness: 0.25,
    },
    Material::Metal {
        tint: Vec3::ONE,
        roughness: 0.7,
    },
];

fn looking_down_at(cosine: f32) -> Vec3 {
    vec3((1.0 - cosine * cosine).sqrt(), 0.0, cosine)
}

/// The mean over many bounces of what `f` makes of one.
fn mean(material: Material, from: Vec3, f: impl Fn(&Bounce) -> f32) -> f32 {
    let n = 1 << 14;
    let sum: f32 = (0..n)
        .filter_map(|i| {
            let mut sampler = Sampler::new(3, 0, i);
            let (choice, spot) = (sampler.one(), sampler.pair());
            material.bounce(from, true, false, choice, spot)
        })
        .map(|b| f(&b))
        .sum();
    sum / n as f32
}

#[test]
fn no_surface_gives_back_more_light_than_it_gets() {
    for material in MATERIALS {
        for cosine in [0.1, 0.5, 1.0] {
            let back = mean(material, looking_down_at(cosine), |b| b.weight.x);
            assert!(
                back < 1.01,
                "{material:?} at {cosine} gives back {back} of what it got"
            );
            assert!(
                back > 0.6,
                "{material:?} at {cosine} swallows too much: {back}"
            );
        }
    }
}

/// Choosing directions by the surface's own density must give the same integral as choosing them evenly.
#[test]
fn the_density_is_the_one_that_bounces_have() {
    for material in MATERIALS {
        let from = looking_down_at(0.6);
        let by_bounce = mean(material, from, |b| b.weight.x * b.direction.x);
        let n = 1 << 18;
        let mut evenly = 0.0;
        for i in 0..n {
            let (u, v) = Sampler::new(9, 1, i).pair();
            let (radius, angle) = ((1.0 - u * u).sqrt(), 2.0 * PI * v);
            let to = vec3(radius * libm::cosf(angle), radius * libm::sinf(angle), u);
            evenly += material.evaluate(from, to).0.x * to.x * 2.0 * PI;
        }
        let evenly = evenly / n as f32;
        assert!(
            (by_bounce - evenly).abs() < 0.02,
            "{material:?}: {by_bounce} by its own density, {evenly} evenly"
        );
    }
}

#[test]
fn light_runs_the_same_way_in_both_directions() {
    let (a, b) = (looking_down_at(0.3), vec3(-0.2, 0.5, 0.9).normalized());
    for material in MATERIALS {
        let (there, back) = (material.evaluate(a, b).0.x, material.evaluate(b, a).0.x);
        assert!(
            (there / b.z - back / a.z).abs() < 1e-4,
            "{material:?}: {there} {back}"
        );
    }
}

#[test]
fn glass_bends_by_snells_law_and_mirrors_everything_beyond_the_critical_angle() {
    let from = looking_down_at(0.5);
    let bent = through(from, 1.5, true, 0.0, 0.99).direction;
    assert!(bent.z < 0.0);
    let (sine_in, sine_out) = (from.x, bent.x.abs());
    assert!((sine_in / sine_out - 1.5).abs() < 1e-4);
    let inside = through(from, 1.5, false, 0.0, 0.99).direction;
    assert_eq!(inside, vec3(-from.x, 0.0, from.z), "total reflection");
}

#[test]
fn glass_straight_on_mirrors_four_per_cent() {
    let straight = vec3(0.0, 0.0, 1.0);
    for entering in [true, false] {
        assert!(through(straight, 1.5, entering, 0.0, 0.039).direction.z > 0.0);
        assert!(through(straight, 1.5, entering, 0.0, 0.041).direction.z < 0.0);
    }
}

#[test]
fn looking_for_the_mirrored_more_often_changes_no_mean() {
    let from = looking_down_at(0.4);
    let n = 1 << 14;
    let mirrored = |least: f32| {
        let weights = (0..n).map(|i| through(from, 1.5, true, least, (i as f32 + 0.5) / n as f32));
        let up = weights.filter(|b| b.direction.z > 0.0);
        up.map(|b| b.weight.x).sum::<f32>() / n as f32
    };
    assert!((mirrored(0.0) - mirrored(0.3)).abs() < 1e-3);
}
