/** Numbers rounded to bf16 patterns, to nearest, ties to even: what the makers of checkpoints do. The app only reads them. */
const F32_INFINITY = 0x7f800000;

export function float32ToBfloat16Bits(values: Float32Array): Uint16Array<ArrayBuffer> {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const word = words[i] ?? 0;
    const isNaN = (word & 0x7fffffff) > F32_INFINITY;
    // A NaN keeps a fraction bit, or cutting its low half could turn it into an infinity.
    bits[i] = isNaN ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return bits;
}
