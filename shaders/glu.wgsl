// glu: a = act(gate) * up
//   silu(z) = z / (1 + exp(-z)), or with GELU  z / (1 + exp(-2 w)),  w = sqrt(2/pi) (z + 0.044715 z^3)
//   (the tanh form, since (1 + tanh w) / 2 = 1 / (1 + exp(-2 w)))
//
// x [rows, 2 * width]: gate, then up   a [rows, width]   one invocation per element of a
// `alias Numbers` is put in front: vec4f, or f32 where width is no multiple of four; count and width are counted in them.
struct Shape { count: u32, width: u32 }

@group(0) @binding(0) var<storage, read> x: array<Numbers>;
@group(0) @binding(1) var<storage, read_write> a: array<Numbers>;
@group(0) @binding(2) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.x + wg.y * groups.x) * 64u + lane;
  if (i >= shape.count) { return; }
  let gate = i + (i / shape.width) * shape.width;
  let z = x[gate];
  var turn = z;
  if (GELU) { turn = 1.5957691216 * z * (1.0 + 0.044715 * z * z); }
  // exp overflows past 88; the clamp changes no result that f32 can hold apart from 0
  a[i] = z / (1.0 + exp(min(-turn, Numbers(80.0)))) * x[gate + shape.width];
}
