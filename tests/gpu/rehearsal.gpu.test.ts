/** Pipelines that are asked for ahead: what goes wrong with them is told as when they are made on the spot, and nobody waits for one. */
import * as tf from '@tensorflow/tfjs-core';
import { beforeEach, expect, it } from 'vitest';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { dispatch } from '../../src/gpu/dispatch';
import { gpu } from '../../src/gpu/inside';
import { blankTensor, output } from '../../src/gpu/tensors';
import { DeviceLost, GpuError } from '../../src/gpu/faults';
import { cacheSizes } from '../../src/gpu/pipelines';
import { rehearse } from '../../src/gpu/rehearsal';

let engine: Engine;
beforeEach(async () => {
  engine = await startEngine();
});

const doubled = `
  @group(0) @binding(0) var<storage, read> x: array<f32>;
  @group(0) @binding(1) var<storage, read_write> y: array<f32>;
  @group(0) @binding(2) var<uniform> count: vec4u;
  @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
    if (id.x < count.x) { y[id.x] = f32(FACTOR) * x[id.x]; }
  }`;

function run(x: tf.TensorInfo, code = doubled, constants = { FACTOR: 2 }): tf.Tensor {
  const y = output([4]);
  dispatch({ name: 'doubled', code, constants, bind: [x, y], uniforms: [4], groups: [1, 1, 1] });
  return tf.engine().makeTensorFromTensorInfo(y);
}

const nothing = () => undefined;

it('asks for each pipeline once, and not for one that is there', async () => {
  run(tf.tensor1d([1, 2, 3, 4]));
  const rehearsal = rehearse(() => {
    const x = blankTensor([4]);
    run(x);
    run(x, doubled, { FACTOR: 3 });
    run(x, doubled, { FACTOR: 3 });
  });
  expect(rehearsal.total).toBe(1);
  const meanwhile = rehearse(() => run(blankTensor([4]), doubled, { FACTOR: 3 }));
  expect(meanwhile.total).toBe(1);
  await meanwhile.ready(nothing);
  await rehearsal.ready(nothing);
  expect(rehearsal.made).toBe(1);
  expect(cacheSizes().pipelines).toBe(2);
  expect(rehearse(() => run(blankTensor([4]), doubled, { FACTOR: 3 })).total).toBe(0);
});

it('work that needs a pipeline sooner has it at once, ours and those of tfjs', async () => {
  const rehearsal = rehearse(() => {
    run(blankTensor([4]));
    tf.sum(tf.mul(blankTensor([4]), blankTensor([4])));
  });
  expect(rehearsal.total).toBe(3);
  const y = run(tf.tensor1d([1, 2, 3, 4]));
  const sum = tf.sum(tf.mul(y, y));
  expect(Array.from(await sum.data())).toEqual([4 + 16 + 36 + 64]);
  await rehearsal.ready(nothing);
  const again = tf.sum(run(tf.tensor1d([1, 0, 0, 0])));
  expect(Array.from(await again.data())).toEqual([2]);
  expect(cacheSizes().pipelines).toBe(1);
  engine.check();
});

it('goes back to running when the work throws', async () => {
  expect(() =>
    rehearse(() => {
      throw new Error('of the work');
    }),
  ).toThrow('of the work');
  expect(Array.from(await run(tf.tensor1d([1, 2, 3, 4])).data())).toEqual([2, 4, 6, 8]);
});

it('a kernel that is no WGSL is a GpuError, and the engine is clean after it', async () => {
  const rehearsal = rehearse(() => run(blankTensor([4]), doubled.replace('f32(FACTOR)', 'f32(FACTOR')));
  await expect(rehearsal.ready(nothing)).rejects.toThrow(GpuError);
  await gpu().device.queue.onSubmittedWorkDone();
  engine.check();
});

it('a kernel that the device cannot make is a GpuError with what the device says', async () => {
  const tooMany = doubled.replace('workgroup_size(64)', 'workgroup_size(1, 1, 9999)');
  const rehearsal = rehearse(() => run(blankTensor([4]), tooMany));
  await expect(rehearsal.ready(nothing)).rejects.toThrow(/9999/);
  const other = rehearse(() => run(blankTensor([4]), tooMany));
  await expect(other.ready(nothing)).rejects.toThrow(GpuError);
});

it('a device that is lost meanwhile is DeviceLost', async () => {
  const rehearsal = rehearse(() => run(blankTensor([4])));
  gpu().device.destroy();
  await expect(rehearsal.ready(nothing)).rejects.toThrow(DeviceLost);
});
