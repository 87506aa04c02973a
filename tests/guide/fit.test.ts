/** The verdict before a download, against numbers worked out by hand, and the search for the smallest change. */
import { describe, expect, it } from 'vitest';
import { fitOf, quickVerdict, verdictOf } from '../../src/guide/fit';
import { levelsOf, roomForLayers } from '../../src/guide/layersKept';
import { largestThatFits, smallestChange } from '../../src/guide/fitChange';
import { memoryBudget, type Machine } from '../../src/guide/machineMemory';
import { readConfig } from '../../src/model/config';
import { defaultSettings, type Settings } from '../../src/protocol/settings';

const GIB = 2 ** 30;
/** Llama-3.2-1B as its config.json says, without the scaling of its rope. */
const llama1b = readConfig({
  architectures: ['LlamaForCausalLM'],
  hidden_size: 2048,
  intermediate_size: 8192,
  num_hidden_layers: 16,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  head_dim: 64,
  vocab_size: 128256,
  max_position_embeddings: 131072,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
});
const mistral7b = readConfig({
  architectures: ['MistralForCausalLM'],
  hidden_size: 4096,
  intermediate_size: 14336,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  vocab_size: 32768,
  max_position_embeddings: 32768,
  tie_word_embeddings: false,
});
const machine = (budget: number | null, changes: Partial<Machine> = {}): Machine => ({
  backend: 'webgpu',
  device: 'Test GPU',
  sharedMemory: null,
  maxBindingBytes: 2 * GIB,
  maxBufferBytes: 2 * GIB,
  deviceMemory: null,
  budget,
  ...changes,
});
const settings = (changes: Partial<Settings> = {}): Settings => ({ ...defaultSettings, ...changes });
const needed = (changes: Partial<Settings>): number =>
  fitOf(llama1b, settings(changes), machine(null)).needed;

describe('the budget', () => {
  it('is what the person set, before anything else', () => {
    const own = machine(6 * GIB, { sharedMemory: true, deviceMemory: 16 });
    expect(memoryBudget(own)).toMatchObject({ bytes: 6 * GIB, source: 'set' });
  });
  it('is 60 % of the machine’s memory where the GPU shares it: 9.6 of 16 GiB', () => {
    const shared = memoryBudget(machine(null, { sharedMemory: true, deviceMemory: 16 }));
    expect(shared.bytes / GIB).toBeCloseTo(9.6, 9);
    expect(shared.sentence).toContain('60 %');
  });
  it('is 4 GiB and says so where a card’s memory cannot be asked', () => {
    const card = memoryBudget(machine(null, { sharedMemory: false, deviceMemory: 32 }));
    expect(card).toMatchObject({ bytes: 4 * GIB, source: 'assumed' });
    expect(card.sentence).toContain('do not tell');
  });
});

describe('the verdict', () => {
  it('fits while a tenth more than predicted would fit, then is tight, then no', () => {
    expect(verdictOf(1000, 1100)).toBe('fits');
    expect(verdictOf(1000, 1099)).toBe('tight');
    expect(verdictOf(1000, 1000)).toBe('tight');
    expect(verdictOf(1000, 999)).toBe('no');
  });

  it('counts the weights of Llama-3.2-1B in q4 to the byte', () => {
    // A layer: q and o 2048², k and v 512 · 2048 each, gate, up and down 8192 · 2048 each: 60,817,408 numbers, 16 layers,
    // at 4 bits and one word of scale and offset to 32: 0.625 bytes. The embedding, which is the head too, 128256 · 2048
    // at 8 bits and a half of scale to 32: 1.0625 bytes. 33 norms of 2048 in 32 bits.
    const layers = 16 * 60_817_408 * 0.625;
    const embedding = 128_256 * 2048 * 1.0625;
    const fit = fitOf(llama1b, settings({ weightFormat: 'q4' }), machine(4 * GIB));
    expect(fit.memory.find(({ part }) => part === 'weights')?.bytes).toBe(layers + embedding + 33 * 2048 * 4);
  });

  it('counts the adapter: rank · (in + out) of seven layers in sixteen blocks', () => {
    // q and o 2 · 4096, k and v 2 · 2560, gate, up and down 3 · 10240: 44,032 a rank and block
    const fit = fitOf(llama1b, settings({ rank: 8 }), machine(4 * GIB));
    expect(fit.memory.find(({ part }) => part === 'adapter')?.bytes).toBe(4 * 16 * 8 * 44_032);
  });

  it('says no to Mistral-7B in 16 bits on 8 GiB and yes in 4 bits', () => {
    expect(quickVerdict(mistral7b, settings({ weightFormat: 'f16' }), machine(8 * GIB))).toBe('no');
    expect(quickVerdict(mistral7b, settings({ weightFormat: 'q4', rank: 8 }), machine(8 * GIB))).toBe('fits');
  });

  it('does not mind weights over the binding limit, but an adapter over it', () => {
    // Mistral-7B: a rank costs q and o 2 · 8192, k and v 2 · 5120, gate, up and down 3 · 18432 in 32 blocks: 2,621,440 numbers.
    // Rank 16: 41,943,040 numbers, 160 MiB in one buffer. Rank 8: 80 MiB.
    const small = machine(16 * GIB, { maxBindingBytes: 128 * 2 ** 20 });
    const large = fitOf(mistral7b, settings({ weightFormat: 'q4', rank: 16 }), small);
    expect(large.verdict).toBe('no');
    expect(large.tooLarge).toEqual({ bytes: 160 * 2 ** 20, limit: 128 * 2 ** 20 });
    expect(quickVerdict(mistral7b, settings({ weightFormat: 'q4', rank: 8 }), small)).toBe('fits');
    expect(smallestChange(mistral7b, settings({ weightFormat: 'q4', rank: 16 }), small)?.settings).toEqual({
      rank: 8,
    });
  });
});

