// attentionDqLanes: dq[i] = scale * sum over j of p[i, j] (dy[i] . v[j] - dots[i]) k[j],  p = exp(scale * q[i] . k[j] - lse[i])
//
// q, dy, dq [rows, heads * d]   k, v [keys, kvHeads * d]   ranges [3, rows]   stats [rows, heads]: lse and dots   d4 = d / 4
//
// Laid out as attentionLanes.wgsl: one subgroup, OWNED queries to a lane, keys passed round, HOLD for q, dy and dq.
// Loops over OWNED, PARTS, LANES, KEYS and TILE are written out by the dispatch, and `enable subgroups` is put in front.
struct Shape { rows: u32, keys: u32, heads: u32, kvHeads: u32, d4: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<vec4f>;
@group(0) @binding(3) var<storage, read> ranges: array<u32>;
@group(0) @binding(4) var<storage, read> dy: array<vec4f>;
@group(0) @binding(5) var<storage, read> stats: array<vec2f>;
@group(0) @binding(6) var<storage, read_write> dq: array<vec4f>;
@group(0) @binding(7) var<uniform> shape: Shape;

// What a lane owns, with HOLD (shared/heldRows.wgsl, put in front)
var<workgroup> heldQ: array<vec4f, HELD>;
var<workgroup> heldDy: array<vec4f, HELD>;
var<workgroup> heldDq: array<vec4f, HELD>;
fn ownQ(at: u32, slot: u32) -> vec4f { if (HOLD) { return heldQ[slot]; } return q[at]; }
fn ownDy(at: u32, slot: u32) -> vec4f { if (HOLD) { return heldDy[slot]; } return dy[at]; }
fn ownDq(at: u32, slot: u32) -> vec4f { if (HOLD) { return heldDq[slot]; } return dq[at]; }
fn putDq(at: u32, slot: u32, inside: bool, value: vec4f) {
  if (HOLD) { heldDq[slot] = value; } else if (inside) { dq[at] = value; }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let group = wg.x + wg.y * groups.x;
  let strips = (shape.rows + ROWS - 1u) / ROWS;
  let head = group / strips;
  if (head >= shape.heads) { return; }
  let row0 = (group % strips) * ROWS;
  let kvHead = head / (shape.heads / shape.kvHeads);
  var at: array<u32, OWNED>;
  var first: array<u32, OWNED>;
  var last: array<u32, OWNED>;
  var norm: array<vec2f, OWNED>;
  var mine: array<vec4f, OWNED>;
  for (var r = 0u; r < OWNED; r++) {
    let row = min(row0 + r * LANES + lane, shape.rows - 1u);
    at[r] = (row * shape.heads + head) * shape.d4;
    first[r] = ranges[row];
    last[r] = ranges[shape.rows + row];
    norm[r] = stats[row * shape.heads + head];
  }
  if (HOLD) {
    for (var c = 0u; c < shape.d4; c++) {
      for (var r = 0u; r < OWNED; r++) {
        heldQ[slot(r, c, lane)] = q[at[r] + c];
        heldDy[slot(r, c, lane)] = dy[at[r] + c];
      }
    }
  }
  let begin = ranges[row0];
  let end = ranges[shape.rows + min(row0 + ROWS, shape.rows) - 1u];
  for (var j = begin; j <= end; j += KEYS) {
    var key: array<u32, PARTS>;
    for (var p = 0u; p < PARTS; p++) {
      key[p] = (min(j + p * LANES + lane, shape.keys - 1u) * shape.kvHeads + kvHead) * shape.d4;
    }
    var s: array<f32, TILE>;
    for (var n = 0u; n < TILE; n++) { s[n] = 0.0; }
    var t: array<f32, TILE>;
    for (var n = 0u; n < TILE; n++) { t[n] = 0.0; }
    for (var c = 0u; c < shape.d4; c++) {
      for (var r = 0u; r < OWNED; r++) { mine[r] = ownQ(at[r] + c, slot(r, c, lane)); }
      for (var p = 0u; p < PARTS; p++) {
        let part = k[key[p] + c];
        for (var i = 0u; i < LANES; i++) {
          let one = subgroupBroadcast(part, i);
          for (var r = 0u; r < OWNED; r++) { s[(p * LANES + i) * OWNED + r] = along(mine[r], one, s[(p * LANES + i) * OWNED + r]); }
        }
      }
    }
    for (var c = 0u; c < shape.d4; c++) {
      for (var r = 0u; r < OWNED; r++) { mine[r] = ownDy(at[r] + c, slot(r, c, lane)); }
      for (var p = 0u; p < PARTS; p++) {
        let part = v[key[p] + c];
        for (var i = 0u; i < LANES; i++) {
          let one = subgroupBroadcast(part, i);
          for (var r = 0u; r < OWNED; r++) { t[(p * LANES + i) * OWNED + r] = along(mine[r], one, t[(p * LANES + i) * OWNED + r]); }
        }
      }
    }
    for (var r = 0u; r < OWNED; r++) {
      for (var i = 0u; i < KEYS; i++) {
        let weight = exp(min(s[i * OWNED + r] * shape.scale - norm[r].x, 0.0)) * shape.scale;
        let seen = j + i >= first[r] && j + i <= last[r];
        s[i * OWNED + r] = select(0.0, weight * (t[i * OWNED + r] - norm[r].y), seen);
      }
    }
    for (var c = 0u; c < shape.d4; c++) {
      for (var r = 0u; r < OWNED; r++) { mine[r] = select(ownDq(at[r] + c, slot(r, c, lane)), vec4f(), j == begin); }
      for (var p = 0u; p < PARTS; p++) {
        let part = k[key[p] + c];
        for (var i = 0u; i < LANES; i++) {
          let one = subgroupBroadcast(part, i);
          for (var r = 0u; r < OWNED; r++) { mine[r] = fma(vec4f(s[(p * LANES + i) * OWNED + r]), one, mine[r]); }
        }
      }
      for (var r = 0u; r < OWNED; r++) { putDq(at[r] + c, slot(r, c, lane), row0 + r * LANES + lane < shape.rows, mine[r]); }
    }
  }
  if (HOLD) {
    for (var r = 0u; r < OWNED; r++) {
      if (row0 + r * LANES + lane < shape.rows) {
        for (var c = 0u; c < shape.d4; c++) { dq[at[r] + c] = heldDq[slot(r, c, lane)]; }
      }
    }
  }
}

fn along(a: vec4f, b: vec4f, sum: f32) -> f32 {
  return fma(a.x, b.x, fma(a.y, b.y, fma(a.z, b.z, fma(a.w, b.w, sum))));
}
