// What the lanes of attentionApart.wgsl hand each other: weights of keys, and the sums of the SLICES that share the keys. In memory of
// the workgroup; stands after rowReduce.wgsl, whose barriers part one write from the read before it. LANES 1 costs nothing.
var<workgroup> shared_weights: array<f32, LANES * TOGETHER>;
var<workgroup> shared_sums: array<vec4f, LANES>;

// How many vectors a head has.
fn vectorsOfHead() -> u32 { return D4; }

// Vector `index` of the queries; `own` is the one that lies in this lane, and in lane `i` the one that is wanted.
fn queryOf(own: vec4f, i: u32, index: u32) -> vec4f { return q[index]; }

fn keepWeight(weight: f32, lane: u32, head: u32) {
  if (LANES > 1u) {
    shared_weights[head * LANES + lane] = weight;
    workgroupBarrier();
  }
}

// The weight of lane `i`; `own` is this lane's.
fn weightOf(own: f32, i: u32, head: u32) -> f32 {
  if (LANES == 1u) { return own; }
  return shared_weights[head * LANES + i];
}

fn overSlices(sum: vec4f, lane: u32) -> vec4f {
  if (SLICES == 1u) { return sum; }
  shared_sums[lane] = sum;
  workgroupBarrier();
  var all = vec4f();
  for (var s = 0u; s < SLICES; s++) { all += shared_sums[lane % ACROSS + s * ACROSS]; }
  return all;
}
