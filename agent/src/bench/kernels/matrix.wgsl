// C = A * B for square fp32 matrices whose side is a multiple of 128. A lies transposed, so that both factors are read
// along rows. A workgroup computes a tile of 128 x 128: 256 invocations with 8 x 8 results each, kept in registers, from
// slices of 8 rows of both factors in shared memory.

struct Size { n: u32, unused_a: u32, unused_b: u32, unused_c: u32 }

@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4<f32>>;

// 8 rows of 128 numbers each: 32 vectors to a row.
var<workgroup> a_slice: array<vec4<f32>, 256>;
var<workgroup> b_slice: array<vec4<f32>, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let row_vectors = size.n / 4u;
    // Which vector of a slice this invocation loads.
    let slice_row = local / 32u;
    let slice_column = local % 32u;
    let a_column = group.y * 32u + slice_column;
    let b_column = group.x * 32u + slice_column;
    // Which results it computes: rows 4*down.. and 64 + 4*down.., columns 4*across.. and 64 + 4*across...
    let down = local / 16u;
    let across = local % 16u;

    // The name tells the row (0-7) and the half of the columns (low, high).
    var r0l = vec4<f32>(); var r0h = vec4<f32>();
    var r1l = vec4<f32>(); var r1h = vec4<f32>();
    var r2l = vec4<f32>(); var r2h = vec4<f32>();
    var r3l = vec4<f32>(); var r3h = vec4<f32>();
    var r4l = vec4<f32>(); var r4h = vec4<f32>();
    var r5l = vec4<f32>(); var r5h = vec4<f32>();
    var r6l = vec4<f32>(); var r6h = vec4<f32>();
    var r7l = vec4<f32>(); var r7h = vec4<f32>();

    for (var k = 0u; k < size.n; k += 8u) {
        let source = (k + slice_row) * row_vectors;
        a_slice[local] = a[source + a_column];
        b_slice[local] = b[source + b_column];
        workgroupBarrier();
        for (var step = 0u; step < 256u; step += 32u) {
            let a_low = a_slice[step + down];
            let a_high = a_slice[step + 16u + down];
            let b_low = b_slice[step + across];
            let b_high = b_slice[step + 16u + across];
            r0l += a_low.x * b_low; r0h += a_low.x * b_high;
            r1l += a_low.y * b_low; r1h += a_low.y * b_high;
            r2l += a_low.z * b_low; r2h += a_low.z * b_high;
            r3l += a_low.w * b_low; r3h += a_low.w * b_high;
            r4l += a_high.x * b_low; r4h += a_high.x * b_high;
            r5l += a_high.y * b_low; r5h += a_high.y * b_high;
            r6l += a_high.z * b_low; r6h += a_high.z * b_high;
            r7l += a_high.w * b_low; r7h += a_high.w * b_high;
        }
        workgroupBarrier();
    }

    let row = (group.y * 128u + down * 4u) * row_vectors;
    let column = group.x * 32u + across;
    let half = 64u * row_vectors;
    c[row + column] = r0l; c[row + column + 16u] = r0h;
    c[row + row_vectors + column] = r1l; c[row + row_vectors + column + 16u] = r1h;
    c[row + 2u * row_vectors + column] = r2l; c[row + 2u * row_vectors + column + 16u] = r2h;
    c[row + 3u * row_vectors + column] = r3l; c[row + 3u * row_vectors + column + 16u] = r3h;
    c[row + half + column] = r4l; c[row + half + column + 16u] = r4h;
    c[row + half + row_vectors + column] = r5l; c[row + half + row_vectors + column + 16u] = r5h;
    c[row + half + 2u * row_vectors + column] = r6l; c[row + half + 2u * row_vectors + column + 16u] = r6h;
    c[row + half + 3u * row_vectors + column] = r7l; c[row + half + 3u * row_vectors + column + 16u] = r7h;
}
