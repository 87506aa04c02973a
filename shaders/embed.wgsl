// embed: x[row, c] = scale * table[ids[row], c]
//
// codes, scales   rows first … first + vocab of the table, in one of the forms of protocol/weightFormats.ts (FORMAT is its
//                 place in that list); without scales `scales` is bound to the codes once more
// ids   [rows]
// x     [rows, hidden]
//
// shared/sharedScale.wgsl is put in front. One invocation per element of x. Ids outside this part of the table are left alone:
// another part writes them. An id past the whole table reads its last row; the tokenizer's ids are checked before.
struct Shape { rows: u32, first: u32, vocab: u32, all: u32, hidden: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> codes: array<u32>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;
@group(0) @binding(2) var<storage, read> ids: array<u32>;
@group(0) @binding(3) var<storage, read_write> x: array<f32>;
@group(0) @binding(4) var<uniform> shape: Shape;

const NF4 = array<f32, 16>(
  -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
  -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
  0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
  0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0);

fn half(words: u32, index: u32) -> f32 { return unpack2x16float(words)[index & 1u]; }

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.x + wg.y * groups.x) * 64u + lane;
  let row = i / shape.hidden;
  if (row >= shape.rows) { return; }
  let id = min(ids[row], shape.all - 1u);
  if (id < shape.first || id >= shape.first + shape.vocab) { return; }
  let at = (id - shape.first) * shape.hidden + i % shape.hidden;
  var value: f32;
  if (FORMAT == 0u) { value = bitcast<f32>(codes[at]); }
  if (FORMAT == 1u) { value = half(codes[at / 2u], at); }
  if (FORMAT == 2u) {
    let code = extractBits(bitcast<i32>(codes[at / 4u]), 8u * (at % 4u), 8u);
    value = half(scales[at / 64u], at / 32u) * f32(code);
  }
  if (FORMAT >= 3u) {
    let code = extractBits(codes[at / 8u], 4u * (at % 8u), 4u);
    if (FORMAT == 3u) {
      let pair = unpack2x16float(scales[at / 32u]);
      value = fma(pair.x, f32(code), pair.y);
    } else if (FORMAT == 4u) {
      value = half(scales[at / 128u], at / 64u) * NF4[code];
    } else {
      value = sharedScale(scales[at / 256u], (at / 64u) % 4u) * NF4[code];
    }
  }
  x[i] = shape.scale * value;
}
