/**
 * The settings of a run, declared once. The form, the URL fragment, run.json and the headless runner
 * are all read from this file; what a field means in words is settingNotes.ts. Plain data: knows nothing of GPUs, threads or screens.
 */
import * as v from 'valibot';
import { WEIGHT_FORMATS } from './weightFormats';

/** The linear layers of a block that a person chooses among. */
export const TARGETS = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;
/** Layers that some models keep in the place of three or two of those; see `model/shapes.ts`. */
export const FUSED_TARGETS = ['qkv_proj', 'gate_up_proj'] as const;
/** A linear layer by the name that checkpoints and PEFT give it. */
export type Target = (typeof TARGETS)[number] | (typeof FUSED_TARGETS)[number];

/** More than any model has. */
export const MOST_LAYERS = 1000;

const positive = v.pipe(v.number(), v.finite(), v.gtValue(0));
const fraction = v.pipe(v.number(), v.finite(), v.minValue(0), v.ltValue(1));
const count = (min: number, max: number) => v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));

export const settingsSchema = v.strictObject({
  method: v.picklist(['lora', 'full']),
  rank: count(1, 256),
  alpha: count(1, 1024),
  rslora: v.boolean(),
  dropout: v.pipe(fraction, v.maxValue(0.5)),
  targets: v.pipe(v.array(v.picklist(TARGETS)), v.minLength(1)),
  learningRate: v.pipe(positive, v.maxValue(1)),
  schedule: v.picklist(['cosine', 'linear', 'constant']),
  warmupSteps: count(0, 10_000),
  weightDecay: v.pipe(fraction, v.maxValue(0.5)),
  beta1: fraction,
  beta2: fraction,
  epsilon: positive,
  /** Global-norm clip; 0 turns clipping off. */
  clip: v.pipe(v.number(), v.finite(), v.minValue(0)),
  epochs: count(1, 1000),
  /** 0: as many as `epochs` need. */
  maxSteps: count(0, 1_000_000),
  batchExamples: count(1, 512),
  sequenceLength: v.pipe(count(32, 8192), v.multipleOf(32)),
  mask: v.picklist(['assistant', 'last-answer', 'all']),
  evaluateEvery: count(1, 100_000),
  patience: count(0, 100),
  minimumGain: fraction,
  weightFormat: v.picklist(WEIGHT_FORMATS),
  /** Layers, counted from the last, that are not computed again on the way back; more than there are means all. */
  keptLayers: count(0, MOST_LAYERS),
  /** Whether the inputs of layers that are computed again wait for that as half floats. */
  halfInputs: v.boolean(),
  seed: count(0, 2 ** 31 - 1),
});
export type Settings = v.InferOutput<typeof settingsSchema>;

/** What a pass of training keeps for the way back. */
export type Keeping = Pick<Settings, 'keptLayers' | 'halfInputs'>;

export const defaultSettings: Settings = {
  method: 'lora',
  rank: 16,
  alpha: 32,
  rslora: false,
  dropout: 0,
  targets: [...TARGETS],
  learningRate: 2e-4,
  schedule: 'cosine',
  warmupSteps: 5,
  weightDecay: 0,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  clip: 1,
  epochs: 3,
  maxSteps: 0,
  batchExamples: 8,
  sequenceLength: 256,
  mask: 'assistant',
  evaluateEvery: 10,
  patience: 3,
  minimumGain: 0.01,
  weightFormat: 'f16',
  keptLayers: 0,
  halfInputs: false,
  seed: 42,
};

/** Parses settings that came from outside; missing fields take the default, unknown or wrong ones are an error. */
export function parseSettings(input: unknown): Settings {
  const given = typeof input === 'object' && input !== null && !Array.isArray(input) ? input : {};
  const result = v.safeParse(settingsSchema, { ...defaultSettings, ...upToDate(given) });
  if (result.success) return result.output;
  const reasons = result.issues.map((issue) => `${v.getDotPath(issue) ?? 'settings'}: ${issue.message}`);
  throw new Error(`These settings cannot be used. ${reasons.join('; ')}`);
}

/** Settings of version 0.1.0 said whether all layers are computed again, or none. */
function upToDate(given: object): object {
  if (!('recompute' in given)) return given;
  const { recompute, ...rest } = given;
  return { keptLayers: recompute === false ? MOST_LAYERS : 0, ...rest };
}
