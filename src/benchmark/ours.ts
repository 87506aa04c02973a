/** Our own way of doing a task: the operations that training uses. On the processor these are the twins. */
import * as tf from '@tensorflow/tfjs-core';
import { loraTrainable } from '../adapter/lora';
import type { AdapterSpec, AdapterWeights } from '../adapter/spec';
import { slotsOf, type Slot } from '../adapter/trainable';
import { Recorder } from '../gpu/recorder';
import { refill } from '../gpu/refill';
import { finished } from '../gpu/rest';
import { submit } from '../gpu/inside';
import { orderFreeBuffers } from '../gpu/tensors';
import { decoderLayer } from '../model/decoder';
import { rotaryTables } from '../model/rotary';
import { disposeSight, sightOfDocuments, sightOfStarts } from '../model/sight';
import { linearName, membersOf, PROJECTIONS, type Projection } from '../model/shapes';
import { disposeWeights, makeWeight, type ModelWeights } from '../model/weights';
import { attention } from '../ops/attention';
import { adamw, gradientNorm, SCALARS, type FlatState } from '../ops/flat';
import { linear, linearDx } from '../ops/linear';
import { disposeWeight, plainWeight } from '../ops/weight';
import { TARGETS } from '../protocol/settings';
import type { WeightFormat } from '../protocol/weightFormats';
import { disposeBatch, makeBatch } from '../training/batch';
import { chunkRows } from '../training/chunkRows';
import { headLoss } from '../training/head';
import type { AdamwTask, AttentionTask, HeadTask, LayerTask, PieceTask, Prepared, ProductTask } from './task';

export function prepareOurs(task: PieceTask, format: WeightFormat): Prepared {
  switch (task.kind) {
    case 'product':
      return product(task, format);
    case 'layer':
      return layer(task, format);
    case 'attention':
      return attentionPass(task);
    case 'head':
      return head(task, format);
    case 'adamw':
      return optimizer(task);
  }
}

/** `compute` is taped by nobody and run in a tidy; what it returns is the task's output. */
export function prepared(compute: () => tf.Tensor[], held: tf.Tensor[], release?: () => void): Prepared {
  return {
    record: () => {
      // as a run of training does before each of its passes
      if (tf.getBackend() === 'webgpu') orderFreeBuffers();
      tf.tidy(() => void compute());
      if (tf.getBackend() === 'webgpu') submit();
    },
    finish: finished,
    read: async () => {
      const outputs = tf.tidy(compute);
      const values = await Promise.all(outputs.map(async (output) => (await output.data()).slice()));
      tf.dispose(outputs);
      return values;
    },
    dispose: () => {
      tf.dispose(held);
      release?.();
    },
  };
}

/** Our own work, run from its recording as in training. `compute` as above. */
function recorded(compute: () => tf.Tensor[], held: tf.Tensor[], release?: () => void): Prepared {
  const recorder = new Recorder();
  const work = () => {
    const [first, ...others] = tf.tidy(compute);
    tf.dispose(others);
    return given(first);
  };
  const built = prepared(compute, held, release);
  return {
    ...built,
    record: () => {
      recorder.run('', work);
      if (tf.getBackend() === 'webgpu') submit();
    },
    read: () => {
      recorder.forget();
      return built.read();
    },
    dispose: () => {
      recorder.forget();
      built.dispose();
    },
  };
}

/** [rows, …] ranges of causal attention over one document. */
export function causal(rows: number): { positions: tf.Tensor; ranges: tf.Tensor } {
  const sight = sightOfStarts(new Int32Array(rows), null);
  return {
    positions: tf.tensor1d(sight.positions, 'int32'),
    ranges: tf.tensor2d(sight.ranges, [3, rows], 'int32'),
  };
}

function product({ form, m, n, k, x, w }: ProductTask, format: WeightFormat): Prepared {
  const weight = makeWeight(w, n, k, format);
  const left = tf.tensor2d(x, [m, form === 'nt' ? k : n]);
  const compute = () => [form === 'nt' ? linear(left, weight) : linearDx(left, weight)];
  return recorded(compute, [left], () => disposeWeight(weight));
}

/** The layer as training runs it: gradients of adapters are added up in the flat buffer. */
function layer(task: LayerTask, format: WeightFormat): Prepared {
  const { config, rows, rank, scale } = task;
  const weights = layerWeights(task, format);
  const spec: AdapterSpec = {
    ...{ rank, alpha: scale * rank, rslora: false, dropout: 0 },
    ...{ targets: [...TARGETS], layers: 1 },
  };
  const tensors: AdapterWeights['tensors'] = new Map();
  for (const target of TARGETS) {
    const { a, b, out, in: width } = task.linear[target];
    const name = linearName(0, target);
    tensors.set(`${name}.lora_A`, { shape: [rank, width], values: a });
    tensors.set(`${name}.lora_B`, { shape: [out, rank], values: b });
  }
  const trainable = loraTrainable(config, weights, spec, { spec, tensors });
  const { blocks, flat } = trainable;
  const x = tf.tensor2d(task.x, [rows, config.hidden]);
  const dy = tf.tensor2d(task.dy, [rows, config.hidden]);
  const tables = rotaryTables(config, rows);
  const sight = sightOfDocuments(config, new Int32Array(rows), tables);
  const run = tf.grads((...inputs) => {
    const [first, ...trained] = inputs as tf.Tensor[];
    const own = trainable.layer(0, (block) => given(trained[blocks.indexOf(block)]), null);
    return decoderLayer(config, 0, own.norms, own.linear, given(first), sight);
  });
  const compute = () => run([x, ...blocks.map((block) => flat.tensor(block))], dy).slice(0, 1);
  const pass = recorded(compute, [x, dy], () => {
    flat.dispose();
    disposeWeights(weights);
    disposeSight(sight);
    tf.dispose(tables);
  });
  return {
    ...pass,
    read: async () => {
      // puts zeros in the place of what earlier runs added up
      flat.state.gradient = refill(flat.state.gradient, new Float32Array(flat.count), [flat.count]);
      const dx = await pass.read();
      const gradient = Float32Array.from(await flat.state.gradient.data());
      const slots = slotsOf(blocks);
      return [...dx, ...[...tensors.keys()].map((name) => gradientOf(gradient, slots, name))];
    },
  };
}

