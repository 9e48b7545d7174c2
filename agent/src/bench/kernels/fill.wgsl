// Fills a buffer with numbers that depend on their place and a seed alone, so that the checker can make any of them
// again without keeping the buffer. The mixing steps are those of `reference.rs`.

struct Seed { value: u32, unused_a: u32, unused_b: u32, unused_c: u32 }

@group(0) @binding(0) var<uniform> seed: Seed;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;

fn mix(start: u32) -> u32 {
    var x = start;
    x = (x ^ (x >> 16u)) * 0x7feb352du;
    x = (x ^ (x >> 15u)) * 0x846ca68bu;
    return x ^ (x >> 16u);
}

fn fraction(place: u32) -> f32 {
    return f32(mix(place ^ seed.value) >> 8u) * 0x1p-23 - 1.0;
}

fn whole(place: u32) -> f32 {
    return f32(mix(place ^ seed.value) >> 20u);
}

fn place(group: vec3<u32>, groups: vec3<u32>, local: u32) -> u32 {
    return (group.y * groups.x + group.x) * 256u + local;
}

// At least -1, below 1, with 24 bits: the factors of the matrix product.
@compute @workgroup_size(256)
fn fractions(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
             @builtin(local_invocation_index) local: u32) {
    let at = place(group, groups, local);
    let first = at * 4u;
    out[at] = vec4(fraction(first), fraction(first + 1u), fraction(first + 2u), fraction(first + 3u));
}

// 0 to 4095: sums of these are exact, whatever the order.
@compute @workgroup_size(256)
fn wholes(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
          @builtin(local_invocation_index) local: u32) {
    let at = place(group, groups, local);
    let first = at * 4u;
    out[at] = vec4(whole(first), whole(first + 1u), whole(first + 2u), whole(first + 3u));
}
