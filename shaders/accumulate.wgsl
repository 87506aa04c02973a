// accumulate: gradient[offset + i] += values[i]
//
// values [count]   gradient [all]   one invocation per value
struct Shape { count: u32, offset: u32 }

@group(0) @binding(0) var<storage, read> values: array<f32>;
@group(0) @binding(1) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(2) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.x + wg.y * groups.x) * 64u + lane;
  if (i >= shape.count) { return; }
  gradient[shape.offset + i] += values[i];
}
