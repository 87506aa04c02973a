/** The peers do the same work as ours: each against the twins on the processor, at sizes small enough for those. */
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { onProcessor } from '../../src/benchmark/bench';
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
  type Task,
} from '../../src/benchmark/task';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { relativeL2 } from '../../src/selftest/distance';
import { jaxPeer } from '../bench/jax';
import { onnxPeer } from '../bench/onnx';

vi.setConfig({ testTimeout: 240_000 });

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterEach(() => engine.check());

const tasks: Task[] = [
  productTask('nt', 17, 64, 36),
  productTask('nn', 17, 64, 36),
  adamwTask(1088),
  attentionTask(37, 4, 2, 16),
  layerTask(smallQwen(), 24, 4),
  headTask(7, 64, 260),
];
const peers: [string, () => Promise<Peer>, readonly Task['kind'][]][] = [
  ['TensorFlow.js', async () => stock, ['product', 'adamw', 'attention', 'layer', 'head']],
  ['onnxruntime-web', () => onnxPeer('installed'), ['product']],
  ['jax-js', () => jaxPeer('installed'), ['product', 'adamw', 'attention', 'layer']],
];

describe.each(peers)('%s', (_, open, kinds) => {
  it.each(tasks.filter((task) => kinds.includes(task.kind)))('does $kind as the twins do', async (task) => {
    const twin = await onProcessor(() => prepareOurs(task, 'f32').read());
    const work = await (await open()).prepare(task);
    if (typeof work === 'string') throw new Error(work);
    const outputs = await work.read();
    expect(outputs).toHaveLength(twin.length);
    outputs.forEach((values, index) => expect(relativeL2(values, twin[index] ?? [])).toBeLessThan(1e-4));
    // the same through the way in which it is timed
    await work.record();
    await work.finish();
    work.dispose();
  });
});
