// dropout: y[i] = 0 where hash(seed, place, i) < limit, else x[i] * keep
//
// x, y [count]   seed [1]   limit of 2^24   keep = 1 / (1 - p)
//
// One invocation per element. hash32 is the finaliser of MurmurHash3.
struct Shape { count: u32, place: u32, limit: u32, keep: f32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> seed: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> shape: Shape;

fn hash32(word: u32) -> u32 {
  var h = word;
  h = (h ^ (h >> 16u)) * 0x85ebca6bu;
  h = (h ^ (h >> 13u)) * 0xc2b2ae35u;
  return h ^ (h >> 16u);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.x + wg.y * groups.x) * 64u + lane;
  if (i >= shape.count) { return; }
  let start = hash32(seed[0] ^ (shape.place * 0x9e3779b9u));
  y[i] = select(x[i] * shape.keep, 0.0, (hash32(start + i) >> 8u) < shape.limit);
}
