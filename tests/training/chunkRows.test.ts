/** Rows of logits at once: at most 64 MiB, in whole tiles of a graphics card. */
import { expect, it } from 'vitest';
import { chunkRows } from '../../src/training/chunkRows';

it.each([
  // 2^24 floats are 64 MiB: 110 rows of Qwen2.5's vocabulary, of which 64 are whole tiles
  ['Qwen2.5', 151_936, 512, 64],
  // 130 rows of Llama 3's
  ['Llama 3', 128_256, 512, 128],
  // exactly 64 of Gemma's
  ['Gemma 3', 262_144, 512, 64],
  // 41, less than a tile
  ['a vocabulary of 400,000', 400_000, 512, 32],
  // 524 of Mistral's, and 256 are enough
  ['Mistral', 32_000, 1024, 256],
  ['fewer tokens than rows', 32_000, 17, 17],
])('%s', (_, vocab, tokens, rows) => {
  expect(chunkRows(vocab, tokens)).toBe(rows);
});
