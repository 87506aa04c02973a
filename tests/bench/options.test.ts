import { expect, it } from 'vitest';
import { BENCHMARKS } from '../../src/protocol/benchmark';
import { WEIGHT_FORMATS } from '../../src/protocol/weightFormats';
import { optionsOf } from './options';

it('runs everything in every format where nothing is named', () => {
  expect(optionsOf([])).toMatchObject({
    names: BENCHMARKS,
    formats: WEIGHT_FORMATS,
    budget: 6000,
    peers: true,
  });
});

it('takes names, formats and times', () => {
  const words = 'layer decode --format q4 --format nf4dq --runs 3 --budget 0.5 --no-peers'.split(' ');
  expect(optionsOf(words)).toMatchObject({
    ...{ names: ['layer', 'decode'], formats: ['q4', 'nf4dq'], runs: 3, budget: 500, peers: false },
  });
});

it.each([
  ['layr', 'There is no benchmark layr.'],
  ['--format q5', 'There is no weight format q5.'],
  ['--runs 2', '--runs is 3 or more, not 2.'],
  ['--budget none', '--budget is more than 0 seconds, not none.'],
  ['--help', /Unknown option '--help'/],
])('says what is wrong with %s', (words, message) => {
  expect(() => optionsOf(words.split(' '))).toThrow(message);
});
