/** Reads a loss curve in words and names the next move. Judges shapes only; scores say whether the model got better. */

export interface CurvePoint {
  step: number;
  loss: number;
}
export type Shape = 'early' | 'falling' | 'settled' | 'flat' | 'overfitting' | 'diverging' | 'spiky';
export interface Reading {
  shape: Shape;
  sentence: string;
}

/** Steps before a shape can be told from noise. */
const ENOUGH = 10;
const OVERFIT = 1.05;
const FLAT = 0.02;

export function readCurve(
  training: readonly CurvePoint[],
  heldOut: readonly CurvePoint[],
  over: boolean,
): Reading {
  const first = mean(training.slice(0, 5));
  const last = mean(training.slice(-5));
  if (training.length < ENOUGH) {
    return { shape: 'early', sentence: 'Too early to read: the first ten steps are mostly chance.' };
  }
  if (last > first * 1.2) {
    return {
      shape: 'diverging',
      sentence: `The training loss rises, from ${show(first)} to ${show(last)}. The learning rate is too high: stop, and try a third of it.`,
    };
  }
  const best = heldOut.reduce<CurvePoint | null>(
    (low, point) => (low === null || point.loss < low.loss ? point : low),
    null,
  );
  const latest = heldOut.at(-1);
  if (best !== null && latest !== undefined && heldOut.length >= 3 && latest.loss > best.loss * OVERFIT) {
    return {
      shape: 'overfitting',
      sentence: `The held-out loss was lowest at step ${best.step} (${show(best.loss)}) and has risen to ${show(latest.loss)} while the training loss falls: the rows are being learned by heart. The adapter of step ${best.step} is the one that is kept.`,
    };
  }
  if (first - last < first * FLAT) {
    return {
      shape: 'flat',
      sentence: `The loss has hardly moved, from ${show(first)} to ${show(last)}. The learning rate is too low, or there is little to learn in these rows.`,
    };
  }
  if (spikes(training) > training.length / 20) {
    return {
      shape: 'spiky',
      sentence: 'The loss falls, with sudden jumps. A lower learning rate or a larger batch would calm it.',
    };
  }
  const recent = training.slice(-10);
  const still = mean(recent.slice(0, 5)) - mean(recent.slice(5)) > 0.03 * first;
  if (over && still) {
    return {
      shape: 'falling',
      sentence: `The loss fell from ${show(first)} to ${show(last)} and was still falling at the end. More epochs would probably help.`,
    };
  }
  return {
    shape: over || !still ? 'settled' : 'falling',
    sentence:
      heldOut.length > 1
        ? `Training and held-out loss both fall, now ${show(last)} and ${show(latest?.loss ?? last)}: going well.`
        : `The training loss falls, from ${show(first)} to ${show(last)}: going well.`,
  };
}

/** Steps whose loss is more than half above the mean of the five before. */
function spikes(points: readonly CurvePoint[]): number {
  return points.filter(
    (point, index) => index >= 5 && point.loss > 1.5 * mean(points.slice(index - 5, index)),
  ).length;
}

function mean(points: readonly CurvePoint[]): number {
  return points.reduce((sum, point) => sum + point.loss, 0) / points.length;
}

function show(loss: number): string {
  return loss.toFixed(2);
}