describe('layers kept for the way back', () => {
  const bytesOf = (keptLayers: number) => needed({ keptLayers });
  /** Where a run of so many bytes fits, and one of more does not. */
  const room = (bytes: number) => machine(Math.ceil(1.1 * bytes) + 1);

  it('each take what the backward pass of a layer reads, and no longer what one layer takes anyway', () => {
    // 15 more layers: at the least the feed-forward's three widths of 8192 for 1024 tokens each
    expect(bytesOf(16) - bytesOf(1)).toBeGreaterThan(15 * 1024 * 3 * 8192 * 4);
    expect(bytesOf(1000)).toBe(bytesOf(16));
  });

  it('are none, as many as fit, and all', () => {
    const levels = levelsOf(llama1b, settings(), room(bytesOf(5)));
    expect(levels).toEqual([
      { kept: 0, layers: 16, bytes: bytesOf(0), verdict: 'fits' },
      { kept: 5, layers: 16, bytes: bytesOf(5), verdict: 'fits' },
      { kept: 16, layers: 16, bytes: bytesOf(16), verdict: 'no' },
    ]);
    expect(levelsOf(llama1b, settings(), room(bytesOf(16))).map(({ kept }) => kept)).toEqual([0, 16]);
    expect(levelsOf(llama1b, settings(), machine(GIB)).map(({ verdict }) => verdict)).toEqual(['no', 'no']);
  });

  it('are offered where there is room for more than the settings keep', () => {
    expect(roomForLayers(llama1b, settings({ keptLayers: 4 }), room(bytesOf(5)))?.kept).toBe(5);
    expect(roomForLayers(llama1b, settings({ keptLayers: 5 }), room(bytesOf(5)))).toBeNull();
    expect(roomForLayers(llama1b, settings(), machine(GIB))).toBeNull();
  });
});

describe('the smallest change', () => {
  /** Just enough for these settings to fit. */
  const roomFor = (changes: Partial<Settings>) => machine(Math.ceil(1.1 * needed(changes)) + 1);

  it('is one weight format down when that is enough, not two', () => {
    expect(smallestChange(llama1b, settings(), roomFor({ weightFormat: 'q8' }))).toEqual({
      settings: { weightFormat: 'q8' },
      verdict: 'fits',
    });
    expect(smallestChange(llama1b, settings(), roomFor({ weightFormat: 'q4' }))?.settings).toEqual({
      weightFormat: 'q4',
    });
  });

  it('is computing layers again before anything that changes the result', () => {
    const found = smallestChange(llama1b, settings({ keptLayers: 1000 }), roomFor({ keptLayers: 0 }));
    expect(found?.settings).toEqual({ keptLayers: 0 });
    // of 16 layers, 8 are tried before 4
    const half = smallestChange(llama1b, settings({ keptLayers: 1000 }), roomFor({ keptLayers: 8 }));
    expect(half?.settings).toEqual({ keptLayers: 8 });
  });

  it('is inputs as half floats before smaller weights, where they are enough', () => {
    const long = settings({ sequenceLength: 2048, batchExamples: 1 });
    const { sequenceLength, batchExamples } = long;
    const of = (halfInputs: boolean) => needed({ sequenceLength, batchExamples, halfInputs });
    // 16 inputs of 2,048 × 2,048 numbers wait; two of them are there in full at the peak
    expect(of(false) - of(true)).toBeGreaterThan(12 * 2 * 2048 * 2048);
    const room = roomFor({ sequenceLength, batchExamples, halfInputs: true });
    expect(smallestChange(llama1b, long, room)?.settings).toEqual({ halfInputs: true });
    const kept = settings({ sequenceLength, batchExamples, keptLayers: 1000 });
    expect(smallestChange(llama1b, kept, room)?.settings).not.toHaveProperty('halfInputs');
  });

  it('changes two settings only where no single one is enough', () => {
    const least = { weightFormat: 'nf4', batchExamples: 1 } as const;
    const found = smallestChange(llama1b, settings(), roomFor(least));
    expect(Object.keys(found?.settings ?? {})).toHaveLength(2);
    for (const single of [{ weightFormat: 'nf4' }, { batchExamples: 1 }, { rank: 4 }] as const)
      expect(quickVerdict(llama1b, settings(single), roomFor(least))).not.toBe('fits');
  });

  it('ends in settings that the verdict agrees with', () => {
    for (const gib of [1, 1.5, 2, 3]) {
      const found = smallestChange(llama1b, settings(), machine(gib * GIB));
      if (found !== null)
        expect(quickVerdict(llama1b, settings(found.settings), machine(gib * GIB))).toBe(found.verdict);
    }
    expect(smallestChange(mistral7b, settings(), machine(2 * GIB))).toBeNull();
  });

  it('keeps the sequence length a multiple of 32', () => {
    const odd = settings({ sequenceLength: 1504, batchExamples: 1 });
    const found = smallestChange(mistral7b, odd, machine(3 * GIB));
    expect((found?.settings.sequenceLength ?? 32) % 32).toBe(0);
  });

  it('names the largest model that fits', () => {
    const models = [
      { name: 'small', config: llama1b, parameters: 1.2e9 },
      { name: 'large', config: mistral7b, parameters: 7.2e9 },
    ];
    const q4 = settings({ weightFormat: 'q4' });
    expect(largestThatFits(models, q4, machine(3 * GIB))?.name).toBe('small');
    expect(largestThatFits(models, q4, machine(12 * GIB))?.name).toBe('large');
    expect(largestThatFits(models, q4, machine(0.5 * GIB))).toBeNull();
  });
});
