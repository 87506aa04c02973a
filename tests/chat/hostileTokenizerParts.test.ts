/**
 * tokenizer.json with parts exchanged, taken away or doubled, as valid JSON: byte-level BPE and SentencePiece. Each is refused as a
 * problem of the file, or cuts text into ids within the embedding and gives text back.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { assetsFrom } from '../../src/chat/assets';
import { ChatTokenizer } from '../../src/chat/tokenizer';
import { readGgufHeader } from '../../src/checkpoint/gguf/container';
import { Metadata } from '../../src/checkpoint/gguf/metadata';
import { tokenizerTexts } from '../../src/checkpoint/gguf/tokenizer';
import { DataProblem } from '../../src/dataset/problem';
import { randomFrom } from '../../src/random';
import { GEMMA_FILE, PHI3_FILE } from '../checkpoint/pieceFiles';

const ROWS = 384;
const ofGguf = (file: Uint8Array) =>
  tokenizerTexts(new Metadata(readGgufHeader(file).pairs), ROWS).get('tokenizer.json') ?? '';
const ORIGINALS: [string, string][] = [
  ['byte-level BPE', readFileSync('tests/fixtures/models/llama/tokenizer.json', 'utf8')],
  ['Phi-3’s SentencePiece', ofGguf(PHI3_FILE)],
  ['Gemma’s SentencePiece', ofGguf(GEMMA_FILE)],
];

type Holder = Record<string, unknown> | unknown[];
const isHolder = (value: unknown): value is Holder => typeof value === 'object' && value !== null;

/** A place in the file: small parts as likely as large ones, so that the thousand tokens do not take nearly all. */
function placeIn(root: Holder, random: () => number): { holder: Holder; key: string } {
  let holder = root;
  for (;;) {
    const keys = Object.keys(holder);
    const key = keys[Math.floor(random() * keys.length)];
    if (key === undefined) return { holder, key: '0' };
    const inner: unknown = Array.isArray(holder) ? holder[Number(key)] : holder[key];
    if (!isHolder(inner) || Object.keys(inner).length === 0 || random() < 0.25) return { holder, key };
    holder = inner;
  }
}

const STRANGE: unknown[] = [
  ...[
    null,
    true,
    false,
    0,
    -1,
    0.5,
    1e9,
    2 ** 53,
    '',
    ' ',
    '▁',
    '\u{10ffff}',
    [],
    {},
    [[]],
    { type: 'Oracle' },
  ],
  ...['Replace', 'Split', 'Sequence', 'ByteLevel', 'BPE', 'Unigram', 'constructor', '__proto__'],
  ...[{ String: 'a' }, { Regex: '\\p{L}' }, { Regex: '(' }, ['a', 'b'], ['', ''], 'a b', 'x'.repeat(10_000)],
];

/** One to three exchanges; keys such as __proto__ stay keys, since the text is put together by hand of entries. */
function damaged(text: string, random: () => number): string {
  const root = JSON.parse(text) as Holder;
  for (let times = 1 + Math.floor(random() * 3); times > 0; times--) {
    const { holder, key } = placeIn(root, random);
    const kind = random();
    if (kind < 0.2) {
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else Reflect.deleteProperty(holder, key);
      continue;
    }
    const other = placeIn(root, random);
    const found: unknown = Reflect.get(other.holder, other.key);
    const value = kind < 0.5 ? found : STRANGE[Math.floor(random() * STRANGE.length)];
    // a copy, since a part within itself is no JSON
    Reflect.set(holder, key, value === undefined ? null : (JSON.parse(JSON.stringify(value)) as unknown));
  }
  return JSON.stringify(root);
}

// the engine says on the console which patterns it leaves out
beforeAll(() => void vi.spyOn(console, 'warn').mockImplementation(() => undefined));

describe.each(ORIGINALS)('%s: 1,000 mutants', (_, original) => {
  it('are refused as a problem of the file, or read and write ids within the embedding', () => {
    const random = randomFrom(9);
    const counts = { accepted: 0, refused: 0 };
    let slowest = 0;
    for (let i = 0; i < 1000; i++) {
      const text = damaged(original, random);
      const start = performance.now();
      try {
        const assets = assetsFrom(new Map([['tokenizer.json', text]]), { vocab_size: ROWS });
        const tokenizer = new ChatTokenizer(assets);
        const ids = tokenizer.encodeText('hi abc  SY, 1234 times\n é');
        for (const id of ids) expect(Number.isInteger(id) && id >= 0 && id < ROWS).toBe(true);
        expect(typeof tokenizer.decode(ids)).toBe('string');
        counts.accepted++;
      } catch (error) {
        if (!(error instanceof DataProblem))
          throw new Error(`mutant ${i}: ${text.slice(0, 300)}`, { cause: error });
        counts.refused++;
      }
      slowest = Math.max(slowest, performance.now() - start);
    }
    expect(counts.accepted).toBeGreaterThan(100);
    expect(counts.refused).toBeGreaterThan(100);
    expect(slowest).toBeLessThan(2000);
  }, 60_000);
});
