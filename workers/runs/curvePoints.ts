/** Points of a run's curves that are not stored yet. */
import type { Evaluated, RunEvent, StepReport } from '../../src/protocol/events';

export class CurvePoints {
  #steps: StepReport[] = [];
  #evaluations: Evaluated[] = [];

  note(event: RunEvent): void {
    if (event.type === 'step') this.#steps.push(event.report);
    if (event.type === 'evaluated') this.#evaluations.push(event.report);
  }

  /** Hands the points to `store`; they are kept for the next time if it fails. */
  async storeWith(
    store: (points: { steps: StepReport[]; evaluations: Evaluated[] }) => Promise<void>,
  ): Promise<void> {
    const points = { steps: [...this.#steps], evaluations: [...this.#evaluations] };
    await store(points);
    this.#steps.splice(0, points.steps.length);
    this.#evaluations.splice(0, points.evaluations.length);
  }
}
