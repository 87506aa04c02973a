// attention: o[i] = sum over j of softmax_j(scale * q[i] . k[j]) v[j],  first[i] <= j <= last[i]
//
// q, o   [rows, heads * d]      k, v [keys, kvHeads * d]
// ranges [3, rows]              first key, last key (the third row serves the gradient)
// lse    [rows, heads]          log of the softmax' denominator
//
// One invocation per query and head, one pass over its keys with a running maximum. D4 = d / 4.
struct Shape { rows: u32, keys: u32, heads: u32, kvHeads: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<vec4f>;
@group(0) @binding(3) var<storage, read> ranges: array<u32>;
@group(0) @binding(4) var<storage, read_write> o: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
@group(0) @binding(6) var<uniform> shape: Shape;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  // neighbours are rows of one head: they share most keys
  let index = (wg.x + wg.y * groups.x) * LANES + lane;
  let row = index % shape.rows;
  let head = index / shape.rows;
  if (head >= shape.heads) { return; }
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
  let end = ranges[shape.rows + row];
  for (var j = ranges[row]; j <= end; j++) {
    let key = (j * shape.kvHeads + kvHead) * D4;
    var s = 0.0;
    for (var c = 0u; c < D4; c++) { s += dot(mine[c], k[key + c]); }
    let higher = max(most, s);
    let keep = exp(most - higher);
    let p = exp(s - higher);
    total = total * keep + p;
    for (var c = 0u; c < D4; c++) { sum[c] = fma(vec4f(p), v[key + c], sum[c] * keep); }
    most = higher;
  }
  for (var c = 0u; c < D4; c++) { o[at + c] = sum[c] / total; }
  lse[row * shape.heads + head] = most + log(total);
}
