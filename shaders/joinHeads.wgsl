// joinHeads: the gradient of splitHeads.wgsl: dq, dk and dv side by side again, turned back, and with NORM taken through the norm:
//   dx = rstd (w d - u mean(w d u)),  u = rstd x,  w = offset + g,  d = the gradient turned back
//
// dq [tokens, heads * dim]   dk, dv [tokens, kvHeads * dim]   x, dx [tokens, (heads + 2 kvHeads) * dim]   g [2, dim]
// positions, table as there; x and g are read with NORM.
//
// LANES invocations share a head, ROWS heads share a workgroup; shared/rowReduce.wgsl is put in front.
struct Shape { tokens: u32, heads: u32, kvHeads: u32, dim: u32, turned: u32, epsilon: f32, offset: f32 }

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

// The pair `i` of a head turned back.
fn back(token: u32, head: u32, i: u32, first: u32, second: u32, turned: u32) -> vec2f {
  let low = given(token, head, first);
  let high = given(token, head, second);
  if (i >= turned) { return vec2f(low, high); }
  let turn = positions[token] * turned * 2u + i;
  let c = table[turn];
  let s = table[turn + turned];
  return vec2f(low * c + high * s, high * c - low * s);
}

@compute @workgroup_size(LANES, ROWS)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_id) id: vec3u) {
  let all = shape.heads + 2u * shape.kvHeads;
  let row = (wg.x + wg.y * groups.x) * ROWS + id.y;
  let own = min(row, shape.tokens * all - 1u);
  let at = own * shape.dim;
  let head = own % all;
  let token = own / all;
  let turns = head < shape.heads + shape.kvHeads;
  let turned = select(0u, shape.turned, turns);
  let gain = select(shape.dim, 0u, head < shape.heads);
  let half = shape.dim / 2u;
  var rstd = 1.0;
  var pull = 0.0;
  if (NORM) {
    var squares = 0.0;
    var along = 0.0;
    for (var i = id.x; i < half; i += LANES) {
      let first = select(2u * i, i, i < turned);
      let second = select(2u * i + 1u, i + turned, i < turned);
      let d = back(token, head, i, first, second, turned);
      let value = vec2f(x[at + first], x[at + second]);
      squares += dot(value, value);
      along += dot((shape.offset + vec2f(g[gain + first], g[gain + second])) * d, value);
    }
    rstd = inverseSqrt(rowSum(squares, id.x, id.y) / f32(shape.dim) + shape.epsilon);
    pull = rowSum(along, id.x, id.y) * rstd * rstd / f32(shape.dim);
  }
  if (row >= shape.tokens * all) { return; }
  for (var i = id.x; i < half; i += LANES) {
    let first = select(2u * i, i, i < turned);
    let second = select(2u * i + 1u, i + turned, i < turned);
    var d = back(token, head, i, first, second, turned);
    if (NORM && turns) {
      let value = vec2f(x[at + first], x[at + second]);
      d = rstd * ((shape.offset + vec2f(g[gain + first], g[gain + second])) * d - value * pull);
    }
    dx[at + first] = d.x;
    dx[at + second] = d.y;
  }
}
