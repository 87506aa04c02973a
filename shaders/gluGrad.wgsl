// gluGrad: dgate = dy * up * (s + z * s * (1 - s) * dturn),  dup = dy * z * s,  z = gate, s = 1 / (1 + exp(-turn))
//   silu: turn = z; with GELU  turn = 2 sqrt(2/pi) (z + 0.044715 z^3)   (see shared/gated.wgsl)
//
// x, dx [rows, 2 * width]: gate, then up   dy [rows, width]   one invocation per element of dy
// `Numbers` is put in front, as in glu.wgsl.
struct Shape { count: u32, width: u32 }

@group(0) @binding(0) var<storage, read> x: array<Numbers>;
@group(0) @binding(1) var<storage, read> dy: array<Numbers>;
@group(0) @binding(2) var<storage, read_write> dx: array<Numbers>;
@group(0) @binding(3) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.x + wg.y * groups.x) * 64u + lane;
  if (i >= shape.count) { return; }
  let gate = i + (i / shape.width) * shape.width;
  let up = gate + shape.width;
  let z = x[gate];
  var turn = z;
  var dturn = Numbers(1.0);
  if (GELU) {
    turn = 1.5957691216 * z * (1.0 + 0.044715 * z * z);
    dturn = 1.5957691216 * (1.0 + 0.134145 * z * z);
  }
  let s = 1.0 / (1.0 + exp(min(-turn, Numbers(80.0))));
  dx[gate] = dy[i] * x[up] * s * (1.0 + z * (1.0 - s) * dturn);
  dx[up] = dy[i] * z * s;
}
