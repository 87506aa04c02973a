// splitHeads: x = [q | k | v] of each token, head by head, into q, k and v. Query and key heads are first normed (with NORM), then
//   turned: (y[i], y[i + t/2]) = (x[i], x[i + t/2]) turned by the angle of the token's position, for i < t/2; the rest passes
//
// x          [tokens, (heads + 2 kvHeads) * dim]
// positions  [tokens]
// table      [maxPosition, t]   t/2 cosines, then t/2 sines; not read where turned = t/2 is 0
// g          [2, dim]           gains of query and key heads, read with NORM: y = (offset + g) x / sqrt(mean x^2 + epsilon)
// q [tokens, heads * dim]   k, v [tokens, kvHeads * dim]
//
// LANES invocations share a head, ROWS heads share a workgroup; shared/rowReduce.wgsl is put in front.
struct Shape { tokens: u32, heads: u32, kvHeads: u32, dim: u32, turned: u32, epsilon: f32, offset: f32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<f32>;
@group(0) @binding(3) var<storage, read> g: array<f32>;
@group(0) @binding(4) var<storage, read_write> q: array<f32>;
@group(0) @binding(5) var<storage, read_write> k: array<f32>;
@group(0) @binding(6) var<storage, read_write> v: array<f32>;
@group(0) @binding(7) var<uniform> shape: Shape;

fn put(token: u32, head: u32, c: u32, value: f32) {
  if (head < shape.heads) {
    q[(token * shape.heads + head) * shape.dim + c] = value;
  } else if (head < shape.heads + shape.kvHeads) {
    k[(token * shape.kvHeads + head - shape.heads) * shape.dim + c] = value;
  } else {
    v[(token * shape.kvHeads + head - shape.heads - shape.kvHeads) * shape.dim + c] = value;
  }
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
  var rstd = 1.0;
  if (NORM) {
    var squares = 0.0;
    for (var c = id.x; c < shape.dim; c += LANES) { squares = fma(x[at + c], x[at + c], squares); }
    rstd = inverseSqrt(rowSum(squares, id.x, id.y) / f32(shape.dim) + shape.epsilon);
  }
  if (row >= shape.tokens * all) { return; }
  let normed = NORM && turns;
  let gain = select(shape.dim, 0u, head < shape.heads);
  let turned = select(0u, shape.turned, turns);
  let turn = positions[token] * shape.turned * 2u;
  for (var i = id.x; i < shape.dim / 2u; i += LANES) {
    let first = select(2u * i, i, i < turned);
    let second = select(2u * i + 1u, i + turned, i < turned);
    var low = x[at + first];
    var high = x[at + second];
    if (normed) {
      low *= (shape.offset + g[gain + first]) * rstd;
      high *= (shape.offset + g[gain + second]) * rstd;
    }
    if (i < turned) {
      let c = table[turn + i];
      let s = table[turn + turned + i];
      put(token, head, first, low * c - high * s);
      put(token, head, second, high * c + low * s);
    } else {
      put(token, head, first, low);
      put(token, head, second, high);
    }
  }
}
