// rmsNormDg: dg[c] = sum over rows of dy[row, c] * x[row, c] * rstd[row]
//
// x, dy [rows, cols]   dg [cols]
//
// One workgroup: its invocations take rows in turn to find rstd of 64 rows, then columns in turn to add them up.
// Only full fine-tuning of tiny models runs this.
struct Shape { rows: u32, cols: u32, epsilon: f32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dg: array<f32>;
@group(0) @binding(3) var<uniform> shape: Shape;

var<workgroup> rstd: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
  for (var c = lane; c < shape.cols; c += 64u) { dg[c] = 0.0; }
  for (var row0 = 0u; row0 < shape.rows; row0 += 64u) {
    workgroupBarrier();
    let row = min(row0 + lane, shape.rows - 1u);
    var squares = 0.0;
    for (var c = 0u; c < shape.cols; c++) {
      let value = x[row * shape.cols + c];
      squares = fma(value, value, squares);
    }
    rstd[lane] = inverseSqrt(squares / f32(shape.cols) + shape.epsilon);
    workgroupBarrier();
    let count = min(64u, shape.rows - row0);
    for (var c = lane; c < shape.cols; c += 64u) {
      var sum = 0.0;
      for (var i = 0u; i < count; i++) {
        let at = (row0 + i) * shape.cols + c;
        sum = fma(dy[at] * rstd[i], x[at], sum);
      }
      dg[c] += sum;
    }
  }
}
