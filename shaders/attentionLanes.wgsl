// attentionLanes: o[i] = sum over j of softmax_j(scale * q[i] . k[j]) v[j],  first[i] <= j <= last[i]
//
// q, o   [rows, heads * d]      k, v [keys, kvHeads * d]      d4 = d / 4
// ranges [3, rows]              first key, last key (the third row serves the gradient)
// lse    [rows, heads]          log of the softmax' denominator
//
// For drivers on a processor: a workgroup is one subgroup that owns ROWS = OWNED * LANES queries of one head, OWNED to a lane.
// It walks the keys from the first query's first to the last one's last, KEYS = PARTS * LANES at a time: a lane loads PARTS
// keys and passes them round by shuffle. The TILE scores of a lane live in registers; o is added up where it lies, or with HOLD in
// workgroup memory. Each query leaves out what it does not see. No barrier.
// Loops over OWNED, PARTS, LANES, KEYS and TILE are written out by the dispatch, and `enable subgroups` is put in front.
struct Shape { rows: u32, keys: u32, heads: u32, kvHeads: u32, d4: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<vec4f>;
@group(0) @binding(3) var<storage, read> ranges: array<u32>;
@group(0) @binding(4) var<storage, read_write> o: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
@group(0) @binding(6) var<uniform> shape: Shape;

// What a lane owns, with HOLD (shared/heldRows.wgsl, put in front)
var<workgroup> heldQ: array<vec4f, HELD>;
var<workgroup> heldO: array<vec4f, HELD>;
fn ownQ(at: u32, slot: u32) -> vec4f { if (HOLD) { return heldQ[slot]; } return q[at]; }
fn ownO(at: u32, slot: u32) -> vec4f { if (HOLD) { return heldO[slot]; } return o[at]; }
fn putO(at: u32, slot: u32, inside: bool, value: vec4f) {
  if (HOLD) { heldO[slot] = value; } else if (inside) { o[at] = value; }
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
  var most: array<f32, OWNED>;
  var total: array<f32, OWNED>;
  var keep: array<f32, OWNED>;
  var mine: array<vec4f, OWNED>;
  for (var r = 0u; r < OWNED; r++) {
    let row = min(row0 + r * LANES + lane, shape.rows - 1u);
    at[r] = (row * shape.heads + head) * shape.d4;
    first[r] = ranges[row];
    last[r] = ranges[shape.rows + row];
    most[r] = -1e38;
    total[r] = 0.0;
  }
  if (HOLD) {
    for (var c = 0u; c < shape.d4; c++) {
      for (var r = 0u; r < OWNED; r++) { heldQ[slot(r, c, lane)] = q[at[r] + c]; }
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
    for (var r = 0u; r < OWNED; r++) {
      var next = most[r];
      for (var i = 0u; i < KEYS; i++) {
        let seen = j + i >= first[r] && j + i <= last[r];
        s[i * OWNED + r] = select(-1e38, s[i * OWNED + r] * shape.scale, seen);
        next = max(next, s[i * OWNED + r]);
      }
      keep[r] = exp(most[r] - next);
      most[r] = next;
      total[r] *= keep[r];
      for (var i = 0u; i < KEYS; i++) {
        s[i * OWNED + r] = select(exp(s[i * OWNED + r] - next), 0.0, s[i * OWNED + r] == -1e38);
        total[r] += s[i * OWNED + r];
      }
    }
    for (var c = 0u; c < shape.d4; c++) {
      for (var r = 0u; r < OWNED; r++) { mine[r] = select(ownO(at[r] + c, slot(r, c, lane)) * keep[r], vec4f(), j == begin); }
      for (var p = 0u; p < PARTS; p++) {
        let part = v[key[p] + c];
        for (var i = 0u; i < LANES; i++) {
          let one = subgroupBroadcast(part, i);
          for (var r = 0u; r < OWNED; r++) { mine[r] = fma(vec4f(s[(p * LANES + i) * OWNED + r]), one, mine[r]); }
        }
      }
      for (var r = 0u; r < OWNED; r++) { putO(at[r] + c, slot(r, c, lane), row0 + r * LANES + lane < shape.rows, mine[r]); }
    }
  }
  for (var r = 0u; r < OWNED; r++) {
    let row = row0 + r * LANES + lane;
    if (row < shape.rows) {
      for (var c = 0u; c < shape.d4; c++) { o[at[r] + c] = ownO(at[r] + c, slot(r, c, lane)) / total[r]; }
      lse[row * shape.heads + head] = most[r] + log(total[r]);
    }
  }
}

fn along(a: vec4f, b: vec4f, sum: f32) -> f32 {
  return fma(a.x, b.x, fma(a.y, b.y, fma(a.z, b.z, fma(a.w, b.w, sum))));
}
