// embed: x[row, c] = table[ids[row], c]
//
// table [vocab, hidden]   f32, or with HALF f16 packed two to a word
// ids   [rows]
// x     [rows, hidden]
//
// One invocation per element of x. An id past the table reads its last row; the tokenizer's ids are checked before.
struct Shape { rows: u32, vocab: u32, hidden: u32 }

@group(0) @binding(0) var<storage, read> table: array<u32>;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> x: array<f32>;
@group(0) @binding(3) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.x + wg.y * groups.x) * 64u + lane;
  let row = i / shape.hidden;
  if (row >= shape.rows) { return; }
  let at = min(ids[row], shape.vocab - 1u) * shape.hidden + i % shape.hidden;
  if (HALF) {
    x[i] = unpack2x16float(table[at / 2u])[at % 2u];
  } else {
    x[i] = bitcast<f32>(table[at]);
  }
}
