// rmsNormDx: dx = rstd * (w dy - u * mean(w dy u)),  u = rstd x,  w = offset + g,  rstd = 1 / sqrt(mean x^2 + epsilon);
//   with ADD + added
//
// x, dy, added, dx [rows, cols]   g [cols]
//
// LANES invocations share a row, ROWS rows share a workgroup; what is put in front is that of rmsNorm.wgsl.
struct Shape { rows: u32, cols: u32, epsilon: f32, offset: f32 }

@group(0) @binding(0) var<storage, read> x: array<Numbers>;
@group(0) @binding(1) var<storage, read> g: array<Numbers>;
@group(0) @binding(2) var<storage, read> dy: array<Numbers>;
@group(0) @binding(3) var<storage, read> added: array<Numbers>;
@group(0) @binding(4) var<storage, read_write> dx: array<Numbers>;
@group(0) @binding(5) var<uniform> shape: Shape;

@compute @workgroup_size(LANES, ROWS)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_id) id: vec3u) {
  let row = (wg.x + wg.y * groups.x) * ROWS + id.y;
  let at = min(row, shape.rows - 1u) * shape.cols;
  var squares = Numbers();
  var along = Numbers();
  for (var c = id.x; c < shape.cols; c += LANES) {
    let value = x[at + c];
    squares = fma(value, value, squares);
    along = fma((shape.offset + g[c]) * dy[at + c], value, along);
  }
  let count = f32(shape.cols * EACH);
  let rstd = inverseSqrt(rowSum(total(squares), id.x, id.y) / count + shape.epsilon);
  let pull = rowSum(total(along), id.x, id.y) * rstd * rstd / count;
  if (row < shape.rows) {
    for (var c = id.x; c < shape.cols; c += LANES) {
      var value = rstd * ((shape.offset + g[c]) * dy[at + c] - x[at + c] * pull);
      if (ADD) { value += added[at + c]; }
      dx[at + c] = value;
    }
  }
}
