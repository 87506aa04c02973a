/** Files damaged at random: none crashes a reader, and one that is accepted says the same when its header is written out again. */
import { describe, expect, it } from 'vitest';
import { readGgufHeader } from '../../src/checkpoint/gguf/container';
import { Metadata } from '../../src/checkpoint/gguf/metadata';
import { tokenizerTexts } from '../../src/checkpoint/gguf/tokenizer';
import { FormatError, readSafetensors, writeSafetensors } from '../../src/checkpoint/safetensors';
import { randomFrom } from '../../src/random';
import { ggufFile } from './ggufFile';
import { mutant } from './mutants';
import { EMBEDDING, good, keys } from './smallGguf';

/** Runs `read` on mutants; counts what is accepted. Anything but a FormatError, or more than 2 s, fails. */
function tryMutants(
  original: Uint8Array,
  count: number,
  seed: number,
  read: (bytes: Uint8Array<ArrayBuffer>) => void,
): { accepted: number; slowest: number } {
  const random = randomFrom(seed);
  let accepted = 0;
  let slowest = 0;
  for (let i = 0; i < count; i++) {
    const bytes = mutant(original, random);
    const start = performance.now();
    try {
      read(bytes);
      accepted++;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
    }
    slowest = Math.max(slowest, performance.now() - start);
  }
  expect(accepted).toBeLessThan(count);
  expect(accepted).toBeGreaterThan(0); // damage to weights is not seen by a header
  expect(slowest).toBeLessThan(2000);
  return { accepted, slowest };
}

describe('mutants', { timeout: 120_000 }, () => {
  it('4,000 safetensors: an accepted one covers its file and says the same when read out again', () => {
    const original = writeSafetensors(
      [
        { name: 'a', dtype: 'F32', shape: [2, 3], values: new Float32Array(6) },
        { name: 'b', dtype: 'F16', shape: [4], values: new Float32Array(4) },
      ],
      { format: 'pt' },
    );
    tryMutants(original, 4000, 1, (bytes) => {
      const { entries, metadata } = readSafetensors(bytes);
      const start = Math.min(...[...entries.values()].map(({ begin }) => begin));
      const described = Object.fromEntries(
        [...entries.values()].map(({ name, dtype, shape, begin, end }) => [
          name,
          { dtype, shape, data_offsets: [begin - start, end - start] },
        ]),
      );
      const header = Object.keys(metadata).length > 0 ? { __metadata__: metadata, ...described } : described;
      const json = new TextEncoder().encode(JSON.stringify(header));
      const again = new Uint8Array(8 + json.length + (bytes.length - start));
      new DataView(again.buffer).setBigUint64(0, BigInt(json.length), true);
      again.set(json, 8);
      const facts = ({ entries: found, metadata: words }: ReturnType<typeof readSafetensors>) => [
        [...found.values()].map(({ name, dtype, shape, begin, end }) => [name, dtype, shape, end - begin]),
        words,
      ];
      if (entries.size > 0) expect(facts(readSafetensors(again))).toEqual(facts({ entries, metadata }));
    });
  });

  it('4,000 GGUF headers: an accepted one says the same when its tensors are written again', () => {
    tryMutants(good(), 4000, 2, (bytes) => {
      const header = readGgufHeader(bytes);
      const tensors = [...header.tensors.values()];
      // written again by the tests' writer, at the usual alignment and with the usual keys
      const again = readGgufHeader(
        ggufFile(
          keys(),
          tensors.map(({ name, shape, encoding, begin, end }) => ({
            name,
            shape,
            encoding,
            bytes: bytes.slice(begin, end),
          })),
        ),
      );
      const facts = (list: typeof tensors) =>
        list.map(({ name, shape, encoding, begin, end }) => [name, shape, encoding, end - begin]);
      expect(facts([...again.tensors.values()])).toEqual(facts(tensors));
      for (const { end } of tensors) expect(end).toBeLessThanOrEqual(bytes.length);
    });
  });

  it('4,000 tokenizers in GGUF: an accepted one has every id once and within the embedding', () => {
    tryMutants(ggufFile(keys(), [EMBEDDING]), 4000, 3, (bytes) => {
      const texts = tokenizerTexts(new Metadata(readGgufHeader(bytes).pairs), 8);
      const made = JSON.parse(texts.get('tokenizer.json') ?? '') as {
        model: { vocab: Record<string, number>; merges: [string, string][] };
      };
      const ids = Object.values(made.model.vocab);
      expect(new Set(ids).size).toBe(ids.length);
      for (const id of ids) expect(Number.isInteger(id) && id >= 0 && id < 8).toBe(true);
      for (const [left, right] of made.model.merges) expect(made.model.vocab[left + right]).toBeDefined();
    });
  });
});
