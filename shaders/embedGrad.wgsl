// embedGrad: dtable[v, c] = scale * sum of dy[row, c] over the rows whose id is v
//
// dy [rows, hidden]   ids [rows]   dtable [vocab, hidden]
//
// One invocation per table row walks all ids in order: no atomics, the same sum every time. For tiny models.
struct Shape { rows: u32, vocab: u32, hidden: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> dtable: array<f32>;
@group(0) @binding(3) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let v = (wg.x + wg.y * groups.x) * 64u + lane;
  if (v >= shape.vocab) { return; }
  let at = v * shape.hidden;
  for (var c = 0u; c < shape.hidden; c++) { dtable[at + c] = 0.0; }
  for (var row = 0u; row < shape.rows; row++) {
    if (ids[row] != v) { continue; }
    for (var c = 0u; c < shape.hidden; c++) { dtable[at + c] += shape.scale * dy[row * shape.hidden + c]; }
  }
}
