// Where a head of [q | k | v] lies and which of its numbers are turned together; put in front of splitHeads.wgsl and joinHeads.wgsl,
// which bind `shape`. Rows are the heads of all tokens: of a token first its query heads, then its key heads, then its value heads.
struct Shape { tokens: u32, heads: u32, kvHeads: u32, dim: u32, turned: u32, epsilon: f32, offset: f32, keys: u32 }

struct Head {
  inside: bool,
  token: u32,
  head: u32,
  // of its first number in a row of [q | k | v]
  at: u32,
  // query or key: normed where the family does that, and turned
  turns: bool,
  turned: u32,
  // of its gains in [2, dim]
  gain: u32,
}

// A row past the end is the last one again, so that all lanes take part in sums.
fn headOf(row: u32) -> Head {
  let all = shape.heads + 2u * shape.kvHeads;
  let own = min(row, shape.tokens * all - 1u);
  let head = own % all;
  let turns = head < shape.heads + shape.kvHeads;
  let turned = select(0u, shape.turned, turns);
  let gain = select(shape.dim, 0u, head < shape.heads);
  return Head(row < shape.tokens * all, own / all, head, own * shape.dim, turns, turned, gain);
}

// Pair i of a head: two numbers half of the turned ones apart, and past those two neighbours.
fn pairOf(i: u32, turned: u32) -> vec2u {
  return select(vec2u(2u * i, 2u * i + 1u), vec2u(i, i + turned), i < turned);
}
