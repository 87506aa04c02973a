// copyProbe: copied[i] = source[i], four numbers an invocation: the rate at which the adapter moves bytes.
//
// source, copied [count] as vec4f
struct Shape { count: u32 }

@group(0) @binding(0) var<storage, read> source: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> copied: array<vec4f>;
@group(0) @binding(2) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i < shape.count) { copied[i] = source[i]; }
}
