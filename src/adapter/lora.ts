/**
 * LoRA: y = frozen(x) + scale · (x Aᵀ) Bᵀ on the chosen linear layers. A starts random, B at zero, as PEFT does
 * (Kaiming uniform with a = √5, that is ±1/√in). Knows nothing of steps, files or screens.
 */
import type { ModelConfig } from '../model/config';
import { linearName, linearShape, membersOf, PROJECTIONS, type Projection } from '../model/shapes';
import type { ModelWeights } from '../model/weights';
import { linear } from '../ops/linear';
import type { Segment } from '../ops/segments';
import { randomFrom } from '../random';
import { adapterModules, type AdapterModule, type AdapterSpec, type AdapterWeights } from './spec';
import {
  blankFlat,
  flatOf,
  lengthOf,
  placeBlocks,
  slotsOf,
  type Block,
  type BlockParts,
  type Trainable,
} from './trainable';

/** The adapters of one product: those of the layers that it runs at once. */
interface Group {
  a: Block;
  b: Block;
  segments: Segment[];
}

/** `start`: an adapter's numbers, the seed of fresh ones, or null for none at all, within `onlyPipelines`. */
export function loraTrainable(
  config: ModelConfig,
  weights: ModelWeights,
  spec: AdapterSpec,
  start: AdapterWeights | { seed: number } | null,
): Trainable {
  const modules = new Map(adapterModules(spec, config).map((module) => [module.name, module]));
  const keys: string[] = [];
  const parts: BlockParts[] = [];
  const segmentsOf = new Map<string, Segment[]>();
  for (let layer = 0; layer < config.layers; layer++)
    for (const projection of PROJECTIONS) {
      const members = membersOf(config, projection);
      const own = members.flatMap((target) => modules.get(linearName(layer, target)) ?? []);
      if (own.length === 0) continue;
      const key = `${layer} ${projection}`;
      keys.push(key);
      parts.push(...blocksOf(own, layer));
      segmentsOf.set(
        key,
        members.map((target) => {
          const { rank = 0, scale = 0 } = modules.get(linearName(layer, target)) ?? {};
          return { rows: linearShape(config, target).out, rank, scale };
        }),
      );
    }
  const blocks = placeBlocks(parts);
  const groups = new Map<string, Group>();
  keys.forEach((key, index) => {
    const [a, b, segments] = [blocks[2 * index], blocks[2 * index + 1], segmentsOf.get(key)];
    if (a && b && segments) groups.set(key, { a, b, segments });
  });
  const flat = start ? flatOf(valuesOf(blocks, start)) : blankFlat(lengthOf(blocks));

  return {
    blocks,
    flat,
    direct: true,
    outside: () => weights,
    layer(index, at, seed) {
      const own = weights.layers[index];
      if (!own) throw new Error(`There is no layer ${index}.`);
      return {
        norms: own.norms,
        linear: (x, projection, extra = {}) => {
          const base = own.linear[projection];
          const group = groups.get(`${index} ${projection}`);
          const added = { bias: own.bias[projection], ...extra };
          if (!group) return linear(x, base, added);
          const { a, b, segments } = group;
          const { state } = flat;
          const lora = {
            ...{ a: at(a), b: at(b), segments },
            into: { a: { state, offset: a.offset }, b: { state, offset: b.offset } },
          };
          if (!seed || spec.dropout === 0) return linear(x, base, { ...added, lora });
          // layers that read the same input drop the same numbers of it
          const drop = { seed, p: spec.dropout, place: placeOf(index, projection) };
          return linear(x, base, { ...added, lora: { ...lora, drop } });
        },
      };
    },
  };
}

/** A's one below the other, B's one after the other. */
function blocksOf(modules: AdapterModule[], place: number): BlockParts[] {
  const [first] = modules;
  const ranks = modules.reduce((sum, { rank }) => sum + rank, 0);
  return [
    {
      slots: modules.map(({ name, rank, in: width }) => ({ name: `${name}.lora_A`, shape: [rank, width] })),
      shape: [ranks, first?.in ?? 0],
      place,
    },
    {
      slots: modules.map(({ name, rank, out }) => ({ name: `${name}.lora_B`, shape: [out, rank] })),
      shape: [modules.reduce((sum, { rank, out }) => sum + out * rank, 0)],
      place,
    },
  ];
}

function placeOf(layer: number, projection: Projection): number {
  return layer * PROJECTIONS.length + PROJECTIONS.indexOf(projection);
}

function valuesOf(blocks: Block[], start: AdapterWeights | { seed: number }): Float32Array {
  return 'seed' in start ? freshValues(blocks, start.seed) : givenValues(blocks, start);
}

function freshValues(blocks: Block[], seed: number): Float32Array {
  const random = randomFrom(seed);
  const values = new Float32Array(lengthOf(blocks));
  for (const { name, offset, count, shape } of slotsOf(blocks)) {
    if (!name.endsWith('lora_A')) continue;
    const bound = 1 / Math.sqrt(shape[1] ?? 1);
    for (let i = 0; i < count; i++) values[offset + i] = (2 * random() - 1) * bound;
  }
  return values;
}

function givenValues(blocks: Block[], { tensors }: AdapterWeights): Float32Array {
  const values = new Float32Array(lengthOf(blocks));
  for (const { name, offset, count } of slotsOf(blocks)) {
    const given = tensors.get(name);
    if (!given || given.values.length !== count)
      throw new Error(
        `The adapter has ${given ? given.values.length : 'no'} numbers for ${name}; ${count} are needed.`,
      );
    values.set(given.values, offset);
  }
  return values;
}

/** The adapter out of a copy of the flat parameters. */
export function adapterFrom(spec: AdapterSpec, blocks: Block[], parameters: Float32Array): AdapterWeights {
  const tensors: AdapterWeights['tensors'] = new Map();
  for (const { name, shape, offset, count } of slotsOf(blocks)) {
    const [rows = 0, cols = 0] = shape;
    tensors.set(name, { shape: [rows, cols], values: parameters.slice(offset, offset + count) });
  }
  return { spec, tensors };
}
