// The scale of a block of nf4dq, whose word four blocks share: the bits of what they share are those of an f32 that begins at 2^-15.
fn sharedScale(word: u32, place: u32) -> f32 {
  return bitcast<f32>(((word >> 24u) << 20u) + (112u << 23u)) * f32((word >> (6u * place)) & 63u) * (1.0 / 63.0);
}
