/** The document of several devices: a run replaces its own section and leaves the others. */
import { expect, it } from 'vitest';
import type { BenchmarkRow } from '../../src/protocol/benchmark';
import { markdownOf } from './markdown';

const about = (device: string) => ({
  ...{
    device,
    command: 'npm run bench -- layer',
    date: '2026-01-02',
    machine: '2 × cores',
    features: 'none',
  },
});
const row = (ms: number): BenchmarkRow => ({
  ...{ name: 'layer', what: 'A layer', shape: 'T 64', device: 'any', limit: null },
  ours: { ms, least: ms, most: ms, runs: 3 },
  peers: [],
});

it('a run replaces the section of its device and leaves the others where they are', () => {
  const one = markdownOf([row(11)], about('Card A'));
  const two = markdownOf([row(22)], about('Card B'), one);
  const three = markdownOf([row(33)], about('Card A'), two);
  expect(three.match(/^## .*/gm)).toEqual(['## Card A', '## Card B']);
  expect(three).toContain('33 ms (33–33, 3)');
  expect(three).toContain('22 ms (22–22, 3)');
  expect(three).not.toContain('11 ms');
  expect(three.match(/^# .*/gm)).toEqual(['# Benchmarks']);
});

it('what is written by hand below a device stays until that device is measured again', () => {
  const noted = `${markdownOf([row(11)], about('Card A'))}\nA note.\n`;
  expect(markdownOf([row(22)], about('Card B'), noted)).toContain('A note.');
  expect(markdownOf([row(22)], about('Card A'), noted)).not.toContain('A note.');
});
