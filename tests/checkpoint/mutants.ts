/** Seeded damage to files. */

/** Bytes flipped, runs overwritten with extremes, pieces copied, cut or doubled. */
export function mutant(original: Uint8Array, random: () => number): Uint8Array<ArrayBuffer> {
  let bytes = original.slice();
  const place = () => Math.floor(random() * bytes.length);
  for (let times = 1 + Math.floor(random() * 3); times > 0; times--) {
    const kind = Math.floor(random() * 6);
    if (kind === 0) bytes[place()] = Math.floor(random() * 256);
    if (kind === 1) bytes.fill(random() < 0.5 ? 0 : 255, place(), place() + 1 + Math.floor(random() * 8));
    if (kind === 2) bytes.copyWithin(place(), place(), place());
    if (kind === 3) bytes = bytes.slice(0, place());
    if (kind === 4) {
      const at = place();
      bytes = new Uint8Array([...bytes.subarray(0, at), ...bytes.subarray(at - Math.floor(random() * 40))]);
    }
    if (kind === 5 && bytes.length > 0)
      bytes[place()] = (bytes[place()] ?? 0) ^ (1 << Math.floor(random() * 8));
  }
  return bytes;
}
