// glu: a = act(gate) * up, which is `gated` of shared/gated.wgsl
//
// x [rows, 2 * width]: gate, then up   a [rows, width]   one invocation per element of a
// `Numbers` is put in front: vec4f, or f32 where width is no multiple of four; count and width are counted in them.
struct Shape { count: u32, width: u32 }

@group(0) @binding(0) var<storage, read> x: array<Numbers>;
@group(0) @binding(1) var<storage, read_write> a: array<Numbers>;
@group(0) @binding(2) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.x + wg.y * groups.x) * 64u + lane;
  if (i >= shape.count) { return; }
  let gate = i + (i / shape.width) * shape.width;
  a[i] = gated(x[gate], x[gate + shape.width]);
}
