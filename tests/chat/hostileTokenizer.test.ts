/** Broken and hostile tokenizer.json files: refused with a reason, or run; never a crash, a hang, or an id past the embedding. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { assetsFrom } from '../../src/chat/assets';
import { ChatTokenizer } from '../../src/chat/tokenizer';
import { DataProblem } from '../../src/dataset/problem';
import { randomFrom } from '../../src/random';

const original = readFileSync('tests/fixtures/models/llama/tokenizer.json', 'utf8');
const config = { vocab_size: 384 };
const open = (text: string) => assetsFrom(new Map([['tokenizer.json', text]]), config);

type File = { model: Record<string, unknown> & { vocab: Record<string, unknown> } } & Record<string, unknown>;
/** The fixture's file with `change` done to it. */
function changed(change: (file: File) => void): string {
  const file = JSON.parse(original) as File;
  change(file);
  return JSON.stringify(file);
}

describe('a broken tokenizer.json is refused with its reason', () => {
  it.each<[string, string, RegExp]>([
    ['no JSON', '{"model":', /is not JSON/],
    ['a list', '[]', /holds no tokenizer model/],
    ['no vocabulary', changed(({ model }) => (model.vocab = null as never)), /has no vocabulary/],
    ['a negative id', changed(({ model }) => (model.vocab['a'] = -1)), /"a" has the id -1/],
    ['half an id', changed(({ model }) => (model.vocab['a'] = 1.5)), /"a" has the id 1.5/],
    ['a word as id', changed(({ model }) => (model.vocab['a'] = '7')), /"a" has the id 7, which is no whole/],
    ['an id twice', changed(({ model }) => (model.vocab['a'] = model.vocab['b'])), /two tokens have the id/],
    ['an id past the embedding', changed(({ model }) => (model.vocab['a'] = 384)), /384 embedding rows/],
    ['a huge id', changed(({ model }) => (model.vocab['a'] = 1e15)), /384 embedding rows/],
    ['no merges', changed(({ model }) => delete model['merges']), /merges are missing/],
    ['a merge of one piece', changed(({ model }) => (model['merges'] = [['a']])), /is not two pieces/],
    ['a kind that is not known', changed(({ model }) => (model['type'] = 'Oracle')), /of the kind "Oracle"/],
    ['a broken expression', original.replace('\\\\p{N}{1,3}', '((('), /cannot be run/],
  ])('%s', (_, text, reason) => {
    expect(() => open(text)).toThrow(DataProblem);
    expect(() => open(text)).toThrow(reason);
  });

  it('more characters than any tokenizer has', () => {
    expect(() => open(' '.repeat(100_000_001))).toThrow(/has 100000001 characters; at most 100000000/);
  });
});

it('2,000 mutants: each is refused as a problem of the file, or reads and writes ids within the embedding', () => {
  const random = randomFrom(5);
  const place = () => Math.floor(random() * original.length);
  const pieces = ['"', '}', ']', ',', '-1', '1e9', 'null', '{}', '\\', '9'];
  let accepted = 0;
  let slowest = 0;
  for (let i = 0; i < 2000; i++) {
    const at = place();
    const kind = Math.floor(random() * 3);
    const cut = kind === 0 ? 0 : 1 + Math.floor(random() * 6);
    const put = kind === 1 ? '' : (pieces[Math.floor(random() * pieces.length)] ?? '');
    const text = original.slice(0, at) + put + original.slice(at + cut);
    const start = performance.now();
    try {
      const assets = open(text);
      const ids = new ChatTokenizer(assets).encodeText('the cat sat, 1234 times');
      for (const id of ids) expect(Number.isInteger(id) && id >= 0 && id < 384).toBe(true);
      accepted++;
    } catch (error) {
      if (!(error instanceof DataProblem)) throw new Error(`mutant ${i} at ${at}`, { cause: error });
    }
    slowest = Math.max(slowest, performance.now() - start);
  }
  expect(accepted).toBeGreaterThan(50);
  expect(accepted).toBeLessThan(1950);
  expect(slowest).toBeLessThan(2000);
}, 60_000);
