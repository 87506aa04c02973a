// rope: (y[i], y[i + d/2]) = (x[i], x[i + d/2]) turned by the angle of the row's position
//
// x, y       [rows, heads * d]
// positions  [rows]
// table      [maxPosition, d]   d/2 cosines, then d/2 sines
//
// One invocation per pair: it reads and writes both halves. direction -1 turns back (the gradient).
struct Shape { rows: u32, heads: u32, half: u32, direction: f32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (wg.x + wg.y * groups.x) * 64u + lane;
  let head = index / shape.half;
  let i = index % shape.half;
  let row = head / shape.heads;
  if (row >= shape.rows) { return; }
  let turn = positions[row] * shape.half * 2u + i;
  let c = table[turn];
  let s = table[turn + shape.half] * shape.direction;
  let at = head * shape.half * 2u + i;
  let low = x[at];
  let high = x[at + shape.half];
  y[at] = low * c - high * s;
  y[at + shape.half] = high * c + low * s;
}
