// copyColumns: result[row, start + c] = source[row, first + c] for c < width; the rest of result stays
//
// source [rows, sourceCols]   result [rows, resultCols]   one invocation per copied element
struct Shape { rows: u32, width: u32, first: u32, sourceCols: u32, start: u32, resultCols: u32 }

@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.x + wg.y * groups.x) * 64u + lane;
  let row = i / shape.width;
  if (row >= shape.rows) { return; }
  let c = i % shape.width;
  result[row * shape.resultCols + shape.start + c] = source[row * shape.sourceCols + shape.first + c];
}
