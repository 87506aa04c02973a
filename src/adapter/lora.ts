/**
 * LoRA: y = frozen(x) + scale · (x Aᵀ) Bᵀ on the chosen linear layers. A starts random, B at zero, as PEFT does
 * (Kaiming uniform with a = √5, that is ±1/√in). Knows nothing of steps, files or screens.
 */
import type * as tf from '@tensorflow/tfjs-core';
import type { ModelConfig } from '../model/config';
import { linearOf, type ModelWeights } from '../model/weights';
import { dropout } from '../ops/dropout';
import { linear } from '../ops/linear';
import { trainedWeight } from '../ops/weight';
import type { Target } from '../protocol/settings';
import { randomFrom } from '../random';
import { adapterModules, type AdapterModule, type AdapterSpec, type AdapterWeights } from './spec';
import { Flat, placeSlots, type Slot, type Trainable } from './trainable';

interface Pair {
  module: AdapterModule;
  a: Slot;
  b: Slot;
}

export function loraTrainable(
  config: ModelConfig,
  weights: ModelWeights,
  spec: AdapterSpec,
  start: AdapterWeights | { seed: number },
): Trainable {
  const modules = adapterModules(spec, config);
  const slots = placeSlots(
    modules.flatMap(({ name, rank, out, in: width, layer }) => [
      { name: `${name}.lora_A`, shape: [rank, width], place: layer },
      { name: `${name}.lora_B`, shape: [out, rank], place: layer },
    ]),
  );
  const pairs = new Map<string, Pair>();
  modules.forEach((module, index) => {
    const [a, b] = [slots[2 * index], slots[2 * index + 1]];
    if (a && b) pairs.set(`${module.layer} ${module.target}`, { module, a, b });
  });
  const flat = new Flat(slots, 'seed' in start ? freshValues(slots, start.seed) : givenValues(slots, start));

  return {
    slots,
    flat,
    outside: () => weights,
    layer(index, at, seed) {
      const own = weights.layers[index];
      if (!own) throw new Error(`There is no layer ${index}.`);
      return {
        norms: own.norms,
        linear: (x, target, residual) => {
          const pair = pairs.get(`${index} ${target}`);
          const base = linearOf(own, target);
          const extra = { bias: own.bias[target], residual };
          if (!pair) return linear(x, base, extra);
          const [a, b] = [at(pair.a), at(pair.b)];
          const { scale } = pair.module;
          if (!seed || spec.dropout === 0) return linear(x, base, { ...extra, lora: { a, b, scale } });
          return dropped(
            linear(x, base, extra),
            dropout(x, seed, spec.dropout, placeOf(index, target)),
            a,
            b,
            scale,
          );
        },
      };
    },
  };
}

/** With dropout the adapter reads another input than the frozen weight: y + scale · (x′ Aᵀ) Bᵀ. */
function dropped(y: tf.Tensor, x: tf.Tensor, a: tf.Tensor, b: tf.Tensor, scale: number): tf.Tensor {
  return linear(linear(x, trainedWeight(a)), trainedWeight(b), { scale, residual: y });
}

function placeOf(layer: number, target: Target): number {
  return layer * 16 + target.charCodeAt(0) - 96 + (target === 'down_proj' ? 8 : 0);
}

function freshValues(slots: Slot[], seed: number): Float32Array {
  const random = randomFrom(seed);
  const values = new Float32Array(lengthOf(slots));
  for (const { name, offset, count, shape } of slots) {
    if (!name.endsWith('lora_A')) continue;
    const bound = 1 / Math.sqrt(shape[1] ?? 1);
    for (let i = 0; i < count; i++) values[offset + i] = (2 * random() - 1) * bound;
  }
  return values;
}

function givenValues(slots: Slot[], { tensors }: AdapterWeights): Float32Array {
  const values = new Float32Array(lengthOf(slots));
  for (const { name, offset, count } of slots) {
    const given = tensors.get(name);
    if (!given || given.values.length !== count)
      throw new Error(
        `The adapter has ${given ? given.values.length : 'no'} numbers for ${name}; ${count} are needed.`,
      );
    values.set(given.values, offset);
  }
  return values;
}

function lengthOf(slots: Slot[]): number {
  return slots.reduce((end, slot) => Math.max(end, slot.offset + Math.ceil(slot.count / 64) * 64), 0);
}

/** The adapter out of a copy of the flat parameters. */
export function adapterFrom(spec: AdapterSpec, slots: Slot[], parameters: Float32Array): AdapterWeights {
  const tensors: AdapterWeights['tensors'] = new Map();
  for (const { name, shape, offset, count } of slots) {
    const [rows = 0, cols = 0] = shape;
    tensors.set(name, { shape: [rows, cols], values: parameters.slice(offset, offset + count) });
  }
  return { spec, tensors };
}
