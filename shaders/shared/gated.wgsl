// gated: act(z) * up
//   silu(z) = z / (1 + exp(-z)), or with GELU  z / (1 + exp(-2 w)),  w = sqrt(2/pi) (z + 0.044715 z^3)
//   (the tanh form, since (1 + tanh w) / 2 = 1 / (1 + exp(-2 w)))
//
// `alias Numbers` (vec4f or f32) and `const GELU` are put in front.
fn gated(z: Numbers, up: Numbers) -> Numbers {
  var turn = z;
  if (GELU) { turn = 1.5957691216 * z * (1.0 + 0.044715 * z * z); }
  // exp overflows past 88; the clamp changes no result that f32 can hold apart from 0
  return z / (1.0 + exp(min(-turn, Numbers(80.0)))) * up;
}
