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
// LANES invocations share a row, ROWS rows share a workgroup; one of shared/rowReduce*.wgsl is put in front. Loops over PER_TURN = 4 and
// EDGES are written out by the dispatch.
struct Shape { rows: u32, vocab: u32, temperature: f32, top_p: f32 }

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> draws: array<f32>;
@group(0) @binding(2) var<storage, read_write> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> ids: array<i32>;
@group(0) @binding(4) var<uniform> shape: Shape;

const WAYS = 8u;
const EDGES = 7u;
const ONE = 0x3f800000u;

// The four columns that an invocation takes in a turn, so that it waits for memory once for all of them; past the end the last one.
struct Turn { columns: vec4u, inside: vec4<bool>, at: vec4u }
fn turnAt(row: u32, c: u32) -> Turn {
  let columns = c + vec4u(0u, 1u, 2u, 3u) * LANES;
  return Turn(columns, columns < vec4u(shape.vocab), row * shape.vocab + min(columns, vec4u(shape.vocab - 1u)));
}
fn logitsOf(turn: Turn) -> vec4f {
  let z = vec4f(logits[turn.at.x], logits[turn.at.y], logits[turn.at.z], logits[turn.at.w]);
  return select(vec4f(-1e38), z, turn.inside);
}
fn weightsOf(turn: Turn) -> vec4f {
  let w = vec4f(weights[turn.at.x], weights[turn.at.y], weights[turn.at.z], weights[turn.at.w]);
  return select(vec4f(), w, turn.inside);
}
fn largest(four: vec4f) -> f32 { return max(max(four.x, four.y), max(four.z, four.w)); }
fn total(four: vec4f) -> f32 { return (four.x + four.y) + (four.z + four.w); }

@compute @workgroup_size(LANES, ROWS)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_id) id: vec3u) {
  let row = (wg.x + wg.y * groups.x) * ROWS + id.y;
  let safe = min(row, shape.rows - 1u);
  var most = -1e38;
  for (var c = id.x; c < shape.vocab; c += 4u * LANES) { most = max(most, largest(logitsOf(turnAt(safe, c)))); }
  most = rowMax(most, id.x, id.y);
  var first = 0u;
  if (GREEDY) {
    // columns are below 2^24, so that a float holds them
    var back = -1e38;
    for (var c = id.x; c < shape.vocab; c += 4u * LANES) {
      let turn = turnAt(safe, c);
      let found = (logitsOf(turn) == vec4f(most)) & turn.inside;
      back = max(back, largest(select(vec4f(-1e38), -vec4f(turn.columns), found)));
    }
    back = rowMax(back, id.x, id.y);
    first = u32(clamp(-back, 0.0, f32(shape.vocab - 1u)));
  } else {
    var sum = 0.0;
    for (var c = id.x; c < shape.vocab; c += 4u * LANES) {
      let turn = turnAt(safe, c);
      let w = exp((logitsOf(turn) - most) / shape.temperature);
      for (var j = 0u; j < PER_TURN; j++) { if (row < shape.rows && turn.inside[j]) { weights[turn.at[j]] = w[j]; } }
      sum += total(select(vec4f(), w, turn.inside));
    }
    sum = rowSum(sum, id.x, id.y);
    // low: what reaches it is enough; high: what reaches it is too little
    var low = 0u;
    if (NUCLEUS) {
      let wanted = shape.top_p * sum;
      var high = ONE + 1u;
      for (var round = 0u; round < EDGE_ROUNDS; round++) {
        let step = max(1u, (high - low + WAYS - 1u) / WAYS);
        var sums = array<f32, EDGES>();
        for (var c = id.x; c < shape.vocab; c += 4u * LANES) {
          let w = weightsOf(turnAt(safe, c));
          let bits = bitcast<vec4u>(w);
          let reached = (bits - min(bits, vec4u(low))) / step;
          for (var j = 0u; j < EDGES; j++) { sums[j] += total(select(vec4f(), w, reached > vec4u(j))); }
        }
        var passed = 0u;
        for (var j = 0u; j < EDGES; j++) {
          let reaches = rowSum(sums[j], id.x, id.y);
          if (reaches >= wanted && low + (j + 1u) * step < high) { passed = j + 1u; }
        }
        low = low + passed * step;
        high = min(high, low + step);
      }
    }
    let edge = vec4f(bitcast<f32>(low));
    var kept = 0.0;
    for (var c = id.x; c < shape.vocab; c += 4u * LANES) {
      let w = weightsOf(turnAt(safe, c));
      kept += total(select(vec4f(), w, w >= edge));
    }
    kept = rowSum(kept, id.x, id.y);
    let target_sum = draws[safe] * kept;
    // the id lies in first … last
    var last = shape.vocab - 1u;
    for (var round = 0u; round < ID_ROUNDS; round++) {
      let step = max(1u, (last - first + WAYS) / WAYS);
      var sums = array<f32, EDGES>();
      for (var c = id.x; c < shape.vocab; c += 4u * LANES) {
        let turn = turnAt(safe, c);
        let w = weightsOf(turn);
        let counted = select(vec4f(), w, w >= edge);
        // the running sum up to and with column first + (j + 1) * step - 1
        for (var j = 0u; j < EDGES; j++) {
          sums[j] += total(select(vec4f(), counted, turn.columns < vec4u(first + (j + 1u) * step)));
        }
      }
      var passed = 0u;
      for (var j = 0u; j < EDGES; j++) {
        let reaches = rowSum(sums[j], id.x, id.y);
        if (reaches <= target_sum && first + (j + 1u) * step <= last) { passed = j + 1u; }
      }
      first = first + passed * step;
      last = min(last, first + step - 1u);
    }
  }
  if (row < shape.rows && id.x == 0u) { ids[row] = i32(first); }
}
