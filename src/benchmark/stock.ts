/**
 * The same tasks as one would write them with TensorFlow.js alone: its own products, its own tape. A peer, and never part of the
 * product's path. Its automatic split over K gives wrong gradients, so startEngine has set product program 3.
 */
import * as tf from '@tensorflow/tfjs-core';
import { rotaryTables } from '../model/rotary';
import { linearShape } from '../model/shapes';
import { gatedReference } from '../ops/glu.reference';
import { turnedReference } from '../ops/heads.reference';
import { linearReference } from '../ops/linear.reference';
import { rmsNormReference } from '../ops/rmsNorm.reference';
import { TARGETS } from '../protocol/settings';
import { tooLargeToBind } from './binding';
import { causal, prepared } from './ours';
import type {
  AdamwTask,
  AttentionTask,
  HeadTask,
  LayerTask,
  Peer,
  PieceTask,
  Prepared,
  ProductTask,
  Projection,
} from './task';

export const stock: Peer = {
  name: 'TensorFlow.js',
  version: `${tf.version_core} (product program 3)`,
  prepare: async (task) =>
    task.kind === 'decode'
      ? 'has no decoder; it is compared in training'
      : (tooLargeToBind(task) ?? prepare(task)),
};

function prepare(task: PieceTask): Prepared {
  switch (task.kind) {
    case 'product':
      return product(task);
    case 'layer':
      return layer(task);
    case 'attention':
      return attentionPass(task);
    case 'head':
      return head(task);
    case 'adamw':
      return optimizer(task);
  }
}

function product({ form, m, n, k, x, w }: ProductTask): Prepared {
  const [left, right] = [tf.tensor2d(x, [m, form === 'nt' ? k : n]), tf.tensor2d(w, [n, k])];
  return prepared(() => [tf.matMul(left, right, false, form === 'nt')], [left, right]);
}

/** −1e38 above the diagonal: [rows, rows] */
function causalMask(rows: number): tf.Tensor {
  const values = new Float32Array(rows * rows);
  for (let i = 0; i < rows; i++) values.fill(-1e38, i * rows + i + 1, (i + 1) * rows);
  return tf.tensor2d(values, [rows, rows]);
}

interface Heads {
  heads: number;
  kvHeads: number;
  headDim: number;
}

/** Whole score matrices [heads, rows, rows]; kv heads are repeated. */
function attention(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, mask: tf.Tensor, of: Heads): tf.Tensor {
  const { heads, kvHeads, headDim } = of;
  const rows = q.shape[0] ?? 0;
  const byHead = (x: tf.Tensor, count: number) =>
    tf.transpose(tf.reshape(x, [rows, count, headDim]), [1, 0, 2]) as tf.Tensor3D;
  const repeated = (x: tf.Tensor) => {
    const split = tf.reshape(byHead(x, kvHeads), [kvHeads, 1, rows, headDim]);
    return tf.reshape(tf.tile(split, [1, heads / kvHeads, 1, 1]), [heads, rows, headDim]) as tf.Tensor3D;
  };
  const scores = tf.mul(tf.matMul(byHead(q, heads), repeated(k), false, true), 1 / Math.sqrt(headDim));
  const seen = tf.matMul(tf.softmax(tf.add(scores, mask)), repeated(v));
  return tf.reshape(tf.transpose(seen as tf.Tensor3D, [1, 0, 2]), [rows, heads * headDim]);
}

