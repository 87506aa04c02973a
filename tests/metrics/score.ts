/**
 * Scores a file of pairs with the metrics of src/evaluation: `{ "pairs": [{ "id", "hypothesis", "references", … }] }`, a bare list
 * of such pairs, or one pair on each line. Where a pair carries reference values in the form of an oracle file, they are compared.
 */
import * as v from 'valibot';
import { BLEU_SIGNATURE, corpusBleu, sentenceBleu, SENTENCE_BLEU_SIGNATURE } from '../../src/evaluation/bleu';
import { CHRF_SIGNATURE, chrF2 } from '../../src/evaluation/chrf';
import {
  exactMatch,
  F1_SIGNATURE,
  FINAL_NUMBER_SIGNATURE,
  finalNumberMatch,
  matchSignature,
  squadF1,
} from '../../src/evaluation/metrics';
import { rouge, rougeSignature } from '../../src/evaluation/rouge';

const fmeasure = v.object({ fmeasure: v.number() });
const pairSchema = v.object({
  id: v.optional(v.string()),
  hypothesis: v.string(),
  references: v.pipe(v.array(v.string()), v.minLength(1)),
  bleu: v.optional(v.record(v.string(), v.object({ score: v.number() }))),
  chrf: v.optional(v.object({ chrF2: v.number() })),
  rouge: v.optional(v.object({ nostem: v.object({ rouge1: fmeasure, rouge2: fmeasure, rougeL: fmeasure }) })),
  squad_v2: v.optional(v.object({ exact: v.number(), f1: v.number() })),
  hf_exact_match_per_ref: v.optional(v.object({ strict: v.array(v.number()) })),
});
type Pair = v.InferOutput<typeof pairSchema>;

const corpusSchema = v.object({
  name: v.string(),
  hypotheses: v.array(v.string()),
  reference_streams: v.array(v.array(v.string())),
  bleu: v.object({ '13a_exp': v.object({ score: v.number() }) }),
});
const fileSchema = v.object({
  pairs: v.pipe(v.array(pairSchema), v.minLength(1)),
  corpus: v.optional(v.array(corpusSchema), []),
});

export interface MetricLine {
  metric: string;
  /** Pairs scored. */
  pairs: number;
  /** Mean over pairs; for corpus BLEU the score of all pairs together. */
  value: number;
  /** Pairs with a reference value. */
  compared: number;
  largestError: number | null;
  tolerance: number;
  ok: boolean;
}

interface Metric {
  signature: string;
  /** Of a value from 0 to 1, or 0 to 100. */
  tolerance: number;
  score(answer: string, references: string[]): number;
  expected(pair: Pair): number | undefined;
}

const SHARE = 1e-9;
const PERCENT = 1e-7;
const SENTENCE = 'default_sentence (13a, exp, effective_order=True)';

const metrics: Metric[] = [
  {
    signature: matchSignature('strict'),
    tolerance: SHARE,
    score: (answer, references) => Number(exactMatch(answer, references, 'strict')),
    expected: (pair) =>
      pair.hf_exact_match_per_ref ? Math.max(...pair.hf_exact_match_per_ref.strict) : undefined,
  },
  {
    signature: matchSignature('trimmed'),
    tolerance: SHARE,
    score: (answer, references) => Number(exactMatch(answer, references, 'trimmed')),
    expected: () => undefined,
  },
  {
    signature: matchSignature('squad'),
    tolerance: SHARE,
    score: (answer, references) => Number(exactMatch(answer, references, 'squad')),
    expected: (pair) => pair.squad_v2?.exact,
  },
  { signature: F1_SIGNATURE, tolerance: SHARE, score: squadF1, expected: (pair) => pair.squad_v2?.f1 },
  {
    signature: FINAL_NUMBER_SIGNATURE,
    tolerance: SHARE,
    score: (answer, references) => Number(finalNumberMatch(answer, references)),
    expected: () => undefined,
  },
  { signature: CHRF_SIGNATURE, tolerance: PERCENT, score: chrF2, expected: (pair) => pair.chrf?.chrF2 },
  ...(['1', '2', 'L'] as const).map((kind) => ({
    signature: rougeSignature(kind),
    tolerance: SHARE,
    score: (answer: string, references: string[]) => rouge(answer, references, kind),
    expected: (pair: Pair) => pair.rouge?.nostem[`rouge${kind}`].fmeasure,
  })),
  {
    signature: SENTENCE_BLEU_SIGNATURE,
    tolerance: PERCENT,
    score: sentenceBleu,
    expected: (pair) => pair.bleu?.[SENTENCE]?.score,
  },
];

export function scoreFile(text: string): MetricLine[] {
  const { pairs, corpus } = readPairs(text);
  const rows = pairs.map(({ hypothesis, references }) => ({ answer: hypothesis, references }));
  const lines = metrics.map(({ signature, tolerance, score, expected }) => {
    const scored = pairs.map((pair) => ({
      value: score(pair.hypothesis, pair.references),
      wanted: expected(pair),
    }));
    return line(signature, scored, tolerance);
  });
  const all = line(BLEU_SIGNATURE, [{ value: corpusBleu(rows), wanted: undefined }], PERCENT);
  return [
    ...lines,
    { ...all, pairs: rows.length },
    ...corpus.map(({ name, hypotheses, reference_streams: streams, bleu }) => {
      const value = corpusBleu(
        hypotheses.map((answer, row) => ({ answer, references: streams.map((stream) => stream[row] ?? '') })),
      );
      const found = line(
        `${BLEU_SIGNATURE} of corpus ${name}`,
        [{ value, wanted: bleu['13a_exp'].score }],
        PERCENT,
      );
      return { ...found, pairs: hypotheses.length };
    }),
  ];
}

function line(
  metric: string,
  scored: { value: number; wanted: number | undefined }[],
  tolerance: number,
): MetricLine {
  const errors = scored.flatMap(({ value, wanted }) =>
    wanted === undefined ? [] : [Math.abs(value - wanted)],
  );
  const largestError = errors.length === 0 ? null : Math.max(...errors);
  return {
    metric,
    pairs: scored.length,
    value: scored.reduce((sum, { value }) => sum + value, 0) / scored.length,
    compared: errors.length,
    largestError,
    tolerance,
    ok: largestError === null || largestError <= tolerance,
  };
}

function readPairs(text: string): v.InferOutput<typeof fileSchema> {
  const start = text.trimStart();
  const lines = start.split(/\r?\n/).filter((one) => one.trim() !== '');
  const many = start.startsWith('{') && lines.length > 1 && isJson(lines[0] ?? '');
  const read: unknown = many ? lines.map((one): unknown => JSON.parse(one)) : JSON.parse(text);
  return v.parse(fileSchema, Array.isArray(read) ? { pairs: read } : read);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
