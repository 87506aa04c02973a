/**
 * The smallest change that makes a run fit, found by trying: every setting that costs memory is turned down step by step, one setting
 * before two, and what hurts the result least before what hurts it more. No table of models or machines.
 */
import type { ModelConfig } from '../model/config';
import type { Settings } from '../protocol/settings';
import { WEIGHT_FORMATS } from '../protocol/weightFormats';
import { predict, quickVerdict, type Verdict } from './fit';
import type { Machine } from './machineMemory';

export interface Change {
  /** Only what differs from the settings as they are. */
  settings: Partial<Settings>;
  verdict: Exclude<Verdict, 'no'>;
}

type Turned = Partial<Settings>;

/** Steps of each setting from the present value down, the present value left out; in the order in which they hurt. */
function ladders(config: ModelConfig, settings: Settings, machine: Machine): Turned[][] {
  const lora = settings.method === 'lora';
  return [
    lora ? fewerLayers(Math.min(settings.keptLayers, config.layers)) : [],
    lora ? [] : [{ method: 'lora' as const, keptLayers: 0 }],
    halvedInputs(config, settings, machine),
    smallerFormats(config, settings, machine),
    halves(settings.batchExamples, 1).map((batchExamples) => ({ batchExamples })),
    halves(settings.rank, 4).map((rank) => ({ rank })),
    halves(settings.sequenceLength, 128, 32).map((sequenceLength) => ({ sequenceLength })),
  ].filter((ladder) => ladder.length > 0);
}

/** Null where no change of the settings is enough: the model itself is too large. */
export function smallestChange(
  config: ModelConfig,
  settings: Settings,
  machine: Machine,
  examplesPerRow = 1,
): Change | null {
  const rungs = ladders(config, settings, machine);
  const verdict = (turned: Turned): Verdict => {
    const tried = { ...settings, ...turned };
    // shorter rows hold fewer examples
    const perRow = Math.max(1, (examplesPerRow * tried.sequenceLength) / settings.sequenceLength);
    return quickVerdict(config, tried, machine, perRow);
  };
  for (const wanted of ['fits', 'tight'] as const) {
    for (const chosen of subsets(rungs)) {
      // less memory at every rung, so a choice whose last rungs are not enough has no rung that is
      const lowest = together(chosen.map((ladder) => ladder.at(-1) ?? {}));
      if (!reaches(verdict(lowest), wanted)) continue;
      for (const turned of combinations(chosen)) {
        const found = verdict(turned);
        if (found !== 'no' && reaches(found, wanted)) return { settings: turned, verdict: found };
      }
    }
  }
  return null;
}

/** The largest of the models that fits with these settings. */
export function largestThatFits<M extends { config: ModelConfig; parameters: number }>(
  models: readonly M[],
  settings: Settings,
  machine: Machine,
): M | null {
  const bySize = models.toSorted((a, b) => b.parameters - a.parameters);
  return bySize.find(({ config }) => quickVerdict(config, settings, machine) === 'fits') ?? null;
}

function reaches(found: Verdict, wanted: 'fits' | 'tight'): boolean {
  return found === 'fits' || found === wanted;
}

/** Half as many kept, and so on to none. */
function fewerLayers(kept: number): Turned[] {
  const found: Turned[] = [];
  for (let keptLayers = kept; keptLayers > 0;) {
    keptLayers = Math.floor(keptLayers / 2);
    found.push({ keptLayers });
  }
  return found;
}

function halves(from: number, least: number, multipleOf = 1): number[] {
  const found: number[] = [];
  for (let value = from / 2; value >= least && value % multipleOf === 0; value /= 2) found.push(value);
  return found;
}

/** Where every layer is kept, or there is hardly one, nothing waits that could take less. */
function halvedInputs(config: ModelConfig, settings: Settings, machine: Machine): Turned[] {
  const bytes = (halfInputs: boolean) => predict(config, { ...settings, halfInputs }, machine).predictedBytes;
  return !settings.halfInputs && bytes(true) < bytes(false) ? [{ halfInputs: true }] : [];
}

/** Formats that take less than the one before: where sides do not suit a format's blocks it takes more than its name says. */
function smallerFormats(config: ModelConfig, settings: Settings, machine: Machine): Turned[] {
  const after = WEIGHT_FORMATS.indexOf(settings.weightFormat) + 1;
  let least = predict(config, settings, machine).predictedBytes;
  return WEIGHT_FORMATS.slice(after).flatMap((weightFormat) => {
    const { predictedBytes } = predict(config, { ...settings, weightFormat }, machine);
    if (predictedBytes >= least) return [];
    least = predictedBytes;
    return [{ weightFormat }];
  });
}

/** Choices of ladders, fewer first, in order within a size. */
function subsets<T>(items: readonly T[]): T[][] {
  const all: T[][] = [];
  for (let bits = 1; bits < 2 ** items.length; bits++)
    all.push(items.filter((_, index) => (bits >> index) % 2 === 1));
  return all.toSorted((a, b) => a.length - b.length);
}

/** One rung of each ladder, fewest steps first. */
function combinations(ladders: readonly Turned[][]): Turned[] {
  let all: { steps: number; turned: Turned }[] = [{ steps: 0, turned: {} }];
  for (const ladder of ladders)
    all = all.flatMap(({ steps, turned }) =>
      ladder.map((rung, index) => ({ steps: steps + index, turned: { ...turned, ...rung } })),
    );
  return all.toSorted((a, b) => a.steps - b.steps).map(({ turned }) => turned);
}

function together(parts: readonly Turned[]): Turned {
  return Object.assign({}, ...parts) as Turned;
}
