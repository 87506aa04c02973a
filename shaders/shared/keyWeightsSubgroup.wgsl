// The same functions as keyWeights.wgsl where the lanes are exactly one subgroup: no memory, no barrier.
// shape.d4 and not D4: a processor's driver writes out a loop whose length it knows, here to more code than its cache holds.
fn vectorsOfHead() -> u32 { return shape.d4; }

fn queryOf(own: vec4f, i: u32, index: u32) -> vec4f { return subgroupShuffle(own, i); }

fn keepWeight(weight: f32, lane: u32, head: u32) {}

fn weightOf(own: f32, i: u32, head: u32) -> f32 { return subgroupShuffle(own, i); }

fn overSlices(sum: vec4f, lane: u32) -> vec4f {
  if (SLICES == 1u) { return sum; }
  var all = vec4f();
  for (var s = 0u; s < SLICES; s++) { all += subgroupShuffle(sum, lane % ACROSS + s * ACROSS); }
  return all;
}
