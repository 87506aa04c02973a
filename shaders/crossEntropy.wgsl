// crossEntropy: logp[row] = z[target] - log sum exp z,   and with GRADIENT   z = weight * (softmax(z) - onehot(target))
//
// z [rows, vocab], in place   targets [rows] (-1: none)   weights, logp [rows]
//
// LANES invocations share a row, ROWS rows share a workgroup; one of shared/rowReduce*.wgsl is put in front. Each takes four columns a
// turn, so that it waits for memory once for all of them; loops over PER_TURN = 4 are written out by the dispatch.
struct Shape { rows: u32, vocab: u32 }

@group(0) @binding(0) var<storage, read_write> z: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<i32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> logp: array<f32>;
@group(0) @binding(4) var<uniform> shape: Shape;

@compute @workgroup_size(LANES, ROWS)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_id) id: vec3u) {
  let row = (wg.x + wg.y * groups.x) * ROWS + id.y;
  let safe = min(row, shape.rows - 1u);
  let at = safe * shape.vocab;
  let answer = targets[safe];
  // read before any lane writes over it: the sums below lie between
  let chosen = z[at + u32(max(answer, 0))];
  // one walk over the row: a sum that is scaled down whenever a larger value comes
  var most = -1e38;
  var sum = 0.0;
  for (var c = id.x; c < shape.vocab; c += 4u * LANES) {
    var four = vec4f(-1e38);
    for (var j = 0u; j < PER_TURN; j++) { if (c + j * LANES < shape.vocab) { four[j] = z[at + c + j * LANES]; } }
    let next = max(max(max(four.x, four.y), max(four.z, four.w)), most);
    sum = fma(sum, exp(most - next), dot(exp(four - next), vec4f(1.0)));
    most = next;
  }
  let largest = rowMax(most, id.x, id.y);
  sum = rowSum(sum * exp(most - largest), id.x, id.y);
  let weight = select(weights[safe], 0.0, answer < 0);
  if (row < shape.rows) {
    if (GRADIENT) {
      for (var c = id.x; c < shape.vocab; c += 4u * LANES) {
        var four: vec4f;
        for (var j = 0u; j < PER_TURN; j++) { if (c + j * LANES < shape.vocab) { four[j] = z[at + c + j * LANES]; } }
        four = weight * exp(four - largest) / sum;
        for (var j = 0u; j < PER_TURN; j++) { if (c + j * LANES < shape.vocab) { z[at + c + j * LANES] = four[j]; } }
      }
      if (answer >= 0 && u32(answer) % LANES == id.x) { z[at + u32(answer)] -= weight; }
    }
    if (id.x == 0u) { logp[row] = select(chosen - largest - log(sum), 0.0, answer < 0); }
  }
}
