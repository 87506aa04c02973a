import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FormatError,
  readSafetensors,
  tensorBytes,
  toFloat32,
  toInt32,
  writeSafetensors,
} from '../../src/checkpoint/safetensors';
import { fileInMemory } from '../../src/checkpoint/fileBytes';
import { openCheckpoint } from '../../src/checkpoint/openCheckpoint';
import { sourceOf } from '../../src/checkpoint/source';

/** A file from header text and data, with a true length in front unless another is asked for. */
function file(header: string | object, data: number, claimed?: bigint): Uint8Array {
  const json = typeof header === 'string' ? header : JSON.stringify(header);
  const text = new TextEncoder().encode(json);
  const bytes = new Uint8Array(8 + text.length + data);
  new DataView(bytes.buffer).setBigUint64(0, claimed ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}
const f32 = (shape: number[], begin: number, end: number) => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});

describe('a broken file is refused with its reason', () => {
  const cases: [string, Uint8Array, RegExp][] = [
    ['an empty file', new Uint8Array(0), /has 0 bytes/],
    ['a header length of 0', file('', 0), /does not start with "\{"/],
    ['a header length of 2^63', file({}, 0, 2n ** 63n), /claims 9223372036854775808 bytes/],
    ['a header past the end', file({}, 0, 99n), /claims 99 bytes; the file has 2/],
    ['a header over the limit', file({}, 0, 100_000_001n), /at most 100000000/],
    ['a leading space', file(' {}', 0), /does not start with "\{"/],
    ['a header that is a list', file('[]', 0), /does not start with "\{"/],
    ['a header that does not close', file('{"a":', 0), /cannot be read/],
    [
      'a key twice',
      file(`{"a":${JSON.stringify(f32([1], 0, 4))},"a":${JSON.stringify(f32([1], 0, 4))}}`, 4),
      /"a" occurs twice/,
    ],
    [
      'a key twice, once escaped',
      file(`{"a":${JSON.stringify(f32([1], 0, 4))},"\\u0061":1}`, 4),
      /"a" occurs twice/,
    ],
    ['__proto__ as a name', file('{"__proto__":{}}', 0), /"__proto__"/],
    ['an object in __metadata__', file({ __metadata__: { format: { x: 1 } } }, 0), /which is not a string/],
    ['an unknown type', file({ a: { ...f32([1], 0, 4), dtype: 'F128' } }, 4), /has the type "F128"/],
    [
      'an inherited type name',
      file({ a: { ...f32([1], 0, 4), dtype: 'toString' } }, 4),
      /has the type "toString"/,
    ],
    ['a negative size', file({ a: f32([-1], 0, 4) }, 4), /holds -1/],
    ['a fraction as size', file({ a: f32([0.5], 0, 2) }, 2), /holds 0.5/],
    ['a product past 2^53', file({ a: f32([2 ** 30, 2 ** 30], 0, 4) }, 4), /larger than 2\^53/],
    [
      'an offset past 2^53',
      file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,9007199254740993]}}`, 4),
      /not a size/,
    ],
    ['a size that is not shape × type', file({ a: f32([2], 0, 4) }, 4), /has 4 bytes; F32 \[2\] takes 8/],
    ['offsets the wrong way round', file({ a: f32([1], 4, 0) }, 4), /begin ≤ end/],
    ['overlap', file({ a: f32([2], 0, 8), b: f32([1], 4, 8) }, 8), /b overlaps/],
    ['a hole', file({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12), /b leaves a hole/],
    ['a first tensor that does not begin at 0', file({ a: f32([1], 4, 8) }, 8), /a leaves a hole/],
    ['bytes after the last tensor', file({ a: f32([1], 0, 4) }, 5), /bytes after its last tensor/],
    ['a cut file', file({ a: f32([2], 0, 8) }, 7), /cut short/],
    ['an unknown key in an entry', file({ a: { ...f32([1], 0, 4), path: '/' } }, 4), /unknown key "path"/],
    ['nine dimensions', file({ a: f32([1, 1, 1, 1, 1, 1, 1, 1, 1], 0, 4) }, 4), /9 dimensions/],
    ['deep nesting', file(`{"a":${'['.repeat(100_000)}`, 0), /nested deeper than 8/],
  ];
  it.each(cases)('%s', (_, bytes, reason) => {
    expect(() => readSafetensors(bytes)).toThrow(FormatError);
    expect(() => readSafetensors(bytes)).toThrow(reason);
  });

  it('bad UTF-8', () => {
    const bytes = file('{"a":"xx"}', 0);
    bytes[14] = 0xff;
    expect(() => readSafetensors(bytes)).toThrow(/not valid UTF-8/);
  });

  it('more tensors than the limit', () => {
    const bytes = file({ a: f32([0], 0, 0), b: f32([0], 0, 0) }, 0);
    expect(() => readSafetensors(bytes, { maxTensors: 1 })).toThrow(/lists 2 tensors; at most 1/);
  });
});

it('accepts what the reference reader accepts: padding, empty tensors, scalars, any order in the header', () => {
  const header = `${JSON.stringify({ b: f32([], 8, 12), none: f32([0, 3], 8, 8), a: f32([2], 0, 8) })}    `;
  const { entries } = readSafetensors(file(header, 12));
  expect([...entries.keys()].sort()).toEqual(['a', 'b', 'none']);
});

it('reads a file of the reference writer and gives the same values back', () => {
  const path = join(import.meta.dirname, '../fixtures/models/llama/lora/adapter_model.safetensors');
  const bytes = new Uint8Array(readFileSync(path));
  const read = readSafetensors(bytes);
  const tensors = [...read.entries.values()].map(({ name, dtype, shape, begin, end }) => {
    return { name, dtype: 'F32' as const, shape, values: toFloat32(bytes.subarray(begin, end), dtype) };
  });
  expect(tensors.length).toBe(28); // 2 layers × 7 targets × A and B
  const written = writeSafetensors(tensors, { format: 'pt' });
  const again = readSafetensors(written);
  expect(again.metadata).toEqual({ format: 'pt' });
  for (const { name, shape, values } of tensors) {
    const entry = again.entries.get(name);
    if (!entry) throw new Error(`${name} is gone`);
    expect(entry.shape).toEqual(shape);
    expect(toFloat32(tensorBytes(written, entry), 'F32')).toEqual(values);
  }
});

it('aligns the data to 8 bytes whatever the header’s length, names with umlauts included', () => {
  for (const name of ['a', 'ab', 'abc', 'gewählt', '重み']) {
    const written = writeSafetensors([{ name, dtype: 'F32', shape: [1], values: Float32Array.of(1.5) }]);
    const entry = readSafetensors(written).entries.get(name);
    expect([entry?.begin && entry.begin % 8, entry?.end]).toEqual([0, written.length]);
  }
});

it('reads whatever was written, bit by bit', () => {
  const tensor = fc.record({
    name: fc.string({ minLength: 1 }).filter((name) => !name.startsWith('__')),
    values: fc.float32Array({ maxLength: 20 }),
  });
  fc.assert(
    fc.property(fc.uniqueArray(tensor, { selector: ({ name }) => name }), (tensors) => {
      const written = writeSafetensors(
        tensors.map(({ name, values }) => ({ name, dtype: 'F32', shape: [values.length], values })),
      );
      const { entries } = readSafetensors(written);
      for (const { name, values } of tensors) {
        const entry = entries.get(name);
        if (!entry) throw new Error(`${name} is gone`);
        expect(toFloat32(tensorBytes(written, entry), 'F32')).toEqual(values);
      }
    }),
  );
});

it('never fails on a mutant in another way than FormatError, and never reads outside the file', () => {
  const values = Float32Array.of(1, 2, 3, 4, 5, 6);
  const good = writeSafetensors([
    { name: 'a', dtype: 'F32', shape: [2, 3], values },
    { name: 'b', dtype: 'F16', shape: [6], values },
  ]);
  const change = fc.record({ at: fc.nat(good.length - 1), byte: fc.nat(255) });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(good.length), (changes, cut) => {
      const mutant = good.slice(0, cut % 5 === 0 ? cut : good.length);
      for (const { at, byte } of changes) if (at < mutant.length) mutant[at] = byte;
      try {
        for (const entry of readSafetensors(mutant).entries.values()) {
          expect(entry.end).toBeLessThanOrEqual(mutant.length);
        }
      } catch (cause) {
        expect(cause).toBeInstanceOf(FormatError);
      }
    }),
    { numRuns: 2000 },
  );
});

it('widens I64 and U8 to 32 bits and refuses what does not fit', () => {
  expect([...toInt32(new Uint8Array(BigInt64Array.of(-7n, 2n ** 31n - 1n).buffer), 'I64')]).toEqual([
    -7, 2147483647,
  ]);
  expect([...toInt32(Uint8Array.of(0, 255), 'U8')]).toEqual([0, 255]);
  expect(() => toInt32(new Uint8Array(BigInt64Array.of(2n ** 31n).buffer), 'I64')).toThrow(
    /2147483648 does not fit/,
  );
  expect(() => toFloat32(new Uint8Array(4), 'I32')).toThrow(/I32 was found/);
});

describe('a model of several files', () => {
  const shard = (name: string, value: number) =>
    writeSafetensors([{ name, dtype: 'F16', shape: [1, 2], values: Float32Array.of(value, -value) }]);

  const open = async (...shards: Uint8Array<ArrayBuffer>[]) =>
    sourceOf(
      await openCheckpoint(
        shards.map((bytes, i) => fileInMemory(`${i}.safetensors`, bytes)),
        new Map([['config.json', '{}']]),
      ),
    );

  it('is one source', async () => {
    const source = await open(shard('a', 1.5), shard('b', 2.5));
    expect(source.names()).toEqual(['a', 'b']);
    expect(source.shape('b')).toEqual([1, 2]);
    expect(await source.read('b')).toEqual(Float32Array.of(2.5, -2.5));
  });

  it('may not hold a tensor twice, and names one that is missing', async () => {
    await expect(open(shard('a', 1), shard('a', 2))).rejects.toThrow(
      /a is in both 0.safetensors and 1.safetensors/,
    );
    await expect((await open(shard('a', 1))).read('z')).rejects.toThrow(/no tensor z. Is a shard missing/);
  });
});
