// gatherRows: y[i, c] = x[at[i], c]
//
// x [rows, width]   at [count]   y [count, width]   one invocation per element; an index past the end reads the last row
struct Shape { count: u32, rows: u32, width: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> at: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.x + wg.y * groups.x) * 64u + lane;
  if (i >= shape.count * shape.width) { return; }
  y[i] = x[min(at[i / shape.width], shape.rows - 1u) * shape.width + i % shape.width];
}
