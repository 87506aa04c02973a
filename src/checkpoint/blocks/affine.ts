/** MLX's packed codes: w = scale · code + bias, one scale and bias for a group of numbers along the row. */

/** `codes`: bytes of the packed words, `bits` 4 or 8; `scales` and `biases` one for each group, in order. */
export function decodeAffine(
  codes: Uint8Array,
  bits: 4 | 8,
  group: number,
  scales: Float32Array,
  biases: Float32Array,
  out: Float32Array,
): void {
  for (let g = 0; g < scales.length; g++) {
    const scale = scales[g] ?? 0;
    const bias = biases[g] ?? 0;
    for (let i = g * group; i < (g + 1) * group; i++) {
      const code = bits === 8 ? (codes[i] ?? 0) : ((codes[i >> 1] ?? 0) >> (4 * (i & 1))) & 15;
      out[i] = Math.fround(scale * code) + bias;
    }
  }
}
