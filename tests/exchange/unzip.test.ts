import { zipSync, type Zippable } from 'fflate';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError } from '../../src/checkpoint/safetensors';
import { unzip } from '../../src/exchange/unzip';

const limits = { maxEntries: 10, maxBytes: 1_000_000 };
const text = (value: string) => new TextEncoder().encode(value);
const zip = (files: Zippable, level: 0 | 6 = 6) => zipSync(files, { level });

it.each([0, 6] as const)('reads what another zip program wrote, packed at level %i', async (level) => {
  const files = {
    'a/one.txt': text('one '.repeat(500)),
    'zwei ü.bin': Uint8Array.of(1, 2, 3),
    'empty/': new Uint8Array(0),
  };
  const entries = await unzip(zip(files, level), limits);
  expect(entries.map(({ name, bytes }) => [name, [...bytes]])).toEqual([
    ['a/one.txt', [...files['a/one.txt']]],
    ['zwei ü.bin', [1, 2, 3]],
  ]);
});

describe('refuses', () => {
  it.each(['../../evil.txt', '/etc/passwd', 'a/../../b', 'a\\b', 'C:x', 'a\u0000b', 'a//b'])(
    'the name %j',
    async (name) => {
      await expect(unzip(zip({ [name]: text('x') }), limits)).rejects.toThrow(/unsafe name/);
    },
  );

  it('more bytes than the cap, before unpacking any', async () => {
    const bomb = zip({ zeros: new Uint8Array(1_000_001) });
    expect(bomb.length).toBeLessThan(2000);
    await expect(unzip(bomb, limits)).rejects.toThrow(/unpacks to 1000001 bytes; at most 1000000/);
  });

  it('more files than the cap', async () => {
    const many = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`f${i}`, text('x')]));
    await expect(unzip(zip(many), limits)).rejects.toThrow(/holds 11 files; at most 10/);
  });

  it('an entry that unpacks to more than it says', async () => {
    const lying = zip({ zeros: new Uint8Array(5000) });
    const view = new DataView(lying.buffer);
    // The unpacked size in the central directory, 24 bytes into its only entry.
    const central = view.getUint32(lying.length - 22 + 16, true);
    view.setUint32(central + 24, 100, true);
    await expect(unzip(lying, limits)).rejects.toThrow(/more than the 100 bytes the zip says/);
  });

  it('a ratio no deflate reaches', async () => {
    const lying = zip({ zeros: new Uint8Array(5000) });
    const view = new DataView(lying.buffer);
    view.setUint32(view.getUint32(lying.length - 22 + 16, true) + 24, 900_000, true);
    await expect(unzip(lying, limits)).rejects.toThrow(/that cannot be/);
  });

  it('damaged content', async () => {
    const damaged = zip({ 'a.txt': text('hello') }, 0);
    damaged[30 + 'a.txt'.length] = 0x48;
    await expect(unzip(damaged, limits)).rejects.toThrow(/a\.txt in the zip is damaged/);
  });

  it('a file that is no zip, or half of one', async () => {
    await expect(unzip(text('PK but no more'), limits)).rejects.toThrow(/not a whole zip/);
    const half = zip({ 'a.txt': text('hello'.repeat(99)) }, 0);
    await expect(unzip(half.slice(0, 300), limits)).rejects.toThrow(/not a whole zip/);
  });
});

it('never fails on a mutant in another way than FormatError', async () => {
  const good = zip({ a: text('some text, some text, some text'), b: Uint8Array.of(1, 2, 3) });
  const change = fc.record({ at: fc.nat(good.length - 1), byte: fc.nat(255) });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
      const mutant = good.slice();
      for (const { at, byte } of changes) mutant[at] = byte;
      await unzip(mutant, limits).catch((cause: unknown) => expect(cause).toBeInstanceOf(FormatError));
    }),
    { numRuns: 500 },
  );
});
