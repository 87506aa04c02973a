/**
 * The settings of a run, declared once. The form, the URL fragment, run.json, the headless runner and the help text
 * are all read from this file. Plain data: knows nothing of GPUs, threads or screens.
 */
import * as v from 'valibot';
import { FORMAT_REASON } from './suitedFormat';
import { WEIGHT_FORMATS } from './weightFormats';

/** The linear layers of a block that a person chooses among. */
export const TARGETS = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;
/** Layers that some models keep in the place of three or two of those; see `model/shapes.ts`. */
export const FUSED_TARGETS = ['qkv_proj', 'gate_up_proj'] as const;
/** A linear layer by the name that checkpoints and PEFT give it. */
export type Target = (typeof TARGETS)[number] | (typeof FUSED_TARGETS)[number];

/** What a field means to a person: the form shows `label`, `unit`, `help` and, beside the default, `reason`. */
export interface FieldNote {
  label: string;
  unit?: string;
  help: string;
  reason: string;
  /** Beginners see `basic` fields; the rest is folded under "More settings". */
  group: 'basic' | 'adapter' | 'optimizer' | 'batch' | 'stopping' | 'data';
  min?: number;
  max?: number;
  step?: number;
  options?: readonly { value: string; label: string }[];
  /** False where a value may change when a paused run goes on. */
  needsNewRun: boolean;
}

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
  recompute: v.boolean(),
  seed: count(0, 2 ** 31 - 1),
});
export type Settings = v.InferOutput<typeof settingsSchema>;

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
  recompute: true,
  seed: 42,
};

