/**
 * Brings a few numbers of every step back without waiting inside the step: copies go into a ring of small staging buffers, and
 * each is mapped when the GPU gets there. Knows nothing of what the numbers mean.
 */
import * as tf from '@tensorflow/tfjs-core';
import { gpu } from './inside';
import { copyOut } from './tensors';

export class ReadRing {
  #free: GPUBuffer[] = [];

  /** `count` numbers a read at the most, `slots` reads at once. */
  constructor(
    readonly count: number,
    readonly slots: number,
  ) {
    if (tf.getBackend() !== 'webgpu') return;
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    this.#free = Array.from({ length: slots }, () =>
      gpu().device.createBuffer({ label: 'read ring', size: 4 * count, usage }),
    );
  }

  /**
   * The numbers of these tensors one after the other, as they are after all work recorded so far; integers as long as a float holds
   * them, below 2²⁴. Disposes of the tensors.
   */
  async read(tensors: readonly tf.Tensor[]): Promise<Float32Array> {
    const size = tensors.reduce((sum, tensor) => sum + tensor.size, 0);
    if (size > this.count)
      throw new Error(`${size} numbers were to be read; the ring has room for ${this.count}.`);
    if (tf.getBackend() !== 'webgpu') {
      const parts = await Promise.all(tensors.map((tensor) => tensor.data()));
      tf.dispose([...tensors]);
      return Float32Array.from(parts.flatMap((part) => Array.from(part)));
    }
    const staging = this.#free.pop();
    if (!staging) throw new Error(`More than ${this.slots} reads are under way at once.`);
    copyOut(tensors, staging);
    tf.dispose([...tensors]);
    await staging.mapAsync(GPUMapMode.READ);
    const bytes = staging.getMappedRange().slice(0, 4 * size);
    staging.unmap();
    this.#free.push(staging);
    const numbers = new Float32Array(bytes);
    let at = 0;
    for (const { size: count, dtype } of tensors) {
      if (dtype === 'int32') numbers.set(new Int32Array(bytes, 4 * at, count).slice(), at);
      at += count;
    }
    return numbers;
  }

  /** Call when no read is under way. */
  dispose(): void {
    for (const buffer of this.#free.splice(0)) buffer.destroy();
  }
}
