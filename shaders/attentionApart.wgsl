// attentionApart: o[i] = sum over j of softmax_j(scale * q[i] . k[j]) v[j],  first[i] <= j <= last[i]
//
// q, o   [rows, heads * d]      k, v [keys, kvHeads * d]      D4 = d / 4
// ranges [3, rows]              first key, last key (the third row serves the gradient)
// lse    [rows, heads]          log of the softmax' denominator
//
// For queries of several sequences in one cache, few of them: a workgroup for each query and head walks that query's own keys, LANES
// at a time. First each lane scores a key of its own; then the lanes lie along d, OWNED vectors each, and where they are more than
// D4, SLICES of them share the keys. Loops over OWNED and SLICES are written out by the dispatch; one of shared/rowReduce*.wgsl
// and the shared/keyWeights*.wgsl that goes with it are put in front.
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
  if (group >= shape.rows * shape.heads) { return; }
  let row = group / shape.heads;
  let kvHead = (group % shape.heads) / (shape.heads / shape.kvHeads);
  let at = group * D4;
  let slice = lane / ACROSS;
  let column = lane % ACROSS;
  var sum: array<vec4f, OWNED>;
  for (var c = 0u; c < OWNED; c++) { sum[c] = vec4f(); }
  var most = -1e38;
  var total = 0.0;
  let first = ranges[row];
  let last = ranges[shape.rows + row];
  for (var j = first; j <= last; j += LANES) {
    let seen = j + lane <= last;
    let key = (min(j + lane, last) * shape.kvHeads + kvHead) * D4;
    var s = 0.0;
    for (var c = 0u; c < D4; c++) { s += dot(q[at + c], k[key + c]); }
    s = select(-1e38, s * shape.scale, seen);
    let next = max(most, rowMax(s, lane, 0u));
    let keep = exp(most - next);
    most = next;
    let weight = select(0.0, exp(s - next), seen);
    total = total * keep + weight;
    keepWeight(weight, lane);
    for (var c = 0u; c < OWNED; c++) { sum[c] *= keep; }
    let rounds = min(ROUNDS, (last - j) / SLICES + 1u);
    for (var n = 0u; n < rounds; n++) {
      // past the keys of these lanes, or past the last key, nothing is added
      let i = n * SLICES + slice;
      let one = select(0.0, weightOf(weight, min(i, LANES - 1u)), i < LANES);
      let value = (min(j + i, last) * shape.kvHeads + kvHead) * D4;
      for (var c = 0u; c < OWNED; c++) { sum[c] = fma(vec4f(one), v[value + min(column + c * ACROSS, D4 - 1u)], sum[c]); }
    }
  }
  total = rowSum(total, lane, 0u);
  for (var c = 0u; c < OWNED; c++) {
    let whole = overSlices(sum[c], lane) / total;
    if (slice == 0u && column + c * ACROSS < D4) { o[at + column + c * ACROSS] = whole; }
  }
  if (lane == 0u) { lse[group] = most + log(total); }
}
