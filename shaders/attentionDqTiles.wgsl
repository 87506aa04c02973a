// attentionDqTiles: dq[i] = scale * sum over j of p[i, j] (dy[i] . v[j] - dots[i]) k[j],  p = exp(scale * q[i] . k[j] - lse[i])
//
// q, dy, dq [rows, heads * d]   k, v [keys, kvHeads * d]   ranges [3, rows]   stats [rows, heads]: lse and dots
//
// Laid out as attentionTiles.wgsl: a workgroup owns 32 queries of one head and walks the keys they see, 32 at a time.
// shared/attentionTile.wgsl is put in front. PIECES = SUM_PIECES = ceil(d / 32), d4 = d / 4; loops over SUM_PIECES, OWN_ROWS = 4
// and OWN_COLS = 2 are written out by the dispatch.
struct Shape { rows: u32, keys: u32, heads: u32, kvHeads: u32, d4: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<vec4f>;
@group(0) @binding(3) var<storage, read> ranges: array<u32>;
@group(0) @binding(4) var<storage, read> dy: array<vec4f>;
@group(0) @binding(5) var<storage, read> stats: array<vec2f>;
@group(0) @binding(6) var<storage, read_write> dq: array<vec4f>;
@group(0) @binding(7) var<uniform> shape: Shape;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let group = wg.x + wg.y * groups.x;
  let strips = (shape.rows + SIDE - 1u) / SIDE;
  let head = group / strips;
  if (head >= shape.heads) { return; }
  let row0 = (group % strips) * SIDE;
  let kvHead = head / (shape.heads / shape.kvHeads);
  var first: array<u32, 4>;
  var last: array<u32, 4>;
  var norm: array<vec2f, 4>;
  for (var r = 0u; r < OWN_ROWS; r++) {
    let row = min(row0 + tileRow(lane, r), shape.rows - 1u);
    first[r] = ranges[row];
    last[r] = ranges[shape.rows + row];
    norm[r] = stats[row * shape.heads + head];
  }
  var sum: array<vec4f, SUMS>;
  let end = ranges[shape.rows + min(row0 + SIDE, shape.rows) - 1u];
  for (var j = ranges[row0]; j <= end; j += SIDE) {
    var s = array<f32, 8>();
    for (var piece = 0u; piece < PIECES; piece++) {
      let c = pieceVector(lane, piece);
      workgroupBarrier();
      for (var n = 0u; n < 2u; n++) { left[slot(lane, n)] = within(q[queryAt(row0 + slotRow(lane, n), head, c)], c); }
      for (var n = 0u; n < 2u; n++) { right[slot(lane, n)] = within(k[keyAt(j + slotRow(lane, n), kvHead, c)], c); }
      workgroupBarrier();
      addProducts(&s, lane);
    }
    var t = array<f32, 8>();
    for (var piece = 0u; piece < PIECES; piece++) {
      let c = pieceVector(lane, piece);
      workgroupBarrier();
      for (var n = 0u; n < 2u; n++) { left[slot(lane, n)] = within(dy[queryAt(row0 + slotRow(lane, n), head, c)], c); }
      for (var n = 0u; n < 2u; n++) { right[slot(lane, n)] = within(v[keyAt(j + slotRow(lane, n), kvHead, c)], c); }
      workgroupBarrier();
      addProducts(&t, lane);
    }
    for (var r = 0u; r < OWN_ROWS; r++) {
      for (var c = 0u; c < OWN_COLS; c++) {
        let key = j + tileCol(lane, c);
        let p = exp(min(s[r * 2u + c] * shape.scale - norm[r].x, 0.0)) * shape.scale;
        let weight = select(0.0, p * (t[r * 2u + c] - norm[r].y), key >= first[r] && key <= last[r]);
        weights[tileRow(lane, r) * (SIDE + 1u) + tileCol(lane, c)] = weight;
      }
    }
    for (var piece = 0u; piece < SUM_PIECES; piece++) {
      let c = pieceVector(lane, piece);
      workgroupBarrier();
      for (var n = 0u; n < 2u; n++) { right[slot(lane, n)] = within(k[keyAt(j + slotRow(lane, n), kvHead, c)], c); }
      workgroupBarrier();
      for (var i = 0u; i < SIDE; i++) {
        let other = right[i * STRIDE + lane % WIDTH];
        for (var n = 0u; n < OWN_COLS; n++) { sum[piece * 2u + n] = fma(vec4f(weights[sumRow(lane, n) * (SIDE + 1u) + i]), other, sum[piece * 2u + n]); }
      }
    }
  }
  for (var n = 0u; n < OWN_COLS; n++) {
    let row = row0 + sumRow(lane, n);
    for (var piece = 0u; piece < SUM_PIECES; piece++) {
      let c = piece * WIDTH + lane % WIDTH;
      if (row < shape.rows && c < shape.d4) { dq[(row * shape.heads + head) * shape.d4 + c] = sum[piece * 2u + n]; }
    }
  }
}
