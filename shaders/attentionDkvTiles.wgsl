// attentionDkvTiles: dv[j] = sum over i of p[i, j] dy[i],   dk[j] = scale * sum over i of p[i, j] (dy[i] . v[j] - dots[i]) q[i]
// over the queries i that see key j; p = exp(scale * q[i] . k[j] - lse[i])
//
// q, dy [rows, heads * d]   k, v [keys, kvHeads * d]   stats [rows, heads]: lse and dots
// ranges [3, rows]          first key of a query, last key, last query of a key
// dk, dv [keys, kvHeads * d], summed over the heads of a group; with APART [keys, heads * d], one part for each query head,
//        for shapes with too few kv heads to fill a card (groupSum.wgsl adds them up)
//
// As attentionTiles.wgsl with the sides changed: a workgroup owns 32 keys and walks the queries that see them, 32 at a time.
// shared/attentionTile.wgsl is put in front. PIECES = SUM_PIECES = ceil(d / 32), d4 = d / 4; loops over SUM_PIECES, OWN_ROWS = 4
// and OWN_COLS = 2 are written out by the dispatch.
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

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let strip = wg.x + wg.y * groups.x;
  let strips = (shape.keys + SIDE - 1u) / SIDE;
  let outHeads = select(shape.kvHeads, shape.heads, APART);
  let outHead = strip / strips;
  if (outHead >= outHeads) { return; }
  let key0 = (strip % strips) * SIDE;
  let group = shape.heads / shape.kvHeads;
  let kvHead = select(outHead, outHead / group, APART);
  let head0 = select(outHead * group, outHead, APART);
  let count = select(group, 1u, APART);
  var until: array<u32, 4>;
  for (var r = 0u; r < OWN_ROWS; r++) { until[r] = ranges[2u * shape.rows + min(key0 + tileRow(lane, r), shape.keys - 1u)]; }
  var keySum: array<vec4f, SUMS>;
  var valueSum: array<vec4f, SUMS>;
  let end = ranges[2u * shape.rows + min(key0 + SIDE, shape.keys) - 1u];
  for (var step = 0u; step < count * ((end - key0) / SIDE + 1u); step++) {
    let i0 = key0 + step / count * SIDE;
    let head = head0 + step % count;
    var s = array<f32, 8>();
    for (var piece = 0u; piece < PIECES; piece++) {
      let c = pieceVector(lane, piece);
      workgroupBarrier();
      for (var n = 0u; n < 2u; n++) { left[slot(lane, n)] = within(k[keyAt(key0 + slotRow(lane, n), kvHead, c)], c); }
      for (var n = 0u; n < 2u; n++) { right[slot(lane, n)] = within(q[queryAt(i0 + slotRow(lane, n), head, c)], c); }
      workgroupBarrier();
      addProducts(&s, lane);
    }
    var t = array<f32, 8>();
    for (var piece = 0u; piece < PIECES; piece++) {
      let c = pieceVector(lane, piece);
      workgroupBarrier();
      for (var n = 0u; n < 2u; n++) { left[slot(lane, n)] = within(v[keyAt(key0 + slotRow(lane, n), kvHead, c)], c); }
      for (var n = 0u; n < 2u; n++) { right[slot(lane, n)] = within(dy[queryAt(i0 + slotRow(lane, n), head, c)], c); }
      workgroupBarrier();
      addProducts(&t, lane);
    }
    for (var c = 0u; c < OWN_COLS; c++) {
      let query = i0 + tileCol(lane, c);
      let norm = stats[min(query, shape.rows - 1u) * shape.heads + head];
      for (var r = 0u; r < OWN_ROWS; r++) {
        let seen = query >= key0 + tileRow(lane, r) && query <= until[r];
        s[r * 2u + c] = select(0.0, exp(min(s[r * 2u + c] * shape.scale - norm.x, 0.0)), seen);
        t[r * 2u + c] = s[r * 2u + c] * (t[r * 2u + c] - norm.y) * shape.scale;
        weights[tileRow(lane, r) * (SIDE + 1u) + tileCol(lane, c)] = s[r * 2u + c];
      }
    }
    for (var piece = 0u; piece < SUM_PIECES; piece++) {
      let c = pieceVector(lane, piece);
      workgroupBarrier();
      for (var n = 0u; n < 2u; n++) { right[slot(lane, n)] = within(dy[queryAt(i0 + slotRow(lane, n), head, c)], c); }
      workgroupBarrier();
      for (var i = 0u; i < SIDE; i++) {
        let other = right[i * STRIDE + lane % WIDTH];
        for (var n = 0u; n < OWN_COLS; n++) { valueSum[piece * 2u + n] = fma(vec4f(weights[sumRow(lane, n) * (SIDE + 1u) + i]), other, valueSum[piece * 2u + n]); }
      }
    }
    workgroupBarrier();
    for (var r = 0u; r < OWN_ROWS; r++) {
      for (var c = 0u; c < OWN_COLS; c++) { weights[tileRow(lane, r) * (SIDE + 1u) + tileCol(lane, c)] = t[r * 2u + c]; }
    }
    for (var piece = 0u; piece < SUM_PIECES; piece++) {
      let c = pieceVector(lane, piece);
      workgroupBarrier();
      for (var n = 0u; n < 2u; n++) { right[slot(lane, n)] = within(q[queryAt(i0 + slotRow(lane, n), head, c)], c); }
      workgroupBarrier();
      for (var i = 0u; i < SIDE; i++) {
        let other = right[i * STRIDE + lane % WIDTH];
        for (var n = 0u; n < OWN_COLS; n++) { keySum[piece * 2u + n] = fma(vec4f(weights[sumRow(lane, n) * (SIDE + 1u) + i]), other, keySum[piece * 2u + n]); }
      }
    }
  }
  for (var n = 0u; n < OWN_COLS; n++) {
    let key = key0 + sumRow(lane, n);
    for (var piece = 0u; piece < SUM_PIECES; piece++) {
      let c = piece * WIDTH + lane % WIDTH;
      if (key < shape.keys && c < shape.d4) {
        dk[(key * outHeads + outHead) * shape.d4 + c] = keySum[piece * 2u + n];
        dv[(key * outHeads + outHead) * shape.d4 + c] = valueSum[piece * 2u + n];
      }
    }
  }
}
