/** Full fine-tuning: every weight of the model is trained. For tiny models; the frozen copy is not needed meanwhile. */
import type { WeightSource } from '../checkpoint/source';
import type { ModelConfig } from '../model/config';
import { headNormNames, linearName, membersOf, normNames, PROJECTIONS, weightShapes } from '../model/shapes';
import { layerNorms } from '../model/weights';
import { linear } from '../ops/linear';
import { trainedWeight } from '../ops/weight';
import {
  blankFlat,
  flatOf,
  lengthOf,
  placeBlocks,
  slotsOf,
  type Block,
  type BlockParts,
  type Flat,
  type Trainable,
} from './trainable';

export async function fullTrainable(config: ModelConfig, source: WeightSource): Promise<Trainable> {
  const blocks = placeBlocks(partsOf(config));
  const values = new Float32Array(lengthOf(blocks));
  for (const slot of slotsOf(blocks)) values.set(await source.read(slot.name), slot.offset);
  return trainableOver(config, blocks, flatOf(values));
}

/** The same without numbers, within `onlyPipelines`. */
export function blankFullTrainable(config: ModelConfig): Trainable {
  const blocks = placeBlocks(partsOf(config));
  return trainableOver(config, blocks, blankFlat(lengthOf(blocks)));
}

function trainableOver(config: ModelConfig, blocks: Block[], flat: Flat): Trainable {
  const byName = new Map(blocks.map((block) => [block.slots[0]?.name, block]));
  const need = (name: string): Block => {
    const block = byName.get(name);
    if (!block) throw new Error(`Nothing is trained under the name ${name}.`);
    return block;
  };

  return {
    blocks,
    flat,
    direct: false,
    outside(at) {
      const table = (name: string) => trainedWeight(at(need(name)));
      const embedding = table('model.embed_tokens.weight');
      const head = config.tied ? embedding : table('lm_head.weight');
      return { embedding, head, norm: at(need('model.norm.weight')) };
    },
    layer(index, at) {
      const [heads] = headNormNames(config, index);
      return {
        norms: layerNorms(
          config,
          index,
          (name) => at(need(name)),
          heads === undefined ? null : at(need(heads)),
        ),
        linear: (x, projection, extra = {}) => {
          const [first = projection] = membersOf(config, projection);
          const own = linearName(index, first);
          const bias = byName.get(`${own}.bias`);
          return linear(x, trainedWeight(at(need(`${own}.weight`))), { bias: bias && at(bias), ...extra });
        },
      };
    },
  };
}

/** What an operation reads as one lies together; a block is found by the name of its first tensor. */
function partsOf(config: ModelConfig): BlockParts[] {
  const shapes = weightShapes(config);
  const parts: BlockParts[] = [];
  const take = (names: string[], place: Block['place'], shape?: number[]) => {
    const slots = names.map((name) => {
      const own = shapes.get(name);
      if (!own) throw new Error(`${name} belongs to no model of this family.`);
      return { name, shape: own };
    });
    const [first] = slots;
    if (!first) return;
    const rows = slots.reduce((sum, slot) => sum + (slot.shape[0] ?? 0), 0);
    parts.push({ slots, shape: shape ?? [rows, ...first.shape.slice(1)], place });
  };
  take(['model.embed_tokens.weight'], 'embedding');
  for (let layer = 0; layer < config.layers; layer++) {
    const heads = headNormNames(config, layer);
    for (const name of Object.values(normNames(config)).map((name) => `model.layers.${layer}.${name}.weight`))
      if (!heads.includes(name)) take([name], layer);
    take(heads, layer, [2, config.headDim]);
    for (const projection of PROJECTIONS) {
      const members = membersOf(config, projection);
      const named = (end: string) => members.map((target) => `${linearName(layer, target)}.${end}`);
      take(named('weight'), layer);
      if (members.some((target) => config.biased.includes(target))) take(named('bias'), layer);
    }
  }
  take(['model.norm.weight'], 'norm');
  if (!config.tied) take(['lm_head.weight'], 'head');
  return parts;
}
