/**
 * run.json: what was trained, on what, with which settings, and how it went. One strict schema for writing and reading; what
 * is not known is null. Holds no text of any row.
 */
import * as v from 'valibot';
import { FormatError } from '../checkpoint/safetensors';
import { parseStrictJson } from '../checkpoint/strictJson';
import { settingsSchema } from '../protocol/settings';
import { WEIGHT_FORMATS } from '../protocol/weightFormats';

export const RUN_VERSION = 1;
const MAX_CHARACTERS = 64_000_000;

const number = v.pipe(v.number(), v.finite());
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'not a sha-256 in hex'));
const time = v.pipe(v.string(), v.isoTimestamp());
const sealedFile = { name: v.string(), bytes: count, sha256: hash };
const proportion = v.strictObject({ right: count, of: count, share: number, low: number, high: number });

export const runRecordSchema = v.strictObject({
  format: v.literal('loratory-run'),
  version: v.literal(RUN_VERSION),
  app: v.strictObject({ version: v.string(), commit: v.nullable(v.string()) }),
  created: time,
  finished: v.nullable(time),
  base: v.strictObject({
    repository: v.string(),
    revision: v.nullable(v.string()),
    family: v.string(),
    files: v.array(v.strictObject(sealedFile)),
    weightFormat: v.picklist(WEIGHT_FORMATS),
    tokenizerSha256: v.nullable(hash),
    templateSha256: v.nullable(hash),
  }),
  dataset: v.strictObject({
    name: v.string(),
    sha256: v.string(),
    mask: v.string(),
    trainExamples: count,
    supervisedTokens: count,
    testIsValidation: v.boolean(),
    split: v.strictObject({ rule: v.string(), seed: number, train: count, validation: count, test: count }),
  }),
  settings: settingsSchema,
  device: v.strictObject({
    backend: v.string(),
    device: v.string(),
    software: v.boolean(),
    features: v.array(v.string()),
    maxBindingBytes: number,
    maxBufferBytes: number,
    browser: v.nullable(v.string()),
  }),
  curves: v.strictObject({
    steps: v.array(
      v.strictObject({
        step: count,
        loss: number,
        learningRate: number,
        gradientNorm: number,
        supervised: count,
        milliseconds: number,
      }),
    ),
    evaluations: v.array(v.strictObject({ step: count, loss: number })),
  }),
  best: v.nullable(v.strictObject({ step: count, loss: number, adapterSha256: v.nullable(hash) })),
  evaluation: v.array(
    v.strictObject({
      metric: v.string(),
      split: v.picklist(['test', 'validation']),
      base: proportion,
      tuned: proportion,
      fixed: count,
      broken: count,
      pValue: number,
    }),
  ),
  exports: v.array(
    v.strictObject({
      file: v.string(),
      bytes: count,
      sha256: hash,
      selfTest: v.nullable(v.strictObject({ difference: number, tolerance: number, passed: v.boolean() })),
    }),
  ),
  faults: v.array(v.strictObject({ step: count, kind: v.string(), done: v.string() })),
});
export type RunRecord = v.InferOutput<typeof runRecordSchema>;

/** Parses run.json from outside. A version from the future is refused by name. */
export function readRunRecord(text: string): RunRecord {
  if (text.length > MAX_CHARACTERS) {
    throw new FormatError(`run.json has ${text.length} characters; at most ${MAX_CHARACTERS} are read.`);
  }
  let json: unknown;
  try {
    json = parseStrictJson(text, { maxDepth: 16 });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(`run.json is not readable JSON: ${reason}.`, { cause });
  }
  const versioned = v.safeParse(v.object({ format: v.literal('loratory-run'), version: v.number() }), json);
  if (!versioned.success) throw new FormatError('run.json is not the record of a Loratory run.');
  if (versioned.output.version !== RUN_VERSION) {
    throw new FormatError(
      `run.json has version ${versioned.output.version}; this Loratory reads version ${RUN_VERSION}.`,
    );
  }
  const parsed = v.safeParse(runRecordSchema, json);
  if (parsed.success) return parsed.output;
  const reasons = parsed.issues
    .slice(0, 5)
    .map((issue) => `${v.getDotPath(issue) ?? 'it'}: ${issue.message}`);
  throw new FormatError(`run.json cannot be used. ${reasons.join('; ')}.`);
}

export function writeRunRecord(record: RunRecord): string {
  return `${JSON.stringify(v.parse(runRecordSchema, record), null, 1)}\n`;
}
