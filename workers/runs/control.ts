/** Pause, resume and stop of one run, asked for by the screen and read by the loop between steps. */
import type { RunControl } from '../../src/training/run';

export class Control implements RunControl {
  stopRequested = false;
  pauseRequested = false;
  #wake: (() => void)[] = [];

  pause(): void {
    this.pauseRequested = true;
  }
  resume(): void {
    this.pauseRequested = false;
    for (const wake of this.#wake.splice(0)) wake();
  }
  stop(): void {
    this.stopRequested = true;
    this.resume();
  }
  resumed(): Promise<void> {
    return this.pauseRequested ? new Promise((resolve) => this.#wake.push(resolve)) : Promise.resolve();
  }
}