function gradientOf(gradient: Float32Array, slots: readonly Slot[], name: string): Float32Array {
  const slot = slots.find((one) => one.name === name);
  if (!slot) throw new Error(`The layer has no ${name}.`);
  return gradient.slice(slot.offset, slot.offset + slot.count);
}

function given(tensor: tf.Tensor | undefined): tf.Tensor {
  if (!tensor) throw new Error('The layer misses a tensor.');
  return tensor;
}

/** A model of one layer without embedding and head. */
function layerWeights(
  { config, linear: parts, inputNorm, postNorm }: LayerTask,
  format: WeightFormat,
): ModelWeights {
  const of = (projection: Projection) =>
    TARGETS.filter((target) => membersOf(config, projection).includes(target)).map((target) => parts[target]);
  const matrix = (projection: Projection) => {
    const own = of(projection);
    const rows = own.reduce((sum, { out }) => sum + out, 0);
    return makeWeight(joined(own.map(({ w }) => w)), rows, own[0]?.in ?? 0, format);
  };
  const bias: ModelWeights['layers'][number]['bias'] = {};
  for (const projection of PROJECTIONS) {
    const own = of(projection).flatMap((part) => (part.bias ? [part.bias] : []));
    if (own.length > 0) bias[projection] = tf.tensor1d(joined(own));
  }
  const linear = {
    ...{ qkv_proj: matrix('qkv_proj'), o_proj: matrix('o_proj') },
    ...{ gate_up_proj: matrix('gate_up_proj'), down_proj: matrix('down_proj') },
  };
  const norms = {
    ...{ attention: tf.tensor1d(inputNorm), feedForward: tf.tensor1d(postNorm) },
    ...{ attentionOut: null, feedForwardOut: null, heads: null },
  };
  const table = plainWeight(tf.zeros([1, 1]));
  return { embedding: table, layers: [{ norms, linear, bias }], norm: tf.zeros([1]), head: table };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function attentionPass(task: AttentionTask): Prepared {
  const { rows, heads, kvHeads, headDim } = task;
  const wide = (values: Float32Array) => tf.tensor2d(values, [rows, heads * headDim]);
  const narrow = (values: Float32Array) => tf.tensor2d(values, [rows, kvHeads * headDim]);
  const [q, k, v, dy] = [wide(task.q), narrow(task.k), narrow(task.v), wide(task.dy)];
  const { positions, ranges } = causal(rows);
  const run = tf.grads((...inputs) => {
    const [q1, k1, v1] = inputs as tf.Tensor[];
    if (!q1 || !k1 || !v1) throw new Error('Attention misses an input.');
    return attention(q1, k1, v1, ranges, { heads, kvHeads, headDim, together: true });
  });
  return recorded(() => run([q, k, v], dy), [q, k, v, dy, positions, ranges]);
}

function head(task: HeadTask, format: WeightFormat): Prepared {
  const { rows, hidden, vocab, epsilon } = task;
  const weight = makeWeight(task.head, vocab, hidden, format);
  const norm = tf.tensor1d(task.norm);
  const x = tf.tensor2d(task.x, [rows, hidden]);
  const { targets } = task;
  const documentStart = new Int32Array(rows);
  const packed = {
    rows: 1,
    length: rows,
    ids: targets,
    targets,
    documentStart,
    examples: 1,
    supervised: rows,
  };
  const batch = makeBatch(packed, [0], 1, 1 / rows, { kinds: [] }, [], chunkRows(vocab, rows));
  const compute = () => {
    const want = { dx: true, weights: false };
    const { logp, dx } = headLoss(
      { norm: { epsilon, offset: 0 } },
      { norm, head: weight },
      x,
      batch.chunks,
      want,
    );
    if (!dx) throw new Error('The head gave no gradient.');
    return [logp, dx];
  };
  const pass = recorded(compute, [norm, x], () => {
    disposeWeight(weight);
    disposeBatch(batch);
  });
  return {
    ...pass,
    read: async () => {
      const [logp, dx] = await pass.read();
      if (!logp || !dx) throw new Error('The head gave no loss.');
      return [[-Array.from(logp).reduce((sum, one) => sum + one, 0) / rows], dx];
    },
  };
}

function optimizer({ count, parameters, gradient, learningRate }: AdamwTask): Prepared {
  const fresh = (): FlatState => ({
    parameters: tf.tensor1d(parameters),
    gradient: tf.tensor1d(gradient),
    mean: tf.zeros([count]),
    square: tf.zeros([count]),
    scalars: tf.zeros([SCALARS]),
  });
  const update = (state: FlatState) => {
    const norm = gradientNorm(state, 0);
    const scalars = { learningRate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, update: 1 };
    adamw(state, norm, scalars);
    norm.dispose();
  };
  const state = fresh();
  return {
    record: () => {
      update(state);
      if (tf.getBackend() === 'webgpu') submit();
    },
    finish: finished,
    read: async () => {
      const own = fresh();
      update(own);
      const values = (await own.parameters.data()).slice();
      tf.dispose({ ...own });
      return [values];
    },
    dispose: () => tf.dispose({ ...state }),
  };
}
