// groupSum: dk[j, h] = sum over the query heads of kv head h of keyParts[j, head], and dv likewise; in the order of the heads
//
// keyParts, valueParts [keys, heads * d]   dk, dv [keys, kvHeads * d]   d4 = d / 4   one invocation per vector of dk
struct Shape { rows: u32, keys: u32, heads: u32, kvHeads: u32, d4: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> keyParts: array<vec4f>;
@group(0) @binding(1) var<storage, read> valueParts: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dk: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> dv: array<vec4f>;
@group(0) @binding(4) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (wg.x + wg.y * groups.x) * 64u + lane;
  if (index >= shape.keys * shape.kvHeads * shape.d4) { return; }
  let group = shape.heads / shape.kvHeads;
  let part0 = (index / shape.d4) * group * shape.d4 + index % shape.d4;
  var keySum = vec4f();
  var valueSum = vec4f();
  for (var head = 0u; head < group; head++) {
    keySum += keyParts[part0 + head * shape.d4];
    valueSum += valueParts[part0 + head * shape.d4];
  }
  dk[index] = keySum;
  dv[index] = valueSum;
}
