// attentionDq: dq[i] = scale * sum over j of p[i, j] (dy[i] . v[j] - dots[i]) k[j],  p = exp(scale * q[i] . k[j] - lse[i])
//
// q, dy, dq [rows, heads * d]   k, v [keys, kvHeads * d]   ranges [3, rows]   lse, dots [rows, heads]
//
// One invocation per query and head; the LANES queries of a workgroup walk the same keys and each leaves out what it does
// not see. D4 = d / 4.
struct Shape { rows: u32, keys: u32, heads: u32, kvHeads: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<vec4f>;
@group(0) @binding(3) var<storage, read> ranges: array<u32>;
@group(0) @binding(4) var<storage, read> dy: array<vec4f>;
@group(0) @binding(5) var<storage, read> lse: array<f32>;
@group(0) @binding(6) var<storage, read> dots: array<f32>;
@group(0) @binding(7) var<storage, read_write> dq: array<vec4f>;
@group(0) @binding(8) var<uniform> shape: Shape;

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
  var grad: array<vec4f, D4>;
  var sum: array<vec4f, D4>;
  for (var c = 0u; c < D4; c++) {
    mine[c] = q[at + c] * shape.scale;
    grad[c] = dy[at + c];
    sum[c] = vec4f();
  }
  let norm = lse[row * shape.heads + head];
  let along = dots[row * shape.heads + head];
  let first = ranges[row];
  let last = ranges[shape.rows + row];
  let end = ranges[shape.rows + min(row0 + LANES, shape.rows) - 1u];
  for (var j = ranges[row0]; j <= end; j++) {
    let key = (j * shape.kvHeads + kvHead) * D4;
    var s = 0.0;
    var dp = 0.0;
    for (var c = 0u; c < D4; c++) {
      s += dot(mine[c], k[key + c]);
      dp += dot(grad[c], v[key + c]);
    }
    let ds = select(0.0, exp(min(s - norm, 0.0)) * (dp - along), j >= first && j <= last);
    for (var c = 0u; c < D4; c++) { sum[c] = fma(vec4f(ds), k[key + c], sum[c]); }
  }
  if (own < shape.rows) {
    for (var c = 0u; c < D4; c++) { dq[at + c] = sum[c] * shape.scale; }
  }
}
