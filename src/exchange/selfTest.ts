/**
 * Proof before handing out: the files just written are read again, and the model answers with what was read. A file that
 * does not give the live model's logits is refused. Knows no model: logits come from a callback.
 */
import type { AdapterWeights } from '../adapter/spec';
import type { ModelConfig } from '../model/config';
import { readGgufAdapter } from './gguf';
import { readMlx, type MlxFiles } from './mlx';
import { readPeft, type PeftFiles } from './peft';

/** F32 files hold the adapter's own bits; only rsLoRA's folded scale may round. */
export const TOLERANCE = 1e-4;

/** Logits of one validation row under an adapter. */
export type LogitsOf = (adapter: AdapterWeights) => Promise<Float32Array>;

export interface SelfTest {
  /** Largest absolute logit difference to the live model. */
  peft: number;
  gguf: number;
  /** null where the adapter has no MLX form */
  mlx: number | null;
}

export async function testExport(
  live: AdapterWeights,
  files: { peft: PeftFiles; gguf: Uint8Array; mlx: MlxFiles | null },
  model: ModelConfig,
  logitsOf: LogitsOf,
): Promise<SelfTest> {
  const expected = await logitsOf(live);
  const fromPeft = await logitsOf(readPeft(files.peft.config, files.peft.weights, model));
  const fromGguf = await logitsOf(readGgufAdapter(files.gguf, model));
  const fromMlx = files.mlx === null ? null : await logitsOf(readMlx(files.mlx, model));
  return {
    peft: accept('The PEFT file', largestDifference(expected, fromPeft)),
    gguf: accept('The GGUF file', largestDifference(expected, fromGguf)),
    mlx: fromMlx === null ? null : accept('The MLX file', largestDifference(expected, fromMlx)),
  };
}

function accept(file: string, difference: number): number {
  if (difference <= TOLERANCE) return difference;
  throw new Error(
    `${file} just written does not answer like the live model: its logits differ by ${difference}, ` +
      `at most ${TOLERANCE} is accepted. It was not handed out; the adapter itself is kept.`,
  );
}

/** Infinity where a number is missing or not finite, so that it can never pass. */
function largestDifference(expected: Float32Array, found: Float32Array): number {
  if (expected.length === 0 || expected.length !== found.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs((expected[i] ?? NaN) - (found[i] ?? NaN));
    if (!Number.isFinite(difference)) return Infinity;
    largest = Math.max(largest, difference);
  }
  return largest;
}
