// sumParts: result[i] = sum over p of parts[p, i], in order; with ADD, added to what is there
//
// parts [count, size]   result [size]   one invocation per element
struct Shape { size: u32, count: u32 }

@group(0) @binding(0) var<storage, read> parts: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.x + wg.y * groups.x) * 64u + lane;
  if (i >= shape.size) { return; }
  var sum = 0.0;
  if (ADD) { sum = result[i]; }
  for (var p = 0u; p < shape.count; p++) { sum += parts[p * shape.size + i]; }
  result[i] = sum;
}
