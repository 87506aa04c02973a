/**
 * What a run trains: named tensors that lie side by side in flat buffers, and the linear layers that read them. LoRA and full
 * fine-tuning are two ways to make one. The optimiser sees only the flat buffers, the decoder only the linear layers.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Linear } from '../model/decoder';
import type { LayerNorms, ModelWeights } from '../model/weights';
import { viewOf } from '../gpu/dispatch';
import type { FlatState } from '../ops/flat';

export interface Slot {
  name: string;
  shape: number[];
  /** In numbers, a multiple of 64 (256 bytes: what a device can bind at). */
  offset: number;
  count: number;
  /** Decoder layer it belongs to, or where outside: the embedding before, the head after. */
  place: number | 'embedding' | 'norm' | 'head';
}

/** The weights and linear layers of one decoder layer, with the trained tensors put in. */
export interface TrainedLayer {
  norms: LayerNorms;
  linear: Linear;
}

export interface Trainable {
  slots: Slot[];
  flat: Flat;
  /** `at` gives the tensor of a slot; a tape may hand in its own. */
  layer(index: number, at: (slot: Slot) => tf.Tensor, dropoutSeed: tf.Tensor | null): TrainedLayer;
  /** Weights outside the layers, with the trained ones put in. */
  outside(at: (slot: Slot) => tf.Tensor): Pick<ModelWeights, 'embedding' | 'norm' | 'head'>;
}

const ALIGN = 64;

export function placeSlots(parts: Omit<Slot, 'offset' | 'count'>[]): Slot[] {
  let offset = 0;
  return parts.map((part) => {
    const count = tf.util.sizeFromShape(part.shape);
    const slot = { ...part, offset, count };
    offset += Math.ceil(count / ALIGN) * ALIGN;
    return slot;
  });
}

/** The flat buffers of a run and the tensors in them. */
export class Flat {
  readonly count: number;
  state: FlatState;
  #views = new Map<Slot, tf.Tensor>();

  constructor(
    readonly slots: Slot[],
    values: Float32Array,
  ) {
    this.count = values.length;
    const zeros = () => tf.zeros([this.count]);
    this.state = {
      parameters: tf.tensor1d(values),
      gradient: zeros(),
      mean: zeros(),
      square: zeros(),
      scalars: tf.zeros([7]),
    };
  }

  /** The tensor of a slot. On the GPU a view that follows the optimiser, on the processor a slice of this moment. */
  tensor(slot: Slot): tf.Tensor {
    if (tf.getBackend() !== 'webgpu') {
      const { parameters } = this.state;
      return tf.reshape(tf.slice(parameters, slot.offset, slot.count), slot.shape);
    }
    let view = this.#views.get(slot);
    if (!view)
      this.#views.set(slot, (view = tf.keep(viewOf(this.state.parameters, slot.offset, slot.shape))));
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
    const make = (values: Float32Array | undefined) =>
      values ? tf.tensor1d(values) : tf.zeros([this.count]);
    this.state = {
      parameters: make(saved.parameters),
      gradient: make(undefined),
      mean: make(saved.mean),
      square: make(saved.square),
      scalars: tf.zeros([7]),
    };
  }

  dispose(): void {
    tf.dispose([...this.#views.values()]);
    this.#views.clear();
    tf.dispose({ ...this.state });
  }
}
