/**
 * What the self-test says of a device: which operations give wrong results there and what is done in their place. Drivers do
 * compile shaders wrongly. Kept in the browser, shown on the page and written into a run's record.
 */
import { WEIGHT_FORMATS, type WeightFormat } from './weightFormats';

const NAMES = {
  rmsNorm: 'the norm of a layer',
  heads: 'the turning of attention heads by position',
  attention: 'attention',
  attentionApart: 'attention while writing an answer',
  glu: 'the gate of a layer',
  dropout: 'dropout',
  crossEntropy: 'the loss',
  rows: 'picking rows',
  adamw: 'the optimiser',
  sampleToken: 'the choice of the next word',
};

/** Operations that are judged, and replaced, as one. Those that read weights are another operation in each format. */
export type OperationName = keyof typeof NAMES | `linear ${WeightFormat}` | `embed ${WeightFormat}`;

/**
 * Ways other than the usual one. Designs of our kernels: `tiles` in workgroup memory; `lanes` of a subgroup; `registers` without
 * either; `single`, one invocation to a row. `stock`: the reference twin, made of TensorFlow.js' own operations on the same device.
 */
export type Way = 'tiles' | 'lanes' | 'registers' | 'single' | 'stock';

export interface Detour {
  operation: OperationName;
  /** Null where every way gave wrong results: then the operation is refused. */
  way: Way | null;
}

export interface Verdict {
  detours: Detour[];
  /** Whether a whole model computed what PyTorch computes, detours in use. */
  right: boolean;
  /** Milliseconds since 1970. */
  made: number;
}

/** In the middle of a sentence. */
export function operationInWords(operation: OperationName): string {
  for (const format of WEIGHT_FORMATS) {
    if (operation === `linear ${format}`) return `multiplying by ${format} weights`;
    if (operation === `embed ${format}`) return `looking up ${format} embeddings`;
  }
  return NAMES[operation as keyof typeof NAMES];
}

const WAYS: Record<Way, string> = {
  tiles: 'another kernel, with workgroup memory',
  lanes: 'another kernel, with subgroups',
  registers: 'a plainer kernel',
  single: 'a plainer kernel',
  stock: 'TensorFlow.js',
};
export const wayInWords = (way: Way): string => WAYS[way];

/** For a person: what is wrong and what is done about it. */
export function detourInWords({ operation, way }: Detour): string {
  const wrong = `On this graphics card, ${operationInWords(operation)} gives wrong results`;
  if (way !== null) return `${wrong}. Loratory uses a slower way for it.`;
  return `${wrong} in every way that Loratory knows, so it is refused here. ${whatElse(operation)}`;
}

function severalInWords(detours: readonly Detour[]): string {
  const names = new Intl.ListFormat('en').format(detours.map(({ operation }) => operationInWords(operation)));
  return `On this graphics card, ${names} give wrong results. Loratory uses slower ways for them.`;
}

/** What a run on this device has to say at its start. */
export function warningsOf(detours: readonly Detour[], verdict: Verdict | null): string[] {
  const around = detours.length < 2 ? detours.map(detourInWords) : [severalInWords(detours)];
  if (!verdict || verdict.right) return around;
  return [
    ...around,
    'The self-test has found wrong results on this graphics card. Do not trust the adapter.',
  ];
}

/** The same in a run's record. */
export function faultsOf(detours: readonly Detour[]): { step: number; kind: string; done: string }[] {
  return detours.map(({ operation, way }) => ({
    step: 0,
    kind: `wrong results on this device: ${operationInWords(operation)}`,
    done: way === null ? 'refused' : `computed by ${wayInWords(way)}`,
  }));
}

function whatElse(operation: OperationName): string {
  if (operation === 'dropout') return 'Set dropout to 0.';
  if (/^(linear|embed) (?!f32)/.test(operation)) return 'Choose another weight format.';
  return 'Try another browser or a newer graphics driver.';
}
