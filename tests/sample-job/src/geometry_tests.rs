use super::*;
use crate::vector::vec3;

fn ray(origin: Vec3, towards: Vec3) -> Ray {
    Ray {
        origin,
        direction: (towards - origin).normalized(),
    }
}

fn meet(shape: Shape, ray: Ray) -> Option<f32> {
    shape.meet(&ray, EPSILON, 1e9)
}

const RING: Shape = Shape::Ring {
    center: vec3(0.0, 0.0, 0.0),
    axis: vec3(0.0, 0.0, 1.0),
    major: 2.0,
    minor: 0.25,
};

#[test]
fn a_sphere_is_met_from_outside_and_from_inside() {
    let sphere = Shape::Sphere {
        center: vec3(0.0, 0.0, 5.0),
        radius: 2.0,
    };
    let forward = ray(Vec3::ZERO, vec3(0.0, 0.0, 1.0));
    assert_eq!(meet(sphere, forward), Some(3.0));
    let inside = ray(vec3(0.0, 0.0, 5.0), vec3(0.0, 0.0, 9.0));
    assert_eq!(meet(sphere, inside), Some(2.0));
    let past = ray(Vec3::ZERO, vec3(0.0, 2.5, 5.0));
    assert_eq!(meet(sphere, past), None);
    assert_eq!(sphere.meet(&forward, EPSILON, 2.5), None, "beyond far");
}

#[test]
fn a_round_pebble_is_a_sphere_and_a_flat_one_is_met_lower() {
    let from = ray(vec3(0.3, 4.0, 0.1), vec3(0.2, 0.0, 0.0));
    let center = vec3(0.0, 0.0, 0.0);
    let sphere = meet(
        Shape::Sphere {
            center,
            radius: 1.5,
        },
        from,
    );
    let pebble = Shape::Pebble {
        center,
        radii: vec3(1.5, 1.5, 1.5),
    };
    let (a, b) = (sphere.unwrap_or(0.0), meet(pebble, from).unwrap_or(1.0));
    assert!((a - b).abs() < 1e-5, "{a} {b}");
    let flat = Shape::Pebble {
        center,
        radii: vec3(1.5, 0.5, 1.5),
    };
    let down = ray(vec3(0.0, 4.0, 0.0), Vec3::ZERO);
    assert_eq!(meet(flat, down), Some(3.5));
    assert_eq!(flat.normal(vec3(0.0, 0.5, 0.0)), Vec3::UP);
}

#[test]
fn a_ring_is_met_on_its_tube_and_looked_through_in_its_middle() {
    let at_tube = ray(vec3(2.0, 0.0, -5.0), vec3(2.0, 0.0, 0.0));
    let t = meet(RING, at_tube).unwrap_or(0.0);
    assert!((t - 4.75).abs() < 1e-3, "{t}");
    assert_eq!(
        meet(RING, ray(vec3(0.0, 0.0, -5.0), vec3(0.1, 0.0, 0.0))),
        None
    );
    let edge_on = ray(vec3(-9.0, 0.0, 0.0), Vec3::ZERO);
    let t = meet(RING, edge_on).unwrap_or(0.0);
    assert!((t - 6.75).abs() < 1e-3, "{t}");
}

#[test]
fn a_ray_that_leaves_the_ring_does_not_meet_it_where_it_left() {
    let point = vec3(2.0, 0.0, -0.25);
    let normal = RING.normal(point);
    assert!((normal - vec3(0.0, 0.0, -1.0)).length() < 1e-4);
    let away = Ray {
        origin: point + normal * EPSILON,
        direction: vec3(0.3, 0.0, -1.0).normalized(),
    };
    assert_eq!(meet(RING, away), None);
}

#[test]
fn a_panel_shines_to_one_side_only_and_its_density_covers_its_solid_angle() {
    let panel = Panel {
        center: vec3(0.0, 3.0, 0.0),
        half_u: vec3(0.5, 0.0, 0.0),
        half_v: vec3(0.0, 0.0, 0.5),
        radiance: Vec3::ONE,
    };
    assert_eq!(panel.normal(), vec3(0.0, -1.0, 0.0));
    assert_eq!(panel.meet(&ray(Vec3::ZERO, Vec3::UP), 1e9), Some(3.0));
    assert_eq!(
        panel.meet(&ray(vec3(0.0, 6.0, 0.0), Vec3::ZERO), 1e9),
        None,
        "from behind"
    );
    assert_eq!(
        panel.meet(&ray(Vec3::ZERO, vec3(0.6, 3.0, 0.0)), 1e9),
        None,
        "past the edge"
    );

    // The mean of 1/density over points of the panel is its solid angle; from the formula for a square on the axis.
    let mut sum = 0.0;
    let n = 64;
    for i in 0..n {
        for j in 0..n {
            let to = panel.point(((i as f32 + 0.5) / n as f32, (j as f32 + 0.5) / n as f32));
            let distance = to.length();
            sum += 1.0 / panel.density(distance, to.y / distance);
        }
    }
    let measured = sum / (n * n) as f32;
    let (a, d) = (0.5f32, 3.0f32);
    let exact = 4.0 * (a * a / ((a * a + d * d) * (a * a + d * d)).sqrt()).asin();
    assert!((measured - exact).abs() < 1e-4, "{measured} {exact}");
}
