// The triad of the STREAM benchmark: two reads and one write for each element, and next to nothing to compute.

@group(0) @binding(0) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> c: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> a: array<vec4<f32>>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let at = (group.y * groups.x + group.x) * 256u + local;
    a[at] = b[at] + 3.0 * c[at];
}
