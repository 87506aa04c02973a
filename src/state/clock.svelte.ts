/** The time of day as something the screen can react to. Ticks only between `start` and `stop`. */
import type { Milliseconds } from '../units';

export class Clock {
  now: Milliseconds = $state(Date.now());
  #timer: ReturnType<typeof setInterval> | null = null;

  start(): void {
    this.now = Date.now();
    this.#timer ??= setInterval(() => (this.now = Date.now()), 1000);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.now = Date.now();
  }
}
