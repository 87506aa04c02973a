// arithmeticProbe: STEPS rounds of eight independent multiply-adds on vec4f, all in registers: the adapter's peak in f32. Four
// rounds (STEPS is a multiple) stand in a turn of the loop, for a processor driver spends as long on the loop as on a round.
//
// seed [4]   start values, so that nothing can be folded
// sums [invocations] as vec4f, written so that nothing can be dropped
struct Shape { count: u32 }

@group(0) @binding(0) var<storage, read> seed: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> sums: array<vec4f>;
@group(0) @binding(2) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let m = seed[0];
  let a = seed[0] * f32(id.x & 7u);
  var c0 = a; var c1 = a + 1.0; var c2 = a + 2.0; var c3 = a + 3.0;
  var c4 = a + 4.0; var c5 = a + 5.0; var c6 = a + 6.0; var c7 = a + 7.0;
  for (var i = 0u; i < STEPS; i += 4u) {
    c0 = fma(c0, m, a); c1 = fma(c1, m, a); c2 = fma(c2, m, a); c3 = fma(c3, m, a);
    c4 = fma(c4, m, a); c5 = fma(c5, m, a); c6 = fma(c6, m, a); c7 = fma(c7, m, a);
    c0 = fma(c0, m, a); c1 = fma(c1, m, a); c2 = fma(c2, m, a); c3 = fma(c3, m, a);
    c4 = fma(c4, m, a); c5 = fma(c5, m, a); c6 = fma(c6, m, a); c7 = fma(c7, m, a);
    c0 = fma(c0, m, a); c1 = fma(c1, m, a); c2 = fma(c2, m, a); c3 = fma(c3, m, a);
    c4 = fma(c4, m, a); c5 = fma(c5, m, a); c6 = fma(c6, m, a); c7 = fma(c7, m, a);
    c0 = fma(c0, m, a); c1 = fma(c1, m, a); c2 = fma(c2, m, a); c3 = fma(c3, m, a);
    c4 = fma(c4, m, a); c5 = fma(c5, m, a); c6 = fma(c6, m, a); c7 = fma(c7, m, a);
  }
  if (id.x < shape.count) { sums[id.x] = c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7; }
}
