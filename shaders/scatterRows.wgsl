// scatterRows: whole[at[i], c] = values[i, c], in place; an index past the end writes nothing
//
// values [count, width]   at [count], each place once   whole [rows, width]   one invocation per element
struct Shape { count: u32, rows: u32, width: u32 }

@group(0) @binding(0) var<storage, read> values: array<f32>;
@group(0) @binding(1) var<storage, read> at: array<u32>;
@group(0) @binding(2) var<storage, read_write> whole: array<f32>;
@group(0) @binding(3) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.x + wg.y * groups.x) * 64u + lane;
  if (i >= shape.count * shape.width) { return; }
  let row = at[i / shape.width];
  if (row < shape.rows) { whole[row * shape.width + i % shape.width] = values[i]; }
}
