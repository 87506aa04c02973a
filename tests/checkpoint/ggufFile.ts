/** GGUF files for tests: any encoding, from blocks that are already there. */
import type { Encoding } from '../../src/checkpoint/checkpoint';
import { writeGguf, type GgufValue } from '../../src/checkpoint/gguf/writer';

export interface BlockTensor {
  name: string;
  /** Row-major, slowest first. */
  shape: number[];
  encoding: Encoding;
  bytes: Uint8Array;
}

export const GGML_TYPE: Partial<Record<Encoding, number>> = {
  F32: 0,
  F16: 1,
  Q4_0: 2,
  Q4_1: 3,
  Q5_0: 6,
  Q5_1: 7,
  Q8_0: 8,
  Q4_K: 12,
  Q5_K: 13,
  Q6_K: 14,
  BF16: 30,
};

/** The keys come from the product's writer; lists of f32, which it does not write, and tensors are added behind them. */
export function ggufFile(
  pairs: Map<string, GgufValue>,
  tensors: BlockTensor[],
  lists: ReadonlyMap<string, Float32Array> = new Map(),
): Uint8Array<ArrayBuffer> {
  const end = 'end of keys';
  const head = writeGguf(new Map([...pairs, ['test.end', { type: 'string', value: end }]]), []);
  // the writer pads with zeros; the keys end where the last value does
  const keys = head.slice(0, Buffer.from(head).lastIndexOf(end) + end.length);
  new DataView(keys.buffer).setBigUint64(8, BigInt(tensors.length), true);
  new DataView(keys.buffer).setBigUint64(16, BigInt(pairs.size + 1 + lists.size), true);
  const parts: Uint8Array[] = [keys, ...[...lists].flatMap(([key, list]) => listBytes(key, list))];
  let offset = 0;
  for (const { name, shape, encoding, bytes } of tensors) {
    const text = new TextEncoder().encode(name);
    const info = new Uint8Array(8 + text.length + 4 + 8 * shape.length + 4 + 8);
    const view = new DataView(info.buffer);
    view.setBigUint64(0, BigInt(text.length), true);
    info.set(text, 8);
    let at = 8 + text.length;
    view.setUint32(at, shape.length, true);
    at += 4;
    for (const size of [...shape].reverse()) {
      view.setBigUint64(at, BigInt(size), true);
      at += 8;
    }
    view.setUint32(at, GGML_TYPE[encoding] ?? -1, true);
    view.setBigUint64(at + 4, BigInt(offset), true);
    parts.push(info);
    offset += Math.ceil(bytes.length / 32) * 32;
  }
  parts.push(padding(parts.reduce((sum, part) => sum + part.length, 0)));
  for (const { bytes } of tensors) parts.push(bytes, padding(bytes.length));
  return new Uint8Array(Buffer.concat(parts));
}

function padding(length: number): Uint8Array {
  return new Uint8Array(-length & 31);
}

/** Key, type 9 (a list) of type 6 (f32), length, numbers. */
function listBytes(key: string, list: Float32Array): Uint8Array[] {
  const text = new TextEncoder().encode(key);
  const head = new Uint8Array(8 + text.length + 16);
  const view = new DataView(head.buffer);
  view.setBigUint64(0, BigInt(text.length), true);
  head.set(text, 8);
  view.setUint32(8 + text.length, 9, true);
  view.setUint32(12 + text.length, 6, true);
  view.setBigUint64(16 + text.length, BigInt(list.length), true);
  return [head, new Uint8Array(list.buffer, list.byteOffset, list.byteLength)];
}
