// attentionDkv: with VALUES    dv[j] = sum over i of p[i, j] dy[i]
//               without        dk[j] = scale * sum over i of p[i, j] (dy[i] . v[j] - dots[i]) q[i]
// over the queries i that see key j, of every head in its group; p = exp(scale * q[i] . k[j] - lse[i])
//
// q, dy [rows, heads * d]   k, v, result [keys, kvHeads * d]   lse, dots [rows, heads]
// ranges [3, rows]          first key of a query, last key, last query of a key
//
// One invocation per key and kv head; the LANES keys of a workgroup walk the same queries in order, and each leaves out those
// that do not see it: the same sum every time. D4 = d / 4.
struct Shape { rows: u32, keys: u32, heads: u32, kvHeads: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<vec4f>;
@group(0) @binding(3) var<storage, read> ranges: array<u32>;
@group(0) @binding(4) var<storage, read> dy: array<vec4f>;
@group(0) @binding(5) var<storage, read> lse: array<f32>;
@group(0) @binding(6) var<storage, read> dots: array<f32>;
@group(0) @binding(7) var<storage, read_write> result: array<vec4f>;
@group(0) @binding(8) var<uniform> shape: Shape;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let strip = wg.x + wg.y * groups.x;
  let strips = (shape.keys + LANES - 1u) / LANES;
  let kvHead = strip / strips;
  if (kvHead >= shape.kvHeads) { return; }
  let j0 = (strip % strips) * LANES;
  let own = j0 + lane;
  let j = min(own, shape.keys - 1u);
  let at = (j * shape.kvHeads + kvHead) * D4;
  let group = shape.heads / shape.kvHeads;
  var key: array<vec4f, D4>;
  var value: array<vec4f, D4>;
  var sum: array<vec4f, D4>;
  for (var c = 0u; c < D4; c++) {
    key[c] = k[at + c] * shape.scale;
    value[c] = v[at + c];
    sum[c] = vec4f();
  }
  let until = ranges[2u * shape.rows + j];
  let end = ranges[2u * shape.rows + min(j0 + LANES, shape.keys) - 1u];
  for (var i = j0; i <= end; i++) {
    let seen = i >= j && i <= until;
    for (var head = kvHead * group; head < (kvHead + 1u) * group; head++) {
      let query = (i * shape.heads + head) * D4;
      var s = 0.0;
      for (var c = 0u; c < D4; c++) { s += dot(key[c], q[query + c]); }
      var weight = select(0.0, exp(min(s - lse[i * shape.heads + head], 0.0)), seen);
      if (VALUES) {
        for (var c = 0u; c < D4; c++) { sum[c] = fma(vec4f(weight), dy[query + c], sum[c]); }
      } else {
        var dp = 0.0;
        for (var c = 0u; c < D4; c++) { dp += dot(value[c], dy[query + c]); }
        weight *= (dp - dots[i * shape.heads + head]) * shape.scale;
        for (var c = 0u; c < D4; c++) { sum[c] = fma(vec4f(weight), q[query + c], sum[c]); }
      }
    }
  }
  if (own < shape.keys) {
    for (var c = 0u; c < D4; c++) { result[at + c] = sum[c]; }
  }
}
