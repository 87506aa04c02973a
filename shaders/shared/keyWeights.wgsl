// What the lanes of attentionApart.wgsl hand each other: weights of keys, and the sums of the SLICES that share the keys. In memory of
// the workgroup; stands after rowReduce.wgsl, whose barriers part one write from the read before it. LANES 1 costs nothing.
var<workgroup> shared_weights: array<f32, LANES>;
var<workgroup> shared_sums: array<vec4f, LANES>;

fn keepWeight(weight: f32, lane: u32) {
  if (LANES > 1u) {
    shared_weights[lane] = weight;
    workgroupBarrier();
  }
}

// The weight of lane `i`; `own` is this lane's.
fn weightOf(own: f32, i: u32) -> f32 {
  if (LANES == 1u) { return own; }
  return shared_weights[i];
}

fn overSlices(sum: vec4f, lane: u32) -> vec4f {
  if (SLICES == 1u) { return sum; }
  shared_sums[lane] = sum;
  workgroupBarrier();
  var all = vec4f();
  for (var s = 0u; s < SLICES; s++) { all += shared_sums[lane % ACROSS + s * ACROSS]; }
  return all;
}
