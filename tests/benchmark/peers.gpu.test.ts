/** The peers do the same work as ours: each against the twins on the processor, at sizes small enough for those. */
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { onProcessor } from '../../src/benchmark/bench';
import { decodeTask, logitsOf } from '../../src/benchmark/decode';
import { prepareOurs } from '../../src/benchmark/ours';
import { smallQwen } from '../../src/benchmark/shapes';
import { stock } from '../../src/benchmark/stock';
import {
  adamwTask,
  attentionTask,
  headTask,
  layerTask,
  productTask,
  type Peer,
  type PieceTask,
  type Prepared,
} from '../../src/benchmark/task';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { gpu } from '../../src/gpu/inside';
import { relativeL2 } from '../../src/selftest/distance';
import { jaxPeer } from '../bench/jax';
import { onnxPeer } from '../bench/onnx/peer';

vi.setConfig({ testTimeout: 240_000 });

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterEach(() => engine.check());

const tasks: PieceTask[] = [
  productTask('nt', 17, 64, 36),
  productTask('nn', 17, 64, 36),
  adamwTask(1088),
  attentionTask(37, 4, 2, 16),
  layerTask(smallQwen(), 24, 4),
  headTask(7, 64, 260),
];
const peers: [string, () => Promise<Peer>, readonly PieceTask['kind'][]][] = [
  ['TensorFlow.js', async () => stock, ['product', 'adamw', 'attention', 'layer', 'head']],
  ['onnxruntime-web', () => onnxPeer('installed'), ['product']],
  ['jax-js', () => jaxPeer('installed'), ['product', 'adamw', 'attention', 'layer', 'head']],
];

/** Both ways: the outputs that are judged, and the way in which it is timed. */
async function expectRight(work: Prepared | string, twin: ArrayLike<number>[]): Promise<void> {
  if (typeof work === 'string') throw new Error(work);
  const outputs = await work.read();
  expect(outputs).toHaveLength(twin.length);
  outputs.forEach((values, index) => expect(relativeL2(values, twin[index] ?? [])).toBeLessThan(1e-4));
  await work.record();
  await work.finish();
  work.dispose();
}

describe.each(peers)('%s', (_, open, kinds) => {
  it.each(tasks.filter((task) => kinds.includes(task.kind)))('does $kind as the twins do', async (task) => {
    const twin = await onProcessor(() => prepareOurs(task, 'f32').read());
    await expectRight(await (await open()).prepare(task), twin);
  });
});

it('onnxruntime-web makes the next token of three prompts as the twins do', async () => {
  const task = decodeTask(smallQwen({ num_hidden_layers: 2 }), 3, 'q4');
  const twin = await onProcessor(() => logitsOf(task));
  expect(twin).toHaveLength(3 * 256);
  await expectRight(await (await onnxPeer('installed')).prepare(task), [twin]);
});

// as few rows as their scores, four bytes for each head and pair of them, do not fit
it.each([
  ['TensorFlow.js', async () => stock],
  ['jax-js', () => jaxPeer('installed')],
] as const)('%s does not begin what does not fit one binding, and says by how much', async (_, open) => {
  const limit = gpu().device.limits.maxStorageBufferBindingSize;
  const heads = 14;
  const rows = 16 * Math.ceil(Math.sqrt(limit / 4 / heads) / 16);
  const work = await (await open()).prepare(attentionTask(rows, heads, 2, 4));
  expect(work).toBe(`needs ${4 * heads * rows ** 2} bytes in one binding; this adapter allows ${limit}`);
});
