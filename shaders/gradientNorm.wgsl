// gradientNorm: parts[i] = sum of |gradient[i + PARTS n]|^2
//
// gradient [count] vectors of 4   parts [PARTS]   one invocation per part; a fixed order, the same sum every time
struct Shape { count: u32 }

@group(0) @binding(0) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> parts: array<f32>;
@group(0) @binding(2) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  var sum = 0.0;
  for (var i = id.x; i < shape.count; i += PARTS) { sum += dot(gradient[i], gradient[i]); }
  parts[id.x] = sum;
}
