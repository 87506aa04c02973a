// toHalves: two numbers in a word, as half floats; what is beyond their range becomes the largest there is
//
// x [count]   y [ceil(count / 2)]   one invocation per word
struct Shape { count: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(0) @binding(2) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.x + wg.y * groups.x) * 64u + lane;
  if (2u * i >= shape.count) { return; }
  let pair = vec2f(x[2u * i], x[min(2u * i + 1u, shape.count - 1u)]);
  y[i] = pack2x16float(clamp(pair, vec2f(-65504.0), vec2f(65504.0)));
}
