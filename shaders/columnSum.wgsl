// columnSum: sum[c] = sum over rows of dy[row, c]
//
// dy   [rows, cols]   gradient of a linear layer's output
// sum  [cols]         gradient of its bias
//
// One invocation per column.
struct Shape { rows: u32, cols: u32 }

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> sum: array<f32>;
@group(0) @binding(2) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= shape.cols) { return; }
  var total = 0.0;
  for (var row = 0u; row < shape.rows; row++) {
    total += dy[row * shape.cols + id.x];
  }
  sum[id.x] = total;
}
