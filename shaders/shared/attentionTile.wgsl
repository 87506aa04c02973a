// A tile of SIDE x SIDE products between SIDE rows of one side and SIDE of the other, for a workgroup of 128. Rows come in pieces
// of WIDTH vectors through `left` and `right`; every invocation keeps 4 x 2 products in registers. Weights made of the products
// are handed to all through `weights`. Rows of shared memory are one element longer than they are full: no two lanes of a quarter
// meet in a bank. 13.5 KB. Loops over 4 and 2 are written out by the dispatch (OWN_ROWS, OWN_COLS).
// Kernels write `= array<f32, 8>()` on products made inside a loop: SwiftShader does not clear a `var` without a value again on
// the next turn, and the products of one tile would run on into the next.
const SIDE = 32u;
const WIDTH = 8u;
const STRIDE = 9u;

var<workgroup> left: array<vec4f, SIDE * STRIDE>;
var<workgroup> right: array<vec4f, SIDE * STRIDE>;
var<workgroup> weights: array<f32, SIDE * (SIDE + 1u)>;

// tile row and column of product (r, c) of a lane
fn tileRow(lane: u32, r: u32) -> u32 { return lane / 16u + 8u * r; }
fn tileCol(lane: u32, c: u32) -> u32 { return lane % 16u + 16u * c; }
// tile row and vector of sum n that a lane keeps of each piece
fn sumRow(lane: u32, n: u32) -> u32 { return lane / WIDTH + 16u * n; }

// Each lane brings two vectors of a piece into `left` or `right`: vector n's row and place there, and its number in a head.
fn slotRow(lane: u32, n: u32) -> u32 { return (lane + 128u * n) / WIDTH; }
fn slot(lane: u32, n: u32) -> u32 { return slotRow(lane, n) * STRIDE + lane % WIDTH; }
fn pieceVector(lane: u32, piece: u32) -> u32 { return piece * WIDTH + lane % WIDTH; }
// Where vector c of a head lies in [keys, kvHeads * d] and [rows, heads * d]; past the last row and vector, the last ones.
fn keyAt(key: u32, kvHead: u32, c: u32) -> u32 {
  return (min(key, shape.keys - 1u) * shape.kvHeads + kvHead) * shape.d4 + min(c, shape.d4 - 1u);
}
fn queryAt(row: u32, head: u32, c: u32) -> u32 {
  return (min(row, shape.rows - 1u) * shape.heads + head) * shape.d4 + min(c, shape.d4 - 1u);
}
// A vector past the head's last counts as zero.
fn within(value: vec4f, c: u32) -> vec4f { return select(vec4f(), value, c < shape.d4); }

// products += left rows . right rows over one piece
fn addProducts(products: ptr<function, array<f32, 8>>, lane: u32) {
  for (var i = 0u; i < WIDTH; i++) {
    var a: array<vec4f, 4>;
    for (var r = 0u; r < OWN_ROWS; r++) { a[r] = left[tileRow(lane, r) * STRIDE + i]; }
    for (var c = 0u; c < OWN_COLS; c++) {
      let b = right[tileCol(lane, c) * STRIDE + i];
      for (var r = 0u; r < OWN_ROWS; r++) { (*products)[r * 2u + c] += dot(a[r], b); }
    }
  }
}
