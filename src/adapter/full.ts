/** Full fine-tuning: every weight of the model is trained. For tiny models; the frozen copy is not needed meanwhile. */
import type * as tf from '@tensorflow/tfjs-core';
import type { WeightSource } from '../checkpoint/source';
import type { ModelConfig } from '../model/config';
import { linearName } from '../model/shapes';
import { layerNorms, linearOf, weightShapes, type ModelWeights } from '../model/weights';
import { linear } from '../ops/linear';
import { trainedWeight } from '../ops/weight';
import type { Target } from '../protocol/settings';
import { Flat, placeSlots, type Slot, type Trainable } from './trainable';

export async function fullTrainable(config: ModelConfig, source: WeightSource): Promise<Trainable> {
  const slots = placeSlots(
    [...weightShapes(config)].map(([name, shape]) => ({ name, shape, place: placeOf(name) })),
  );
  const last = slots[slots.length - 1];
  const values = new Float32Array(last ? last.offset + Math.ceil(last.count / 64) * 64 : 0);
  for (const slot of slots) values.set(await source.read(slot.name), slot.offset);
  const flat = new Flat(slots, values);
  const byName = new Map(slots.map((slot) => [slot.name, slot]));
  const need = (name: string): Slot => {
    const slot = byName.get(name);
    if (!slot) throw new Error(`Nothing is trained under the name ${name}.`);
    return slot;
  };
  const optional = (name: string, at: (slot: Slot) => tf.Tensor) => {
    const slot = byName.get(name);
    return slot ? at(slot) : undefined;
  };

  return {
    slots,
    flat,
    outside(at) {
      const table = (name: string) => trainedWeight(at(need(name)));
      const embedding = table('model.embed_tokens.weight');
      const head = config.tied ? embedding : table('lm_head.weight');
      return { embedding, head, norm: at(need('model.norm.weight')) };
    },
    layer(index, at) {
      return {
        norms: layerNorms(config, index, (name) => at(need(name))),
        linear: (x, target, residual) => {
          const own = linearName(index, target);
          const weight = trainedWeight(at(need(`${own}.weight`)));
          return linear(x, weight, { bias: optional(`${own}.bias`, at), residual });
        },
      };
    },
  };
}

function placeOf(name: string): Slot['place'] {
  const layer = /^model\.layers\.(\d+)\./.exec(name)?.[1];
  if (layer !== undefined) return Number(layer);
  if (name === 'model.norm.weight') return 'norm';
  return name === 'lm_head.weight' ? 'head' : 'embedding';
}

/** A model's linear layers as they are, with nothing trained: the base model. */
export function frozenLayers(weights: ModelWeights): Trainable['layer'] {
  return (index) => {
    const own = weights.layers[index];
    if (!own) throw new Error(`There is no layer ${index}.`);
    return {
      norms: own.norms,
      linear: (x, target: Target, residual) =>
        linear(x, linearOf(own, target), { bias: own.bias[target], residual }),
    };
  };
}
