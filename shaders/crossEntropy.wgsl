// crossEntropy: logp[row] = z[target] - log sum exp z,   and with GRADIENT   z = weight * (softmax(z) - onehot(target))
//
// z [rows, vocab], in place   targets [rows] (-1: none)   weights, logp [rows]
//
// LANES invocations share a row, ROWS rows share a workgroup; one of shared/rowReduce*.wgsl is put in front.
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
  var most = -1e38;
  for (var c = id.x; c < shape.vocab; c += LANES) { most = max(most, z[at + c]); }
  most = rowMax(most, id.x, id.y);
  var sum = 0.0;
  for (var c = id.x; c < shape.vocab; c += LANES) { sum += exp(z[at + c] - most); }
  sum = rowSum(sum, id.x, id.y);
  let weight = select(weights[safe], 0.0, answer < 0);
  if (row < shape.rows) {
    if (GRADIENT) {
      for (var c = id.x; c < shape.vocab; c += LANES) {
        let p = exp(z[at + c] - most) / sum;
        z[at + c] = weight * (p - select(0.0, 1.0, i32(c) == answer));
      }
    }
    if (id.x == 0u) { logp[row] = select(chosen - most - log(sum), 0.0, answer < 0); }
  }
}
