// attentionApart: o[i] = sum over j of softmax_j(scale * q[i] . k[j]) v[j],  first[i] <= j <= last[i]
//
// q, o   [rows, heads * d]      k, v [keys, kvHeads * d]      D4 = d / 4
// ranges [3, rows]              first key, last key (the third row serves the gradient)
// lse    [rows, heads]          log of the softmax' denominator
//
// For queries of several sequences in one cache, few of them: a workgroup for each query and TOGETHER of the heads that share keys walks
// that query's own keys, LANES at a time. First each lane scores a key of its own; then the lanes lie along d, OWNED vectors each, and
// where they are more than D4, SLICES of them share the keys. Loops over OWNED, SLICES and TOGETHER are written out by the dispatch; one
// of shared/rowReduce*.wgsl and the shared/keyWeights*.wgsl that goes with it are put in front.
struct Shape { rows: u32, keys: u32, heads: u32, kvHeads: u32, d4: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<vec4f>;
@group(0) @binding(3) var<storage, read> ranges: array<u32>;
@group(0) @binding(4) var<storage, read_write> o: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
@group(0) @binding(6) var<uniform> shape: Shape;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let group = wg.x + wg.y * groups.x;
  let parts = shape.heads / TOGETHER;
  if (group >= shape.rows * parts) { return; }
  let row = group / parts;
  let head = (group % parts) * TOGETHER;
  let kvHead = head / (shape.heads / shape.kvHeads);
  let at = (row * shape.heads + head) * D4;
  let slice = lane / ACROSS;
  let column = lane % ACROSS;
  var own: array<vec4f, OWNED * TOGETHER>;
  var sum: array<vec4f, OWNED * TOGETHER>;
  var most: array<f32, TOGETHER>;
  var total: array<f32, TOGETHER>;
  for (var h = 0u; h < TOGETHER; h++) {
    for (var c = 0u; c < OWNED; c++) {
      own[h * OWNED + c] = q[at + h * D4 + min(column + c * ACROSS, D4 - 1u)];
      sum[h * OWNED + c] = vec4f();
    }
    most[h] = -1e38;
    total[h] = 0.0;
  }
  let first = ranges[row];
  let last = ranges[shape.rows + row];
  for (var j = first; j <= last; j += LANES) {
    let seen = j + lane <= last;
    let key = (min(j + lane, last) * shape.kvHeads + kvHead) * D4;
    var s: array<f32, TOGETHER>;
    for (var h = 0u; h < TOGETHER; h++) { s[h] = 0.0; }
    for (var c = 0u; c < OWNED; c++) {
      for (var l = 0u; l < min(ACROSS, vectorsOfHead() - c * ACROSS); l++) {
        let one = k[key + c * ACROSS + l];
        for (var h = 0u; h < TOGETHER; h++) {
          s[h] += dot(queryOf(own[h * OWNED + c], l, at + h * D4 + c * ACROSS + l), one);
        }
      }
    }
    for (var h = 0u; h < TOGETHER; h++) {
      let score = select(-1e38, s[h] * shape.scale, seen);
      let next = max(most[h], rowMax(score, lane, 0u));
      let keep = exp(most[h] - next);
      most[h] = next;
      s[h] = select(0.0, exp(score - next), seen);
      total[h] = total[h] * keep + s[h];
      keepWeight(s[h], lane, h);
      for (var c = 0u; c < OWNED; c++) { sum[h * OWNED + c] *= keep; }
    }
    let rounds = min(ROUNDS, (last - j) / SLICES + 1u);
    for (var n = 0u; n < rounds; n++) {
      // past the keys of these lanes, or past the last key, nothing is added
      let i = n * SLICES + slice;
      let value = (min(j + i, last) * shape.kvHeads + kvHead) * D4;
      for (var c = 0u; c < OWNED; c++) {
        let one = v[value + min(column + c * ACROSS, D4 - 1u)];
        for (var h = 0u; h < TOGETHER; h++) {
          let weight = select(0.0, weightOf(s[h], min(i, LANES - 1u), h), i < LANES);
          sum[h * OWNED + c] = fma(vec4f(weight), one, sum[h * OWNED + c]);
        }
      }
    }
  }
  for (var h = 0u; h < TOGETHER; h++) {
    let all = rowSum(total[h], lane, 0u);
    for (var c = 0u; c < OWNED; c++) {
      let whole = overSlices(sum[h * OWNED + c], lane) / all;
      if (slice == 0u && column + c * ACROSS < D4) { o[at + h * D4 + column + c * ACROSS] = whole; }
    }
    if (lane == 0u) { lse[row * shape.heads + head + h] = most[h] + log(all); }
  }
}
