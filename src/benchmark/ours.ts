/** Our own way of doing a task: the operations that training uses. On the processor these are the twins. */
import * as tf from '@tensorflow/tfjs-core';
import { finished } from '../gpu/rest';
import { submit } from '../gpu/dispatch';
import { decoderLayer, type Linear } from '../model/decoder';
import { rotaryTables } from '../model/rotary';
import { disposeSight, sightOfDocuments, sightOfStarts } from '../model/sight';
import { makeWeight } from '../model/weights';
import { attention } from '../ops/attention';
import { adamw, gradientNorm, type FlatState } from '../ops/flat';
import { linear, linearDx } from '../ops/linear';
import { disposeWeight } from '../ops/weight';
import { TARGETS } from '../protocol/settings';
import type { WeightFormat } from '../protocol/weightFormats';
import { disposeBatch, makeBatch } from '../training/batch';
import { chunkRows, headLoss } from '../training/head';
import type {
  AdamwTask,
  AttentionTask,
  HeadTask,
  LayerTask,
  Prepared,
  ProductTask,
  Projection,
  Task,
} from './task';

export function prepareOurs(task: Task, format: WeightFormat): Prepared {
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
  return prepared(compute, [left], () => disposeWeight(weight));
}

function layer(task: LayerTask, format: WeightFormat): Prepared {
  const { config, rows, rank, scale } = task;
  const { hidden } = config;
  const part = <T>(make: (target: Projection) => T) =>
    Object.fromEntries(TARGETS.map((target) => [target, make(target)])) as Record<Projection, T>;
  const weights = part((target) => {
    const { out, in: width, w } = task.linear[target];
    return makeWeight(w, out, width, format);
  });
  const bias = part((target) => {
    const { bias: values } = task.linear[target];
    return values ? tf.tensor1d(values) : null;
  });
  const norms = {
    attention: tf.tensor1d(task.inputNorm),
    feedForward: tf.tensor1d(task.postNorm),
    ...{ attentionOut: null, feedForwardOut: null, query: null, key: null },
  };
  const x = tf.tensor2d(task.x, [rows, hidden]);
  const dy = tf.tensor2d(task.dy, [rows, hidden]);
  const adapters = TARGETS.flatMap((target) => {
    const { a, b, out, in: width } = task.linear[target];
    return [tf.tensor2d(a, [rank, width]), tf.tensor2d(b, [out, rank])];
  });
  const tables = rotaryTables(config, rows);
  const sight = sightOfDocuments(config, new Int32Array(rows), tables);
  const run = tf.grads((...inputs) => {
    const [first, ...pairs] = inputs as tf.Tensor[];
    const own: Linear = (rows_, target, residual) => {
      const name = TARGETS.find((one) => one === target);
      if (!name) throw new Error(`The layer has no ${target}.`);
      const at = 2 * TARGETS.indexOf(name);
      const [a, b] = [pairs[at], pairs[at + 1]];
      if (!a || !b) throw new Error(`No adapter for ${name}.`);
      return linear(rows_, weights[name], {
        bias: bias[name] ?? undefined,
        residual,
        lora: { a, b, scale },
      });
    };
    if (!first) throw new Error('The layer has no input.');
    return decoderLayer(config, 0, norms, own, first, sight);
  });
  const biases = Object.values(bias).filter((tensor) => tensor !== null);
  const held = [x, dy, ...adapters, norms.attention, norms.feedForward, ...biases];
  return prepared(
    () => run([x, ...adapters], dy),
    held,
    () => {
      Object.values(weights).forEach(disposeWeight);
      disposeSight(sight);
      tf.dispose(tables);
    },
  );
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
  return prepared(() => run([q, k, v], dy), [q, k, v, dy, positions, ranges]);
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
    return [tf.neg(tf.mean(logp)), dx];
  };
  return prepared(compute, [norm, x], () => {
    disposeWeight(weight);
    disposeBatch(batch);
  });
}

function optimizer({ count, parameters, gradient, learningRate }: AdamwTask): Prepared {
  const fresh = (): FlatState => ({
    parameters: tf.tensor1d(parameters),
    gradient: tf.tensor1d(gradient),
    mean: tf.zeros([count]),
    square: tf.zeros([count]),
    scalars: tf.zeros([7]),
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
