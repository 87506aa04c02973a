/** The runner behind `npm run metrics`. */
import { expect, it } from 'vitest';
import { scoreFile } from './score';

const pair = { hypothesis: 'the red kite', references: ['the red kite', 'a bird'] };
const lineOf = (text: string, metric: string) =>
  scoreFile(text).find((line) => line.metric.startsWith(metric));

it('reads an object, a list, and one pair on each line', () => {
  const texts = [
    JSON.stringify({ pairs: [pair, pair] }),
    JSON.stringify([pair, pair]),
    `${JSON.stringify(pair)}\n${JSON.stringify(pair)}\n`,
  ];
  for (const text of texts)
    expect(lineOf(text, 'em|norm:strict')).toMatchObject({ pairs: 2, value: 1, compared: 0 });
});

it('finds a reference value that does not agree', () => {
  // shared words: red and kite of (red, kite) and (red, kite, flies): F1 = 4 / 5; "the" is an article
  const wrong = {
    hypothesis: 'the red kite',
    references: ['red kite flies'],
    squad_v2: { exact: 0, f1: 0.7 },
  };
  const line = lineOf(JSON.stringify([wrong]), 'f1|');
  expect(line).toMatchObject({ compared: 1, ok: false });
  expect(line?.largestError).toBeCloseTo(0.1, 12);
});

it('refuses a pair without references', () => {
  expect(() => scoreFile('[{ "hypothesis": "x", "references": [] }]')).toThrow(/length/i);
});
