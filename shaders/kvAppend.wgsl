// kvAppend: cache[at[row], c] = rows[row, c]
//
// rows [count / width, width]   at [count / width]   cache [capacity, width], in place
//
// One invocation per element.
struct Shape { count: u32, width: u32 }

@group(0) @binding(0) var<storage, read> rows: array<f32>;
@group(0) @binding(1) var<storage, read> at: array<u32>;
@group(0) @binding(2) var<storage, read_write> cache: array<f32>;
@group(0) @binding(3) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.x + wg.y * groups.x) * 64u + lane;
  if (i >= shape.count) { return; }
  cache[at[i / shape.width] * shape.width + i % shape.width] = rows[i];
}
