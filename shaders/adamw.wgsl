// adamw: g *= scale;  m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;
//        p = p (1 - lr decay) - lr (m / c1) / (sqrt(v) / c2 + epsilon);  gradient = 0
//
// scalars  [7]   lr, b1, b2, epsilon, decay, c1 = 1 - b1^t, c2 = sqrt(1 - b2^t)
// norm     [3]   scale, norm, finite: where finite is 0 nothing but the gradient is written
// p, gradient, m, v [count] vectors of 4   in place, one invocation per vector
struct Shape { count: u32 }

@group(0) @binding(0) var<storage, read> scalars: array<f32>;
@group(0) @binding(1) var<storage, read> norm: array<f32>;
@group(0) @binding(2) var<storage, read_write> p: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> gradient: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> v: array<vec4f>;
@group(0) @binding(6) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.x + wg.y * groups.x) * 64u + lane;
  if (i >= shape.count) { return; }
  if (norm[2] == 1.0) {
    let g = gradient[i] * norm[0];
    let lr = scalars[0];
    m[i] = scalars[1] * m[i] + (1.0 - scalars[1]) * g;
    v[i] = scalars[2] * v[i] + (1.0 - scalars[2]) * g * g;
    let step = (m[i] / scalars[5]) / (sqrt(v[i]) / scalars[6] + scalars[3]);
    p[i] = p[i] * (1.0 - lr * scalars[4]) - lr * step;
  }
  gradient[i] = vec4f();
}
