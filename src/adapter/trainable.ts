/**
 * What a run trains: named tensors that lie side by side in flat buffers, and the linear layers that read them. LoRA and full
 * fine-tuning are two ways to make one. The optimiser sees only the flat buffers, the decoder only the linear layers.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Linear } from '../model/decoder';
import type { LayerNorms, ModelWeights } from '../model/weights';
import { onlyAsking } from '../gpu/inside';
import { blankTensor, viewOf } from '../gpu/tensors';
import { SCALARS, type FlatState } from '../ops/flat';

/** A tensor as checkpoints and adapters name it. */
export interface Slot {
  name: string;
  shape: number[];
  /** In numbers. */
  offset: number;
  count: number;
}

/** Slots side by side that an operation reads as one tensor: what a tape differentiates by. */
export interface Block {
  slots: Slot[];
  /** Of all slots together. */
  shape: number[];
  /** In numbers, a multiple of 64 (256 bytes: what a device can bind at). */
  offset: number;
  /** Decoder layer it belongs to, or where outside: the embedding before, the head after. */
  place: number | 'embedding' | 'norm' | 'head';
}

/** The weights and linear layers of one decoder layer, with the trained tensors put in. */
export interface TrainedLayer {
  norms: LayerNorms;
  linear: Linear;
}

export interface Trainable {
  blocks: Block[];
  flat: Flat;
  /** Gradients are added to the flat buffer where they are made; what the tape gives in their place has no content. */
  direct: boolean;
  /** `at` gives the tensor of a block; a tape may hand in its own. */
  layer(index: number, at: (block: Block) => tf.Tensor, dropoutSeed: tf.Tensor | null): TrainedLayer;
  /** Weights outside the layers, with the trained ones put in. */
  outside(at: (block: Block) => tf.Tensor): Pick<ModelWeights, 'embedding' | 'norm' | 'head'>;
}

const ALIGN = 64;

export interface BlockParts extends Pick<Block, 'shape' | 'place'> {
  slots: Pick<Slot, 'name' | 'shape'>[];
}

export function placeBlocks(parts: BlockParts[]): Block[] {
  let end = 0;
  return parts.map(({ slots, ...part }) => {
    const offset = Math.ceil(end / ALIGN) * ALIGN;
    end = offset;
    const own = slots.map((slot) => {
      const placed = { ...slot, offset: end, count: tf.util.sizeFromShape(slot.shape) };
      end += placed.count;
      return placed;
    });
    return { ...part, offset, slots: own };
  });
}

/** Numbers of the flat buffers. */
export function lengthOf(blocks: readonly Block[]): number {
  const last = blocks[blocks.length - 1];
  return last ? last.offset + Math.ceil(tf.util.sizeFromShape(last.shape) / ALIGN) * ALIGN : 0;
}

export function slotsOf(blocks: readonly Block[]): Slot[] {
  return blocks.flatMap(({ slots }) => slots);
}

/** The flat buffers of a run and the tensors in them. */
export class Flat {
  readonly count: number;
  #views = new Map<Block, tf.Tensor>();

  constructor(public state: FlatState) {
    this.count = state.parameters.size;
  }

  /** The tensor of a block. On the GPU a view that follows the optimiser, on the processor a slice of this moment. */
  tensor(block: Block): tf.Tensor {
    const { offset, shape } = block;
    const { parameters } = this.state;
    if (tf.getBackend() !== 'webgpu')
      return tf.reshape(tf.slice(parameters, offset, tf.util.sizeFromShape(shape)), shape);
    const known = this.#views.get(block);
    if (known) return known;
    const view = viewOf(parameters, offset, shape);
    // while only pipelines are asked for it has no buffer, and ends with the rehearsal
    if (!onlyAsking()) this.#views.set(block, tf.keep(view));
    return view;
  }

  /** Copies of parameters and moments, to be saved. One after the other: each is copied through a buffer of its size. */
  async read(): Promise<{ parameters: Float32Array; mean: Float32Array; square: Float32Array }> {
    const { parameters, mean, square } = this.state;
    const copy = async (tensor: tf.Tensor) => Float32Array.from(await tensor.data());
    return { parameters: await copy(parameters), mean: await copy(mean), square: await copy(square) };
  }

  /** Puts saved numbers back. Lengths must be those of this run. */
  write(saved: { parameters: Float32Array; mean?: Float32Array; square?: Float32Array }): void {
    if (saved.parameters.length !== this.count)
      throw new Error(
        `The saved state holds ${saved.parameters.length} numbers; this run trains ${this.count}.`,
      );
    this.dispose();
    this.state = stateOf(saved);
  }

  dispose(): void {
    tf.dispose([...this.#views.values()]);
    this.#views.clear();
    tf.dispose({ ...this.state });
  }
}

/** Numbers to begin with; without moments those are zero. */
function stateOf(saved: Parameters<Flat['write']>[0]): FlatState {
  const zeros = () => tf.zeros([saved.parameters.length]);
  return {
    parameters: tf.tensor1d(saved.parameters),
    gradient: zeros(),
    mean: saved.mean ? tf.tensor1d(saved.mean) : zeros(),
    square: saved.square ? tf.tensor1d(saved.square) : zeros(),
    scalars: tf.zeros([SCALARS]),
  };
}

export function flatOf(parameters: Float32Array): Flat {
  return new Flat(stateOf({ parameters }));
}

/** Flat buffers without numbers, for work that is only gone through for its pipelines. */
export function blankFlat(count: number): Flat {
  const blank = () => blankTensor([count]);
  return new Flat({
    ...{ parameters: blank(), gradient: blank(), mean: blank(), square: blank() },
    scalars: blankTensor([SCALARS]),
  });
}
