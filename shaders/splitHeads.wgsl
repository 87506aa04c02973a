// splitHeads: x = [q | k | v] of each token, head by head, into q, k and v. Query and key heads are first normed (with NORM), then
//   turned: (y[i], y[i + t/2]) = (x[i], x[i + t/2]) turned by the angle of the token's position, for i < t/2; the rest passes
//
// x          [tokens, (heads + 2 kvHeads) * dim]
// positions  [tokens]
// table      [maxPosition, t]   t/2 cosines, then t/2 sines; not read where turned = t/2 is 0
// g          [2, dim]           gains of query and key heads, read with NORM: y = (offset + g) x / sqrt(mean x^2 + epsilon)
// at         [tokens]           rows of k and v, read with PLACED; one past the end is left out. Without it: the token's own
// q [tokens, heads * dim]   k, v [keys, kvHeads * dim]
//
// LANES invocations share a head, ROWS heads share a workgroup; shared/rowReduce*.wgsl and shared/heads.wgsl are put in front.

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<f32>;
@group(0) @binding(3) var<storage, read> g: array<f32>;
@group(0) @binding(4) var<storage, read> at: array<u32>;
@group(0) @binding(5) var<storage, read_write> q: array<f32>;
@group(0) @binding(6) var<storage, read_write> k: array<f32>;
@group(0) @binding(7) var<storage, read_write> v: array<f32>;
@group(0) @binding(8) var<uniform> shape: Shape;

fn put(token: u32, row: u32, head: u32, c: u32, value: f32) {
  if (head < shape.heads) {
    q[(token * shape.heads + head) * shape.dim + c] = value;
  } else if (row >= shape.keys) {
    return;
  } else if (head < shape.heads + shape.kvHeads) {
    k[(row * shape.kvHeads + head - shape.heads) * shape.dim + c] = value;
  } else {
    v[(row * shape.kvHeads + head - shape.heads - shape.kvHeads) * shape.dim + c] = value;
  }
}

@compute @workgroup_size(LANES, ROWS)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_id) id: vec3u) {
  let own = headOf((wg.x + wg.y * groups.x) * ROWS + id.y);
  var rstd = 1.0;
  if (NORM) {
    var squares = 0.0;
    for (var c = id.x; c < shape.dim; c += LANES) { squares = fma(x[own.at + c], x[own.at + c], squares); }
    rstd = inverseSqrt(rowSum(squares, id.x, id.y) / f32(shape.dim) + shape.epsilon);
  }
  if (!own.inside) { return; }
  var row = own.token;
  if (PLACED) { row = at[own.token]; }
  let turn = positions[own.token] * shape.turned * 2u;
  for (var i = id.x; i < shape.dim / 2u; i += LANES) {
    let pair = pairOf(i, own.turned);
    var value = vec2f(x[own.at + pair.x], x[own.at + pair.y]);
    if (NORM && own.turns) { value *= (shape.offset + vec2f(g[own.gain + pair.x], g[own.gain + pair.y])) * rstd; }
    if (i < own.turned) {
      let c = table[turn + i];
      let s = table[turn + own.turned + i];
      value = vec2f(value.x * c - value.y * s, value.y * c + value.x * s);
    }
    put(own.token, row, own.head, pair.x, value.x);
    put(own.token, row, own.head, pair.y, value.y);
  }
}
