// rope: (y[i], y[i + t/2]) = (x[i], x[i + t/2]) turned by the angle of the row's position, for i < t/2; the rest of a head passes
//
// x, y       [rows, heads * d]
// positions  [rows]
// table      [maxPosition, t]   t/2 cosines, then t/2 sines
//
// One invocation per pair: it reads and writes two numbers, turned or not. half = d/2, turned = t/2; direction -1 turns back (the gradient).
struct Shape { rows: u32, heads: u32, half: u32, turned: u32, direction: f32 }

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
  let first = head * shape.half * 2u;
  if (i >= shape.turned) {
    y[first + 2u * i] = x[first + 2u * i];
    y[first + 2u * i + 1u] = x[first + 2u * i + 1u];
    return;
  }
  let turn = positions[row] * shape.turned * 2u + i;
  let c = table[turn];
  let s = table[turn + shape.turned] * shape.direction;
  let low = x[first + i];
  let high = x[first + i + shape.turned];
  y[first + i] = low * c - high * s;
  y[first + i + shape.turned] = high * c + low * s;
}
