// attentionApart: o[i] = sum over j of softmax_j(scale * q[i] . k[j]) v[j],  first[i] <= j <= last[i]
//
// q, o   [rows, heads * d]      k, v [keys, kvHeads * d]
// ranges [3, rows]              first key, last key (the third row serves the gradient)
// lse    [rows, heads]          log of the softmax' denominator
//
// For queries of several sequences in one cache: one invocation per query and head walks that query's own keys with a running
// maximum. Loops over D4 = d / 4 are written out by the dispatch.
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
  let strips = (shape.rows + LANES - 1u) / LANES;
  let head = group / strips;
  if (head >= shape.heads) { return; }
  let row0 = (group % strips) * LANES;
  let own = row0 + lane;
  let row = min(own, shape.rows - 1u);
  let at = (row * shape.heads + head) * D4;
  let kvHead = head / (shape.heads / shape.kvHeads);
  var mine: array<vec4f, D4>;
  var sum: array<vec4f, D4>;
  for (var c = 0u; c < D4; c++) {
    mine[c] = q[at + c] * shape.scale;
    sum[c] = vec4f();
  }
  var most = -1e38;
  var total = 0.0;
  let first = ranges[row];
  let last = ranges[shape.rows + row];
  for (var j = first; j <= last; j++) {
    let key = (j * shape.kvHeads + kvHead) * D4;
    var s = 0.0;
    for (var c = 0u; c < D4; c++) { s += dot(mine[c], k[key + c]); }
    // one exponential serves both: the old sum is scaled down or the new score is, never both
    let less = exp(-abs(s - most));
    let raised = s > most;
    let keep = select(1.0, less, raised);
    let p = select(less, 1.0, raised);
    total = total * keep + p;
    for (var c = 0u; c < D4; c++) { sum[c] = fma(vec4f(p), v[key + c], sum[c] * keep); }
    most = select(most, s, raised);
  }
  if (own < shape.rows) {
    for (var c = 0u; c < D4; c++) { o[at + c] = sum[c] / total; }
    lse[row * shape.heads + head] = most + log(total);
  }
}
