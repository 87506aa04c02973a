/** What is chosen without a device at hand: generation reads a weight once for all its rows, whatever the device. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Gpu } from '../../src/gpu/device';
import { chooseDesign, groupsOf, kindOf, useTuned, type Design } from '../../src/ops/product/choose';
import { PLAIN, type ProductShape } from '../../src/ops/product/operands';
import { WEIGHT_FORMATS } from '../../src/protocol/weightFormats';

const DEVICES: Record<string, Pick<Gpu, 'software' | 'fixedSubgroup'>> = {
  'a graphics card': { software: false, fixedSubgroup: 0 },
  'a graphics card with subgroups of one size': { software: false, fixedSubgroup: 32 },
  'a processor driver': { software: true, fixedSubgroup: 8 },
  'a processor driver of four lanes': { software: true, fixedSubgroup: 4 },
  'a processor driver without subgroups': { software: true, fixedSubgroup: 0 },
};
const shapeOf = (format: ProductShape['format']): ProductShape => ({
  ...PLAIN,
  ...{ form: 'nt', format, vector: 4 },
});
/** Columns of Qwen2.5-0.5B's vocabulary. */
const VOCAB = 151_936;

afterEach(() => useTuned({}));

describe.each(Object.keys(DEVICES))('on %s', (name) => {
  const gpu = DEVICES[name] as Gpu;

  it.each(WEIGHT_FORMATS)('up to eight rows are one group, so that a weight is read once, %s', (format) => {
    const shape = shapeOf(format);
    for (let rows = 1; rows <= 8; rows++)
      for (const width of [896, VOCAB])
        expect(groupsOf(shape, chooseDesign(shape, rows, width, gpu), rows, width)[0]).toBe(1);
  });

  it('what was measured for one row or a few is taken there and nowhere else', () => {
    const shape = shapeOf('q4');
    const before = [1, 5, 9, 64].map((rows) => chooseDesign(shape, rows, 896, gpu));
    const measured: Design = { design: 'reduce', rows: 8, cols: 2, lanes: 128, subgroup: false };
    useTuned({ [kindOf('nt', 'q4', 'few')]: measured });
    const after = [1, 5, 9, 64].map((rows) => chooseDesign(shape, rows, 896, gpu));
    expect(after).toEqual([before[0], measured, before[2], before[3]]);
    expect(chooseDesign(shape, 2, 896, gpu)).toEqual({ ...measured, rows: 2 });
  });
});

describe('on a processor driver, one row', () => {
  const gpu = DEVICES['a processor driver'] as Gpu;

  it.each(WEIGHT_FORMATS)('a weight that lies in blocks is read block by block, %s', (format) => {
    const packed = !['f32', 'f16'].includes(format);
    const chosen = chooseDesign(shapeOf(format), 1, VOCAB, gpu);
    expect(chosen).toMatchObject(
      packed ? { design: 'registers', rows: 1, blocks: true } : { design: 'reduce', subgroup: true },
    );
    expect(chooseDesign(shapeOf(format), 2, VOCAB, gpu)).not.toHaveProperty('blocks');
  });
});

describe('by the lanes of a processor driver', () => {
  const [eight, four] = [
    { software: true, fixedSubgroup: 8 } as Gpu,
    { software: true, fixedSubgroup: 4 } as Gpu,
  ];

  it('lines are touched first where lanes are many enough to wait for memory', () => {
    for (const rows of [1, 3, 8]) {
      expect(chooseDesign(shapeOf('q4'), rows, VOCAB, eight)).toMatchObject({ touch: true });
      expect(chooseDesign(shapeOf('q4'), rows, VOCAB, four)).not.toHaveProperty('touch');
    }
    expect(chooseDesign(shapeOf('q4'), 64, VOCAB, eight)).not.toHaveProperty('touch');
  });

  it('one row of q8 takes more columns where a lane has time for them, eight of f16 where lanes are many', () => {
    expect(chooseDesign(shapeOf('q8'), 1, VOCAB, eight)).toMatchObject({ cols: 2 });
    expect(chooseDesign(shapeOf('q8'), 1, VOCAB, four)).toMatchObject({ cols: 4 });
    expect(chooseDesign(shapeOf('f16'), 8, VOCAB, eight)).toMatchObject({ cols: 8 });
    expect(chooseDesign(shapeOf('f16'), 8, VOCAB, four)).toMatchObject({ cols: 4 });
  });

  it('few columns backward are single numbers, unless an adapter is folded in or vectors fill the lanes', () => {
    const shape: ProductShape = { ...shapeOf('f32'), form: 'nn' };
    expect(chooseDesign(shape, 512, 8, eight)).toMatchObject({ narrow: true, rows: 32, cols: 1 });
    expect(chooseDesign(shape, 512, 24, eight)).toMatchObject({ narrow: true, rows: 16, cols: 3 });
    expect(chooseDesign(shape, 512, 32, eight)).not.toHaveProperty('narrow');
    expect(chooseDesign({ ...shape, lora: true }, 512, 8, eight)).not.toHaveProperty('narrow');
  });

  it('the gradient of a weight goes through two rows at a time', () => {
    const shape: ProductShape = { ...shapeOf('f32'), form: 'tn' };
    expect(chooseDesign(shape, 8, 896, eight)).toMatchObject({ steps: 2, cols: 2 });
  });
});

describe('on a graphics card, many rows', () => {
  const gpu = { software: false, fixedSubgroup: 32 } as Gpu;
  const tall: Design = { design: 'tiled', bm: 128, bn: 64, tm: 8, tn: 8, stage: 'f32' };

  it('a measured tile is taken unless it is taller than there are rows', () => {
    useTuned({ 'nt q4': tall });
    const shape = shapeOf('q4');
    expect(chooseDesign(shape, 512, 896, gpu)).toEqual(tall);
    expect(chooseDesign(shape, 128, 896, gpu)).toEqual(tall);
    expect(chooseDesign(shape, 64, 896, gpu)).toMatchObject({ design: 'tiled', bm: 64 });
    expect(chooseDesign(shape, 32, 896, gpu)).toMatchObject({ design: 'tiled', bm: 32 });
  });

  it('gradients of an adapter are added up within a workgroup, those of a whole weight are not', () => {
    const shape: ProductShape = { ...shapeOf('f32'), form: 'tn' };
    expect(chooseDesign(shape, 4, 896, gpu)).toMatchObject({ design: 'sliced', rows: 4 });
    expect(chooseDesign(shape, 16, 896, gpu)).toMatchObject({ design: 'sliced', rows: 8 });
    expect(chooseDesign(shape, 4864, 896, gpu).design).toBe('registers');
  });
});
