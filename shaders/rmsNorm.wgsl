// rmsNorm: y[row, c] = (offset + g[c]) * x[row, c] / sqrt(mean of x[row]^2 + epsilon), with ADD + added[row, c]
//
// x, added, y [rows, cols]   g [cols]
//
// LANES invocations share a row, ROWS rows share a workgroup; shared/rowReduce*.wgsl and `Numbers`, EACH and `total` are put in front:
// cols are counted in Numbers.
struct Shape { rows: u32, cols: u32, epsilon: f32, offset: f32 }

@group(0) @binding(0) var<storage, read> x: array<Numbers>;
@group(0) @binding(1) var<storage, read> g: array<Numbers>;
@group(0) @binding(2) var<storage, read> added: array<Numbers>;
@group(0) @binding(3) var<storage, read_write> y: array<Numbers>;
@group(0) @binding(4) var<uniform> shape: Shape;

@compute @workgroup_size(LANES, ROWS)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_id) id: vec3u) {
  let row = (wg.x + wg.y * groups.x) * ROWS + id.y;
  let at = min(row, shape.rows - 1u) * shape.cols;
  var squares = Numbers();
  for (var c = id.x; c < shape.cols; c += LANES) {
    squares = fma(x[at + c], x[at + c], squares);
  }
  let rstd = inverseSqrt(rowSum(total(squares), id.x, id.y) / f32(shape.cols * EACH) + shape.epsilon);
  if (row < shape.rows) {
    for (var c = id.x; c < shape.cols; c += LANES) {
      var value = (shape.offset + g[c]) * x[at + c] * rstd;
      if (ADD) { value += added[at + c]; }
      y[at + c] = value;
    }
  }
}
