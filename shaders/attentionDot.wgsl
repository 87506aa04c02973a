// attentionDot: stats[i, head] = (lse[i, head], o[i, head] . dy[i, head])
//
// o, dy [rows, heads * d]   lse [rows, heads]   stats [rows, heads] pairs   one invocation per query and head
struct Shape { rows: u32, keys: u32, heads: u32, kvHeads: u32, d4: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> o: array<vec4f>;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read_write> stats: array<vec2f>;
@group(0) @binding(4) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (wg.x + wg.y * groups.x) * 64u + lane;
  if (index >= shape.rows * shape.heads) { return; }
  var sum = 0.0;
  for (var c = 0u; c < shape.d4; c++) { sum += dot(o[index * shape.d4 + c], dy[index * shape.d4 + c]); }
  stats[index] = vec2f(lse[index], sum);
}
