// sampleToken: one token id from each row of logits.
//
// logits [rows, vocab]   draws [rows] in [0, 1)   weights [rows, vocab], scratch; any size where GREEDY   ids [rows]
//
// GREEDY: the largest logit, of equals the first. Otherwise w = exp((z - max) / temperature), and with NUCLEUS only the largest w
// that together reach topP of their sum are kept (equal ones at the edge all are); the id is the first whose running sum of kept
// w passes draw * sum. Nothing is sorted: the edge is searched for among the bits of a float and the id among the columns, WAYS
// parts at a time, by sums over the row that are always taken in the same order. Each w is made once and kept in `weights`: made
// again in another loop, a graphics card may give other bits, and the edge would be missed. An invocation reads its own columns only.
//
// LANES invocations share a row, ROWS rows share a workgroup; one of shared/rowReduce*.wgsl is put in front.
struct Shape { rows: u32, vocab: u32, temperature: f32, top_p: f32 }

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> draws: array<f32>;
@group(0) @binding(2) var<storage, read_write> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> ids: array<i32>;
@group(0) @binding(4) var<uniform> shape: Shape;

const WAYS = 8u;
const EDGES = 7u;
const ONE = 0x3f800000u;

@compute @workgroup_size(LANES, ROWS)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_id) id: vec3u) {
  let row = (wg.x + wg.y * groups.x) * ROWS + id.y;
  let safe = min(row, shape.rows - 1u);
  let at = safe * shape.vocab;
  var most = -1e38;
  for (var c = id.x; c < shape.vocab; c += LANES) { most = max(most, logits[at + c]); }
  most = rowMax(most, id.x, id.y);
  var first = 0u;
  if (GREEDY) {
    // columns are below 2^24, so that a float holds them
    var back = -1e38;
    for (var c = id.x; c < shape.vocab; c += LANES) { if (logits[at + c] == most) { back = max(back, -f32(c)); } }
    back = rowMax(back, id.x, id.y);
    first = u32(clamp(-back, 0.0, f32(shape.vocab - 1u)));
  } else {
    var total = 0.0;
    for (var c = id.x; c < shape.vocab; c += LANES) {
      let w = exp((logits[at + c] - most) / shape.temperature);
      if (row < shape.rows) { weights[at + c] = w; }
      total += w;
    }
    total = rowSum(total, id.x, id.y);
    // low: what reaches it is enough; high: what reaches it is too little
    var low = 0u;
    if (NUCLEUS) {
      let wanted = shape.top_p * total;
      var high = ONE + 1u;
      for (var round = 0u; round < EDGE_ROUNDS; round++) {
        let step = max(1u, (high - low + WAYS - 1u) / WAYS);
        var sums = array<f32, EDGES>();
        for (var c = id.x; c < shape.vocab; c += LANES) {
          let w = weights[at + c];
          let reached = (bitcast<u32>(w) - min(bitcast<u32>(w), low)) / step;
          for (var j = 0u; j < EDGES; j++) { sums[j] += select(0.0, w, reached > j); }
        }
        var passed = 0u;
        for (var j = 0u; j < EDGES; j++) {
          let sum = rowSum(sums[j], id.x, id.y);
          if (sum >= wanted && low + (j + 1u) * step < high) { passed = j + 1u; }
        }
        low = low + passed * step;
        high = min(high, low + step);
      }
    }
    let edge = bitcast<f32>(low);
    var kept = 0.0;
    for (var c = id.x; c < shape.vocab; c += LANES) {
      let w = weights[at + c];
      kept += select(0.0, w, w >= edge);
    }
    kept = rowSum(kept, id.x, id.y);
    let target_sum = draws[safe] * kept;
    // the id lies in first … last
    var last = shape.vocab - 1u;
    for (var round = 0u; round < ID_ROUNDS; round++) {
      let step = max(1u, (last - first + WAYS) / WAYS);
      var sums = array<f32, EDGES>();
      for (var c = id.x; c < shape.vocab; c += LANES) {
        let w = weights[at + c];
        let counted = select(0.0, w, w >= edge);
        // the running sum up to and with column first + (j + 1) * step - 1
        for (var j = 0u; j < EDGES; j++) { sums[j] += select(0.0, counted, c < first + (j + 1u) * step); }
      }
      var passed = 0u;
      for (var j = 0u; j < EDGES; j++) {
        let sum = rowSum(sums[j], id.x, id.y);
        if (sum <= target_sum && first + (j + 1u) * step <= last) { passed = j + 1u; }
      }
      first = first + passed * step;
      last = min(last, first + step - 1u);
    }
  }
  if (row < shape.rows && id.x == 0u) { ids[row] = i32(first); }
}
