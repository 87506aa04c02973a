/** Small pure parts of the screen: numbers, the reading of curves, tokens made visible, kinds of files, order of scores. */
import { describe, expect, it } from 'vitest';
import { readCurve } from '../../src/guide/curve';
import { visible } from '../../src/ui/data/visible';
import { neighbours } from '../../src/ui/neighbours';
import { lossesInWords } from '../../src/ui/models/words';
import { bytes, chance, duration, percent, percentDone, rate } from '../../src/ui/numbers';
import { kindOf, pasted } from '../../src/ui/shell/files';
import { layersInWords } from '../../src/ui/train/words';
import { sortRows } from '../../src/ui/try/outcome';
import { tokens } from './samples/data';
import { scores } from './samples/scores';

const line = (losses: number[], every = 1) =>
  losses.map((loss, index) => ({ step: (index + 1) * every, loss }));
const falling = line(Array.from({ length: 40 }, (_, index) => 3 * 0.93 ** index));

describe('numbers', () => {
  it('are written with their unit', () => {
    expect([bytes(512), bytes(1536), bytes(1004 * 2 ** 20), bytes(5.1 * 2 ** 30)]).toEqual([
      '512\u00a0B',
      '1.5\u00a0KiB',
      '1.0\u00a0GiB',
      '5.1\u00a0GiB',
    ]);
    expect([duration(900), duration(80_000), duration(3_700_000)]).toEqual([
      '0.9 s',
      '1 min 20 s',
      '1 h 1 min',
    ]);
    expect([rate(2e-4), rate(0.0029812), rate(6.46e-7), rate(0)]).toEqual([
      '0.0002',
      '0.00298',
      '6.46e-7',
      '0',
    ]);
    expect([percent(0.016), percent(0.95), percent(1)]).toEqual(['1.6\u00a0%', '95\u00a0%', '100\u00a0%']);
    expect([percentDone(0.29), percentDone(0.1375), percentDone(0.999), percentDone(1)]).toEqual([
      '29\u00a0%',
      '13\u00a0%',
      '99\u00a0%',
      '100\u00a0%',
    ]);
    expect(chance(4e-16)).toBe('less than 0.001');
  });
});

it('layers kept for the way back are counted from the last', () => {
  const level = { layers: 24, bytes: 1, verdict: 'fits' as const };
  expect([0, 9, 24].map((kept) => layersInWords({ ...level, kept }))).toEqual([
    'Every layer computed again on the way back',
    'The last 9 of 24 layers kept',
    'All 24 layers kept',
  ]);
});

describe('what weights lost', () => {
  it('is said where something was lost, and only then', () => {
    expect(lossesInWords({ saturated: 0, flushed: 0, notFinite: 0 })).toBeNull();
    expect(lossesInWords({ saturated: 1, flushed: 1200, notFinite: 0 })).toBe(
      'Of its weights, 1 was too large for 16 bits and became ±65,504; 1,200 were too small for 16 bits and became 0.',
    );
    expect(lossesInWords({ saturated: 0, flushed: 0, notFinite: 2 })).toBe(
      'Of its weights, 2 are no finite number in its files.',
    );
  });
});

describe('a curve in words', () => {
  it('says too early, falling, flat, diverging and overfitting', () => {
    expect(readCurve(falling.slice(0, 5), [], false).shape).toBe('early');
    expect(readCurve(falling.slice(0, 20), [], false).shape).toBe('falling');
    expect(readCurve(line(Array.from({ length: 30 }, () => 2)), [], false).shape).toBe('flat');
    expect(readCurve(line(Array.from({ length: 30 }, (_, index) => 1 + index * 0.1)), [], false).shape).toBe(
      'diverging',
    );
    const reading = readCurve(falling, line([2, 1, 1.4], 10), true);
    expect(reading.shape).toBe('overfitting');
    expect(reading.sentence).toContain('step 20');
  });
});

describe('tokens', () => {
  it('stand together by fate, in order', () => {
    expect(neighbours(tokens, ({ fate }) => fate).map(({ common }) => common)).toEqual([
      'special',
      'read',
      'special',
      'learned',
      'end-mark',
    ]);
  });
  it('show blanks, line ends and hidden characters', () => {
    expect(visible(' a\n\u200b\u202e')).toBe('·a⏎⟨200b⟩⟨202e⟩');
  });
});

describe('files', () => {
  it('are told apart by their names', () => {
    expect(kindOf(['rows.jsonl'])).toBe('data');
    expect(kindOf(['records.zip'])).toBe('adapter');
    expect(kindOf(['peft/adapter_config.json', 'peft/adapter_model.safetensors'])).toBe('adapter');
    expect(kindOf(['m/config.json', 'm/tokenizer.json', 'm/model.safetensors'])).toBe('model');
  });
  it('pasted text is named after what it looks like', () => {
    expect(
      ['[{"a":1}]', '{"a":1}', 'a\tb\n1\t2', 'text,label\nhi,x', 'Once upon a time.'].map(
        (text) => pasted(text).name,
      ),
    ).toEqual(['pasted.json', 'pasted.jsonl', 'pasted.tsv', 'pasted.csv', 'pasted.txt']);
  });
});

it('what got worse stands first', () => {
  expect(sortRows(scores.rows).map((one) => one.outcome)).toEqual(['broken', 'wrong', 'fixed']);
});
