/**
 * How sure a figure is: Wilson's interval for one share, McNemar's exact test and the paired bootstrap for two models on
 * the same rows, Holm's correction for several comparisons. Pure arithmetic; the seed is an argument.
 */
import { randomFrom } from '../random';

/** The 97.5 % point of the normal distribution. */
const Z = 1.959963984540054;

export interface Interval {
  low: number;
  high: number;
}

/** Wilson's 95 % interval of `right` successes in `of` trials: 10 of 10 is 0.722 to 1, not 1 ± 0. */
export function wilson(right: number, of: number): Interval {
  if (of < 1 || right < 0 || right > of) throw new Error(`${right} right of ${of} is not a share.`);
  const share = right / of;
  const scale = 1 + (Z * Z) / of;
  const centre = share + (Z * Z) / (2 * of);
  const half = Z * Math.sqrt((share * (1 - share) + (Z * Z) / (4 * of)) / of);
  return {
    low: right === 0 ? 0 : (centre - half) / scale,
    high: right === of ? 1 : (centre + half) / scale,
  };
}

/** McNemar's exact two-sided p: how likely a split of the discordant rows at least this uneven is by chance. */
export function mcnemarExact(fixed: number, broken: number): number {
  const n = fixed + broken;
  const fewer = Math.min(fixed, broken);
  // Terms C(n, k) / 2^n from logarithms, so that thousands of rows do not overflow.
  let logTerm = -n * Math.LN2;
  let tail = 0;
  for (let k = 0; k <= fewer; k++) {
    tail += Math.exp(logTerm);
    logTerm += Math.log(n - k) - Math.log(k + 1);
  }
  return Math.min(1, 2 * tail);
}

export interface PairedDifference extends Interval {
  /** Mean of second − first. */
  mean: number;
  /** Standard deviation of the resampled means. */
  standardError: number;
  wins: number;
  ties: number;
  losses: number;
}

/** The mean of `second − first` on the same rows, with the 95 % percentile interval of `draws` resamplings of the rows. */
export function pairedBootstrap(
  first: readonly number[],
  second: readonly number[],
  seed: number,
  draws = 2000,
): PairedDifference {
  if (first.length !== second.length || first.length === 0) {
    throw new Error(
      `A paired comparison needs the same rows twice; got ${first.length} and ${second.length}.`,
    );
  }
  const differences = Float64Array.from(second, (value, row) => value - (first[row] ?? Number.NaN));
  const next = randomFrom(seed);
  const means = new Float64Array(draws);
  for (let draw = 0; draw < draws; draw++) {
    let sum = 0;
    for (let pick = 0; pick < differences.length; pick++) {
      sum += differences[Math.floor(next() * differences.length)] ?? Number.NaN;
    }
    means[draw] = sum / differences.length;
  }
  const centre = average(means);
  const spread = means.reduce((sum, mean) => sum + (mean - centre) ** 2, 0) / (draws - 1);
  means.sort();
  return {
    mean: average(differences),
    low: quantile(means, 0.025),
    high: quantile(means, 0.975),
    standardError: Math.sqrt(spread),
    wins: differences.filter((difference) => difference > 0).length,
    ties: differences.filter((difference) => difference === 0).length,
    losses: differences.filter((difference) => difference < 0).length,
  };
}

/** Holm's step-down correction; the results stand in the order of the inputs. */
export function holm(pValues: readonly number[]): number[] {
  const order = pValues.map((p, index) => ({ p, index })).sort((a, b) => a.p - b.p);
  const adjusted = new Array<number>(pValues.length).fill(1);
  let floor = 0;
  for (const [rank, { p, index }] of order.entries()) {
    floor = Math.max(floor, Math.min(1, p * (pValues.length - rank)));
    adjusted[index] = floor;
  }
  return adjusted;
}

function average(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Linear interpolation between the two nearest of the sorted values. */
function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}
