// fromHalves: the numbers that toHalves put into words
//
// x [ceil(count / 2)]   y [count]   one invocation per word
struct Shape { count: u32 }

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.x + wg.y * groups.x) * 64u + lane;
  if (2u * i >= shape.count) { return; }
  let pair = unpack2x16float(x[i]);
  y[2u * i] = pair.x;
  if (2u * i + 1u < shape.count) { y[2u * i + 1u] = pair.y; }
}
