// joinHeads: the gradient of splitHeads.wgsl: dq, dk and dv side by side again, turned back, and with NORM taken through the norm:
//   dx = rstd (w d - u mean(w d u)),  u = rstd x,  w = offset + g,  d = the gradient turned back
//
// dq [tokens, heads * dim]   dk, dv [tokens, kvHeads * dim]   x, dx [tokens, (heads + 2 kvHeads) * dim]   g [2, dim]
// positions, table as there; x and g are read with NORM.
//
// LANES invocations share a head, ROWS heads share a workgroup; shared/rowReduce*.wgsl and shared/heads.wgsl are put in front.

@group(0) @binding(0) var<storage, read> dq: array<f32>;
@group(0) @binding(1) var<storage, read> dk: array<f32>;
@group(0) @binding(2) var<storage, read> dv: array<f32>;
@group(0) @binding(3) var<storage, read> positions: array<u32>;
@group(0) @binding(4) var<storage, read> table: array<f32>;
@group(0) @binding(5) var<storage, read> g: array<f32>;
@group(0) @binding(6) var<storage, read> x: array<f32>;
@group(0) @binding(7) var<storage, read_write> dx: array<f32>;
@group(0) @binding(8) var<uniform> shape: Shape;

fn given(token: u32, head: u32, c: u32) -> f32 {
  if (head < shape.heads) { return dq[(token * shape.heads + head) * shape.dim + c]; }
  if (head < shape.heads + shape.kvHeads) { return dk[(token * shape.kvHeads + head - shape.heads) * shape.dim + c]; }
  return dv[(token * shape.kvHeads + head - shape.heads - shape.kvHeads) * shape.dim + c];
}

// Pair i of a head, turned back.
fn back(own: Head, i: u32, pair: vec2u) -> vec2f {
  let d = vec2f(given(own.token, own.head, pair.x), given(own.token, own.head, pair.y));
  if (i >= own.turned) { return d; }
  let turn = positions[own.token] * own.turned * 2u + i;
  let c = table[turn];
  let s = table[turn + own.turned];
  return vec2f(d.x * c + d.y * s, d.y * c - d.x * s);
}

fn weightOf(own: Head, pair: vec2u) -> vec2f { return shape.offset + vec2f(g[own.gain + pair.x], g[own.gain + pair.y]); }

@compute @workgroup_size(LANES, ROWS)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_id) id: vec3u) {
  let row = (wg.x + wg.y * groups.x) * ROWS + id.y;
  let own = headOf(row);
  let half = shape.dim / 2u;
  var rstd = 1.0;
  var pull = 0.0;
  if (NORM) {
    var squares = 0.0;
    var along = 0.0;
    for (var i = id.x; i < half; i += LANES) {
      let pair = pairOf(i, own.turned);
      let value = vec2f(x[own.at + pair.x], x[own.at + pair.y]);
      squares += dot(value, value);
      along += dot(weightOf(own, pair) * back(own, i, pair), value);
    }
    rstd = inverseSqrt(rowSum(squares, id.x, id.y) / f32(shape.dim) + shape.epsilon);
    pull = rowSum(along, id.x, id.y) * rstd * rstd / f32(shape.dim);
  }
  if (!own.inside) { return; }
  for (var i = id.x; i < half; i += LANES) {
    let pair = pairOf(i, own.turned);
    var d = back(own, i, pair);
    if (NORM && own.turns) {
      d = rstd * (weightOf(own, pair) * d - vec2f(x[own.at + pair.x], x[own.at + pair.y]) * pull);
    }
    dx[own.at + pair.x] = d.x;
    dx[own.at + pair.y] = d.y;
  }
}