export const fieldNotes: Record<keyof Settings, FieldNote> = {
  epochs: {
    label: 'Epochs',
    unit: 'passes over the data',
    group: 'basic',
    min: 1,
    max: 50,
    step: 1,
    needsNewRun: true,
    help: 'How often every training row is seen. More passes learn more until the held-out loss rises.',
    reason:
      'Three passes suit most small datasets; training stops earlier when the held-out loss stops falling.',
  },
  learningRate: {
    label: 'Learning rate',
    group: 'basic',
    min: 1e-6,
    max: 1e-1,
    needsNewRun: true,
    help: 'How far each step moves the adapter. Too low changes nothing, too high makes the loss jump.',
    reason:
      '0.0002 is usual for LoRA; 0.00001 to 0.00005, found in many guides, is for training all weights.',
  },
  sequenceLength: {
    label: 'Sequence length',
    unit: 'tokens',
    group: 'basic',
    min: 32,
    max: 2048,
    step: 32,
    needsNewRun: true,
    help: 'Rows are packed side by side into sequences of this many tokens. Rows that do not fit are left out and counted.',
    reason: 'Length costs memory, not padding, because rows are packed.',
  },
  method: {
    label: 'What is trained',
    group: 'adapter',
    needsNewRun: true,
    options: [
      { value: 'lora', label: 'LoRA adapter' },
      { value: 'full', label: 'All weights' },
    ],
    help: 'LoRA trains a small add-on and leaves the model as it is. Training all weights suits only tiny models.',
    reason: 'An adapter is small, quick to train and can be switched off.',
  },
  rank: {
    label: 'Rank',
    group: 'adapter',
    min: 1,
    max: 64,
    step: 1,
    needsNewRun: true,
    help: 'The width of the adapter. A higher rank can learn more and costs more memory.',
    reason: '16 is what most tools use.',
  },
  alpha: {
    label: 'Alpha',
    group: 'adapter',
    min: 1,
    max: 256,
    step: 1,
    needsNewRun: true,
    help: 'How strongly the adapter acts: its output is scaled by alpha / rank.',
    reason: 'Stays at 32 when the rank changes, so that the learning rate keeps its meaning.',
  },
  rslora: {
    label: 'Rank-stabilised scale (rsLoRA)',
    group: 'adapter',
    needsNewRun: true,
    help: 'Scales by alpha / √rank instead of alpha / rank.',
    reason: 'Off: it matters for ranks above 32.',
  },
  dropout: {
    label: 'LoRA dropout',
    group: 'adapter',
    min: 0,
    max: 0.5,
    step: 0.01,
    needsNewRun: true,
    help: 'Share of the adapter’s inputs set to zero at random while training, against overfitting.',
    reason: '0 is quickest; 0.05 helps with fewer than 1,000 rows.',
  },
  targets: {
    label: 'Adapted layers',
    group: 'adapter',
    needsNewRun: true,
    help: 'Which linear layers of every block get an adapter. Where a model keeps several in one matrix, as Phi-3 does, choosing one adapts the whole matrix.',
    reason: 'Adapting all seven learns better than attention alone.',
  },
  weightFormat: {
    label: 'Frozen weights',
    group: 'adapter',
    needsNewRun: true,
    options: [
      { value: 'q4', label: '4-bit' },
      { value: 'nf4', label: '4-bit, normal-float' },
      { value: 'q8', label: '8-bit' },
      { value: 'f16', label: '16-bit' },
      { value: 'f32', label: '32-bit' },
    ],
    help: 'How the frozen base model is kept on the GPU. The adapter itself is always 32-bit.',
    reason: FORMAT_REASON,
  },
  schedule: {
    label: 'Schedule',
    group: 'optimizer',
    needsNewRun: true,
    options: [
      { value: 'cosine', label: 'Cosine to zero' },
      { value: 'linear', label: 'Linear to zero' },
      { value: 'constant', label: 'Constant' },
    ],
    help: 'How the learning rate changes after the warm-up.',
    reason: 'A rate that falls to zero ends on a settled adapter.',
  },
  warmupSteps: {
    label: 'Warm-up',
    unit: 'steps',
    group: 'optimizer',
    min: 0,
    max: 500,
    step: 1,
    needsNewRun: true,
    help: 'Steps in which the rate rises from zero.',
    reason: 'A few steps let the optimiser find its scale.',
  },
  weightDecay: {
    label: 'Weight decay',
    group: 'optimizer',
    min: 0,
    max: 0.1,
    step: 0.001,
    needsNewRun: true,
    help: 'Pulls the trained weights gently to zero.',
    reason: '0: immaterial at the size of an adapter.',
  },
  beta1: {
    label: 'AdamW beta 1',
    group: 'optimizer',
    min: 0,
    max: 0.999,
    needsNewRun: true,
    help: 'How long the optimiser remembers the direction.',
    reason: 'The value of the AdamW paper.',
  },
  beta2: {
    label: 'AdamW beta 2',
    group: 'optimizer',
    min: 0,
    max: 0.9999,
    needsNewRun: true,
    help: 'How long the optimiser remembers the size of the gradients.',
    reason: 'The value of the AdamW paper.',
  },
  epsilon: {
    label: 'AdamW epsilon',
    group: 'optimizer',
    needsNewRun: true,
    help: 'Keeps the division in the optimiser away from zero.',
    reason: 'The value of the AdamW paper.',
  },
  clip: {
    label: 'Gradient clip',
    unit: 'global norm',
    group: 'optimizer',
    min: 0,
    max: 10,
    step: 0.1,
    needsNewRun: true,
    help: 'Longer gradients are shortened to this length. 0 turns it off.',
    reason: '1.0 keeps one odd row from spoiling the run.',
  },
  batchExamples: {
    label: 'Batch',
    unit: 'examples a step',
    group: 'batch',
    min: 1,
    max: 64,
    step: 1,
    needsNewRun: true,
    help: 'How many examples make one step. They are packed into rows and their gradients are added up.',
    reason: 'Small batches suit LoRA.',
  },
  maxSteps: {
    label: 'Step limit',
    unit: 'steps',
    group: 'batch',
    min: 0,
    max: 100000,
    step: 1,
    needsNewRun: true,
    help: 'Ends the run after this many steps. 0 leaves it to the epochs.',
    reason: '0: the epochs decide.',
  },
  recompute: {
    label: 'Recompute layers',
    group: 'batch',
    needsNewRun: true,
    help: 'Keeps only the input of each layer and computes the rest again on the way back.',
    reason: 'On: about 30 % more time for a tenth of the memory.',
  },
  mask: {
    label: 'Learn from',
    group: 'data',
    needsNewRun: true,
    options: [
      { value: 'assistant', label: 'Every answer' },
      { value: 'last-answer', label: 'The last answer only' },
      { value: 'all', label: 'Everything' },
    ],
    help: 'Which tokens count in the loss. The rest is read but not learned.',
    reason: 'The model should learn to answer, not to ask.',
  },
  evaluateEvery: {
    label: 'Check held-out loss every',
    unit: 'steps',
    group: 'stopping',
    min: 1,
    max: 1000,
    step: 1,
    needsNewRun: true,
    help: 'How often the loss on held-out rows is measured and a checkpoint is kept.',
    reason: 'Often enough to catch the best point, rarely enough to cost little.',
  },
  patience: {
    label: 'Patience',
    unit: 'checks',
    group: 'stopping',
    min: 0,
    max: 20,
    step: 1,
    needsNewRun: true,
    help: 'Stops after this many checks without a gain; the best adapter is kept. 0 turns early stopping off.',
    reason: 'Three checks tell a pause from the end.',
  },
  minimumGain: {
    label: 'Smallest gain',
    group: 'stopping',
    min: 0,
    max: 0.2,
    step: 0.001,
    needsNewRun: true,
    help: 'A check counts as a gain when the held-out loss falls by this share.',
    reason: '1 % is more than chance on most sets.',
  },
  seed: {
    label: 'Seed',
    group: 'data',
    min: 0,
    max: 2147483647,
    step: 1,
    needsNewRun: true,
    help: 'The same seed, data and device give the same curve.',
    reason: '42 is what most tools use.',
  },
};

/** Parses settings that came from outside; missing fields take the default, unknown or wrong ones are an error. */
export function parseSettings(input: unknown): Settings {
  const given = typeof input === 'object' && input !== null && !Array.isArray(input) ? input : {};
  const result = v.safeParse(settingsSchema, { ...defaultSettings, ...given });
  if (result.success) return result.output;
  const reasons = result.issues.map((issue) => `${v.getDotPath(issue) ?? 'settings'}: ${issue.message}`);
  throw new Error(`These settings cannot be used. ${reasons.join('; ')}`);
}
