// gradientNormFinish: result = [min(1, clip / (norm + 1e-6)), norm, 1 if the norm is finite else 0]
//
// parts [PARTS]   result [3]   clip 0: no limit
//
// One workgroup, a fixed tree. Finiteness is read from the bits: WGSL may assume that numbers are finite.
struct Shape { clip: f32 }

@group(0) @binding(0) var<storage, read> parts: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var<uniform> shape: Shape;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var i = lane; i < PARTS; i += 64u) { sum += parts[i]; }
  sums[lane] = sum;
  for (var half = 32u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { sums[lane] += sums[lane + half]; }
  }
  workgroupBarrier();
  if (lane == 0u) {
    let finite = (bitcast<u32>(sums[0]) & 0x7f800000u) != 0x7f800000u;
    let norm = sqrt(sums[0]);
    result[0] = select(1.0, min(1.0, shape.clip / (norm + 1e-6)), shape.clip > 0.0);
    result[1] = norm;
    result[2] = select(0.0, 1.0, finite);
  }
}
