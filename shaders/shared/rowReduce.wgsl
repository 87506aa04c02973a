// Sums and maxima over the LANES invocations that share a row. LANES 1 costs nothing: no memory, no barrier.
// The dispatch puts `const LANES` and `const ROWS` (rows in a workgroup) in front. Call in uniform control flow only.
var<workgroup> shared_values: array<f32, LANES * ROWS>;

fn rowSum(value: f32, lane: u32, slot: u32) -> f32 {
  if (LANES == 1u) { return value; }
  workgroupBarrier();
  shared_values[slot * LANES + lane] = value;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { shared_values[slot * LANES + lane] += shared_values[slot * LANES + lane + half]; }
  }
  workgroupBarrier();
  return shared_values[slot * LANES];
}

fn rowMax(value: f32, lane: u32, slot: u32) -> f32 {
  if (LANES == 1u) { return value; }
  workgroupBarrier();
  shared_values[slot * LANES + lane] = value;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      let other = shared_values[slot * LANES + lane + half];
      shared_values[slot * LANES + lane] = max(shared_values[slot * LANES + lane], other);
    }
  }
  workgroupBarrier();
  return shared_values[slot * LANES];
}