function layer(task: LayerTask): Prepared {
  const { config, rows, rank, scale } = task;
  const { hidden, heads, kvHeads, headDim } = config;
  const x = tf.tensor2d(task.x, [rows, hidden]);
  const dy = tf.tensor2d(task.dy, [rows, hidden]);
  const inputNorm = tf.tensor1d(task.inputNorm);
  const postNorm = tf.tensor1d(task.postNorm);
  const weights = TARGETS.map((target) => {
    const { w, out, in: width } = task.linear[target];
    return tf.tensor2d(w, [out, width]);
  });
  const biases = TARGETS.map((target) => {
    const { bias } = task.linear[target];
    return bias ? tf.tensor1d(bias) : null;
  });
  const adapters = TARGETS.flatMap((target) => {
    const { a, b, out, in: width } = task.linear[target];
    return [tf.tensor2d(a, [rank, width]), tf.tensor2d(b, [out, rank])];
  });
  const { positions, ranges } = causal(rows);
  const [table] = rotaryTables(config, rows);
  if (!table) throw new Error('The layer turns nothing.');
  const mask = causalMask(rows);
  const run = tf.grads((...inputs) => {
    const [input, ...pairs] = inputs as tf.Tensor[];
    if (!input) throw new Error('The layer has no input.');
    const project = (rows_: tf.Tensor, target: Projection, residual?: tf.Tensor): tf.Tensor => {
      const at = TARGETS.indexOf(target);
      const given = {
        x: rows_,
        w: weights[at],
        a: pairs[2 * at],
        b: pairs[2 * at + 1],
        bias: biases[at],
        residual,
      };
      const present = Object.entries(given).filter((entry): entry is [string, tf.Tensor] => !!entry[1]);
      const segments = [{ rows: linearShape(config, target).out, rank, scale }];
      const [y] = linearReference(Object.fromEntries(present), { weight: null, scale: 1, segments });
      if (!y) throw new Error('A projection gave no output.');
      return y;
    };
    const turn = (y: tf.Tensor) => turnedReference(y, { positions, table }, headDim, 1);
    const normed = rmsNormReference({ x: input, g: inputNorm }, config.norm);
    const q = turn(project(normed, 'q_proj'));
    const k = turn(project(normed, 'k_proj'));
    const seen = attention(q, k, project(normed, 'v_proj'), mask, { heads, kvHeads, headDim });
    const h = project(seen, 'o_proj', input);
    const inner = rmsNormReference({ x: h, g: postNorm }, config.norm);
    const [gate, up] = [project(inner, 'gate_proj'), project(inner, 'up_proj')];
    return project(gatedReference(gate, up, config.activation), 'down_proj', h);
  });
  const present = biases.filter((tensor) => tensor !== null);
  const held = [
    x,
    dy,
    inputNorm,
    postNorm,
    ...weights,
    ...present,
    ...adapters,
    positions,
    ranges,
    table,
    mask,
  ];
  return prepared(() => run([x, ...adapters], dy), held);
}

function attentionPass(task: AttentionTask): Prepared {
  const { rows, heads, kvHeads, headDim } = task;
  const wide = (values: Float32Array) => tf.tensor2d(values, [rows, heads * headDim]);
  const narrow = (values: Float32Array) => tf.tensor2d(values, [rows, kvHeads * headDim]);
  const [q, k, v, dy, mask] = [wide(task.q), narrow(task.k), narrow(task.v), wide(task.dy), causalMask(rows)];
  const run = tf.grads((...inputs) => {
    const [q1, k1, v1] = inputs as tf.Tensor[];
    if (!q1 || !k1 || !v1) throw new Error('Attention misses an input.');
    return attention(q1, k1, v1, mask, task);
  });
  return prepared(() => run([q, k, v], dy), [q, k, v, dy, mask]);
}

function head({ rows, hidden, vocab, epsilon, ...values }: HeadTask): Prepared {
  const x = tf.tensor2d(values.x, [rows, hidden]);
  const norm = tf.tensor1d(values.norm);
  const table = tf.tensor2d(values.head, [vocab, hidden]);
  const chosen = tf.oneHot(tf.tensor1d(values.targets, 'int32'), vocab, 1, 0, 'float32');
  const run = tf.valueAndGrad((input: tf.Tensor) => {
    const logits = tf.matMul(
      rmsNormReference({ x: input, g: norm }, { epsilon, offset: 0 }) as tf.Tensor2D,
      table,
      false,
      true,
    );
    return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), chosen), 1)));
  });
  const compute = () => {
    const { value, grad } = run(x);
    return [value, grad];
  };
  return prepared(compute, [x, norm, table, chosen]);
}

function optimizer({ count, parameters, gradient, learningRate }: AdamwTask): Prepared {
  const g = tf.tensor1d(gradient);
  const fresh = () => {
    const variable = tf.variable(tf.tensor1d(parameters));
    const adam = tf.train.adam(learningRate, 0.9, 0.999, 1e-8);
    const update = () => adam.applyGradients([{ name: variable.name, tensor: g }]);
    return { variable, adam, update };
  };
  const own = fresh();
  const base = prepared(() => [], [g]);
  return {
    ...base,
    record: () => {
      own.update();
      void base.record();
    },
    read: async () => {
      const once = fresh();
      once.update();
      const values = (await once.variable.data()).slice(0, count);
      once.variable.dispose();
      once.adam.dispose();
      return [values];
    },
    dispose: () => {
      own.variable.dispose();
      own.adam.dispose();
      base.dispose();
    },
  };
}
