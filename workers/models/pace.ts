/** How fast bytes come and when the last will be there, over the last seconds. Waits count. */
import type { Bytes, Milliseconds, Seconds } from '../../src/units';

const WINDOW: Milliseconds = 10_000;

export class Pace {
  #seen: { at: Milliseconds; done: Bytes }[] = [];

  note(done: Bytes, at: Milliseconds): void {
    this.#seen.push({ at, done });
    while (this.#seen.length > 2 && (this.#seen[1]?.at ?? at) < at - WINDOW) this.#seen.shift();
  }

  /** Null until there are two moments to compare. */
  get perSecond(): number | null {
    const [first] = this.#seen;
    const last = this.#seen.at(-1);
    if (!first || !last || last.at - first.at < 250) return null;
    return (1000 * (last.done - first.done)) / (last.at - first.at);
  }

  left(total: Bytes): Seconds | null {
    const rate = this.perSecond;
    const done = this.#seen.at(-1)?.done ?? 0;
    return rate === null || rate <= 0 ? null : (total - done) / rate;
  }
}
