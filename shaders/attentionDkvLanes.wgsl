// attentionDkvLanes: dv[j] = sum over i of p[i, j] dy[i],   dk[j] = scale * sum over i of p[i, j] (dy[i] . v[j] - dots[i]) q[i]
// over the queries i that see key j, of every head in its group; p = exp(scale * q[i] . k[j] - lse[i])
//
// q, dy [rows, heads * d]   k, v, dk, dv [keys, kvHeads * d]   stats [rows, heads]: lse and dots   d4 = d / 4
// ranges [3, rows]          first key of a query, last key, last query of a key
//
// As attentionLanes.wgsl with the sides changed: one subgroup owns ROWS = OWNED * LANES keys of one kv head, OWNED to a lane,
// and walks the queries that see them, KEYS = PARTS * LANES at a time, head by head: the same sum every time.
// Loops over OWNED, PARTS, LANES, KEYS and TILE are written out by the dispatch, and `enable subgroups` is put in front.
struct Shape { rows: u32, keys: u32, heads: u32, kvHeads: u32, d4: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<vec4f>;
@group(0) @binding(3) var<storage, read> ranges: array<u32>;
@group(0) @binding(4) var<storage, read> dy: array<vec4f>;
@group(0) @binding(5) var<storage, read> stats: array<vec2f>;
@group(0) @binding(6) var<storage, read_write> dk: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> dv: array<vec4f>;
@group(0) @binding(8) var<uniform> shape: Shape;

// What a lane owns, with HOLD (shared/heldRows.wgsl, put in front)
var<workgroup> heldK: array<vec4f, HELD>;
var<workgroup> heldV: array<vec4f, HELD>;
var<workgroup> heldDk: array<vec4f, HELD>;
var<workgroup> heldDv: array<vec4f, HELD>;
fn ownK(at: u32, slot: u32) -> vec4f { if (HOLD) { return heldK[slot]; } return k[at]; }
fn ownV(at: u32, slot: u32) -> vec4f { if (HOLD) { return heldV[slot]; } return v[at]; }
fn ownDk(at: u32, slot: u32) -> vec4f { if (HOLD) { return heldDk[slot]; } return dk[at]; }
fn ownDv(at: u32, slot: u32) -> vec4f { if (HOLD) { return heldDv[slot]; } return dv[at]; }
fn putDk(at: u32, slot: u32, inside: bool, value: vec4f) {
  if (HOLD) { heldDk[slot] = value; } else if (inside) { dk[at] = value; }
}
fn putDv(at: u32, slot: u32, inside: bool, value: vec4f) {
  if (HOLD) { heldDv[slot] = value; } else if (inside) { dv[at] = value; }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let strip = wg.x + wg.y * groups.x;
  let strips = (shape.keys + ROWS - 1u) / ROWS;
  let kvHead = strip / strips;
  if (kvHead >= shape.kvHeads) { return; }
  let key0 = (strip % strips) * ROWS;
  let group = shape.heads / shape.kvHeads;
  var at: array<u32, OWNED>;
  var until: array<u32, OWNED>;
  var mine: array<vec4f, OWNED>;
  for (var r = 0u; r < OWNED; r++) {
    let key = min(key0 + r * LANES + lane, shape.keys - 1u);
    at[r] = (key * shape.kvHeads + kvHead) * shape.d4;
    until[r] = ranges[2u * shape.rows + key];
  }
  if (HOLD) {
    for (var c = 0u; c < shape.d4; c++) {
      for (var r = 0u; r < OWNED; r++) {
        heldK[slot(r, c, lane)] = k[at[r] + c];
        heldV[slot(r, c, lane)] = v[at[r] + c];
      }
    }
  }
  let end = ranges[2u * shape.rows + min(key0 + ROWS, shape.keys) - 1u];
  for (var step = 0u; step < group * ((end - key0) / KEYS + 1u); step++) {
    let i0 = key0 + step / group * KEYS;
    let head = kvHead * group + step % group;
    var query: array<u32, PARTS>;
    for (var p = 0u; p < PARTS; p++) {
      query[p] = min(i0 + p * LANES + lane, shape.rows - 1u) * shape.heads + head;
    }
    var s: array<f32, TILE>;
    for (var n = 0u; n < TILE; n++) { s[n] = 0.0; }
    var t: array<f32, TILE>;
    for (var n = 0u; n < TILE; n++) { t[n] = 0.0; }
    for (var c = 0u; c < shape.d4; c++) {
      for (var r = 0u; r < OWNED; r++) { mine[r] = ownK(at[r] + c, slot(r, c, lane)); }
      for (var p = 0u; p < PARTS; p++) {
        let part = q[query[p] * shape.d4 + c];
        for (var i = 0u; i < LANES; i++) {
          let one = subgroupBroadcast(part, i);
          for (var r = 0u; r < OWNED; r++) { s[(p * LANES + i) * OWNED + r] = along(mine[r], one, s[(p * LANES + i) * OWNED + r]); }
        }
      }
    }
    for (var c = 0u; c < shape.d4; c++) {
      for (var r = 0u; r < OWNED; r++) { mine[r] = ownV(at[r] + c, slot(r, c, lane)); }
      for (var p = 0u; p < PARTS; p++) {
        let part = dy[query[p] * shape.d4 + c];
        for (var i = 0u; i < LANES; i++) {
          let one = subgroupBroadcast(part, i);
          for (var r = 0u; r < OWNED; r++) { t[(p * LANES + i) * OWNED + r] = along(mine[r], one, t[(p * LANES + i) * OWNED + r]); }
        }
      }
    }
    for (var p = 0u; p < PARTS; p++) {
      let own = stats[query[p]];
      for (var i = 0u; i < LANES; i++) {
        let norm = subgroupBroadcast(own, i);
        for (var r = 0u; r < OWNED; r++) {
          let at_i = i0 + p * LANES + i;
          let seen = at_i >= key0 + r * LANES + lane && at_i <= until[r];
          s[(p * LANES + i) * OWNED + r] = select(0.0, exp(min(s[(p * LANES + i) * OWNED + r] * shape.scale - norm.x, 0.0)), seen);
          t[(p * LANES + i) * OWNED + r] = s[(p * LANES + i) * OWNED + r] * (t[(p * LANES + i) * OWNED + r] - norm.y) * shape.scale;
        }
      }
    }
    for (var c = 0u; c < shape.d4; c++) {
      for (var r = 0u; r < OWNED; r++) { mine[r] = select(ownDv(at[r] + c, slot(r, c, lane)), vec4f(), step == 0u); }
      for (var p = 0u; p < PARTS; p++) {
        let part = dy[query[p] * shape.d4 + c];
        for (var i = 0u; i < LANES; i++) {
          let one = subgroupBroadcast(part, i);
          for (var r = 0u; r < OWNED; r++) { mine[r] = fma(vec4f(s[(p * LANES + i) * OWNED + r]), one, mine[r]); }
        }
      }
      for (var r = 0u; r < OWNED; r++) { putDv(at[r] + c, slot(r, c, lane), key0 + r * LANES + lane < shape.keys, mine[r]); }
    }
    for (var c = 0u; c < shape.d4; c++) {
      for (var r = 0u; r < OWNED; r++) { mine[r] = select(ownDk(at[r] + c, slot(r, c, lane)), vec4f(), step == 0u); }
      for (var p = 0u; p < PARTS; p++) {
        let part = q[query[p] * shape.d4 + c];
        for (var i = 0u; i < LANES; i++) {
          let one = subgroupBroadcast(part, i);
          for (var r = 0u; r < OWNED; r++) { mine[r] = fma(vec4f(t[(p * LANES + i) * OWNED + r]), one, mine[r]); }
        }
      }
      for (var r = 0u; r < OWNED; r++) { putDk(at[r] + c, slot(r, c, lane), key0 + r * LANES + lane < shape.keys, mine[r]); }
    }
  }
  if (HOLD) {
    for (var r = 0u; r < OWNED; r++) {
      if (key0 + r * LANES + lane < shape.keys) {
        for (var c = 0u; c < shape.d4; c++) {
          dk[at[r] + c] = heldDk[slot(r, c, lane)];
          dv[at[r] + c] = heldDv[slot(r, c, lane)];
        }
      }
    }
  }
}

fn along(a: vec4f, b: vec4f, sum: f32) -> f32 {
  return fma(a.x, b.x, fma(a.y, b.y, fma(a.z, b.z, fma(a.w, b.w, sum))));
}
