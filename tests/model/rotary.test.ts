/** Frequencies under each long-context scaling, against numbers derived by hand. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/model/config';
import { inverseFrequencies, rotaryTables } from '../../src/model/rotary';
import type { Rope } from '../../src/model/ropeConfig';
import { PHI_35_MINI_NARROW, TINYLLAMA } from './configs';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const close = (ours: number[], theirs: number[]) => {
  expect(ours.length).toBe(theirs.length);
  ours.forEach((value, i) => expect(value / (theirs[i] ?? NaN)).toBeCloseTo(1, 9));
};

describe('inverse frequencies', () => {
  // base 10000 over 8 numbers: 10000^(-0, -1/4, -2/4, -3/4) = 1, 0.1, 0.01, 0.001
  const plain: Rope = { theta: 10_000, dim: 8, scaling: null };

  it('default', () => close(inverseFrequencies(plain, 9), [1, 0.1, 0.01, 0.001]));

  it('linear divides all by the factor', () => {
    const scaling = { type: 'linear', factor: 4 } as const;
    close(inverseFrequencies({ ...plain, scaling }, 9), [0.25, 0.025, 0.0025, 0.00025]);
  });

  it('longrope divides each by its own factor; long ones past the original length', () => {
    const scaling = {
      type: 'longrope' as const,
      shortFactor: [1, 1, 2, 2],
      longFactor: [1, 2, 4, 8],
      originalLength: 4096,
      attentionFactor: 1.19,
    };
    close(inverseFrequencies({ ...plain, scaling }, 4096), [1, 0.1, 0.005, 0.0005]);
    close(inverseFrequencies({ ...plain, scaling }, 4097), [1, 0.05, 0.0025, 0.000125]);
  });

  it('yarn keeps fast pairs, stretches slow ones, and goes from one to the other between', () => {
    // pair that turns n times in L positions: 8 · ln(L / 2πn) / (2 ln 10000), with L = 2000:
    //   n = 32: 4 · ln(9.9472) / 9.21034 = 0.9977 → floor 0;   n = 1: 4 · ln(318.31) / 9.21034 = 2.5027 → ceil 3
    // ramp over pairs 0..3 is 0, 1/3, 2/3, 1; frequency = plain / 4 · ramp + plain · (1 − ramp)
    const scaling = {
      type: 'yarn' as const,
      factor: 4,
      betaFast: 32,
      betaSlow: 1,
      truncate: true,
      originalLength: 2000,
      attentionFactor: 1,
    };
    close(inverseFrequencies({ ...plain, scaling }, 9), [1, 0.1 * (1 - 0.25), 0.01 * (1 - 0.5), 0.00025]);
  });
});

describe('what config.json gives', () => {
  const scalingOf = (json: unknown) => readConfig(json).kinds[0]?.rope?.scaling;

  it('Phi-3.5: attention factor √(1 + ln 32 / ln 4096) = √(1 + 5/12)', () => {
    expect(scalingOf(PHI_35_MINI_NARROW)).toMatchObject({
      type: 'longrope',
      originalLength: 4096,
      attentionFactor: expect.closeTo(Math.sqrt(17 / 12), 12) as number,
    });
  });

  it('Phi-3’s first name for it, and the form of transformers 5', () => {
    const { rope_scaling: scaling, ...rest } = PHI_35_MINI_NARROW;
    const expected = readConfig(PHI_35_MINI_NARROW);
    expect(readConfig({ ...rest, rope_scaling: { ...scaling, type: 'su' } })).toEqual(expected);
    const { type, ...factors } = scaling;
    const fresh = {
      ...factors,
      rope_type: type,
      rope_theta: 10_000,
      partial_rotary_factor: 1,
      original_max_position_embeddings: 4096,
    };
    expect(readConfig({ ...rest, rope_theta: undefined, rope_parameters: fresh })).toEqual(expected);
  });

  it('yarn: attention factor 0.1 ln 4 + 1, or as DeepSeek’s keys or attention_factor say', () => {
    const yarn = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 2000 };
    const read = (more: object) => scalingOf({ ...TINYLLAMA, rope_scaling: { ...yarn, ...more } });
    expect(read({})).toMatchObject({ betaFast: 32, betaSlow: 1, truncate: true });
    expect(read({})).toHaveProperty('attentionFactor', 0.1 * Math.log(4) + 1);
    expect(read({ attention_factor: 1.5 })).toHaveProperty('attentionFactor', 1.5);
    expect(read({ mscale: 1, mscale_all_dim: 1 })).toHaveProperty('attentionFactor', 1);
  });

  it('cosines and sines carry the attention factor; a part of the head is turned where config.json says so', async () => {
    const config = readConfig({
      ...PHI_35_MINI_NARROW,
      partial_rotary_factor: 0.75,
      rope_scaling: {
        type: 'longrope',
        short_factor: new Array<number>(12).fill(1),
        long_factor: new Array<number>(12).fill(2),
      },
    });
    const [table] = rotaryTables(config, 5);
    expect(table?.shape).toEqual([5, 24]);
    const values = (await table?.data()) ?? new Float32Array();
    const factor = Math.sqrt(17 / 12);
    // position 4, pair 6: angle 4 · 10000^(-12/24) = 0.04
    expect(values[4 * 24 + 6]).toBeCloseTo(factor * Math.cos(0.04), 6);
    expect(values[4 * 24 + 12 + 6]).toBeCloseTo(factor * Math.sin(0.04), 6);
  });
});
