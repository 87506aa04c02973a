/**
 * What TensorFlow.js' buffer pool would hold after a piece of work, counted and not allocated. The pool keeps freed buffers by
 * exact size and never gives one back; a buffer that is freed can be used again only after the next submit. Knows no model.
 */
import type { Bytes } from '../units';

/** Dispatches of ours between two submits, as in gpu/dispatch.ts. */
const OURS = 64;
/** tfjs submits after a kernel of its own when this many dispatches have been recorded. */
const STOCK = 15;

export class Pool {
  /** All buffers ever made, used or free. */
  bytes: Bytes = 0;
  #free = new Map<Bytes, number>();
  #waiting: Bytes[] = [];
  #recorded = 0;

  take(...sizes: Bytes[]): void {
    for (const size of sizes) {
      const free = this.#free.get(size) ?? 0;
      if (free > 0) this.#free.set(size, free - 1);
      else this.bytes += size;
    }
  }

  drop(...sizes: Bytes[]): void {
    this.#waiting.push(...sizes);
  }

  /** One kernel of ours with these outputs. */
  run(...outputs: Bytes[]): void {
    this.take(...outputs);
    if (++this.#recorded >= OURS) this.submit();
  }

  /** One stock kernel of tfjs. */
  runStock(...outputs: Bytes[]): void {
    this.take(...outputs);
    if (++this.#recorded >= STOCK) this.submit();
  }

  submit(): void {
    for (const size of this.#waiting) this.#free.set(size, (this.#free.get(size) ?? 0) + 1);
    this.#waiting = [];
    this.#recorded = 0;
  }
}
