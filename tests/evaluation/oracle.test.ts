import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as v from 'valibot';
import { scoreFile } from '../metrics/score';
import { chrF2 } from '../../src/evaluation/chrf';
import { exactMatch, squadF1 } from '../../src/evaluation/metrics';
import { squadNormalise, splitBlanks } from '../../src/evaluation/normalise';
import { holm, mcnemarExact, pairedBootstrap, wilson } from '../../src/evaluation/statistics';

/** The full table of reference values, where the machine has it beside the checkout. */
const path = new URL('../../../shared/oracle/metrics/metrics-oracle.json', import.meta.url);
const present = existsSync(path);

const oracleSchema = v.object({
  pairs: v.array(
    v.object({
      id: v.string(),
      hypothesis: v.string(),
      references: v.array(v.string()),
      chrf: v.object({ chrF2: v.number() }),
      squad_v2: v.object({ exact: v.number(), f1: v.number() }),
    }),
  ),
  normalizers: v.array(v.object({ text: v.string(), squad: v.string(), split: v.array(v.string()) })),
  uncertainty: v.object({
    proportion_ci_95: v.array(
      v.object({ k: v.number(), n: v.number(), wilson: v.tuple([v.number(), v.number()]) }),
    ),
    mcnemar_exact: v.array(v.object({ b: v.number(), c: v.number(), p: v.number() })),
    bootstrap_of_mean: v.object({ values: v.array(v.number()), stderr: v.number() }),
    holm: v.object({ p: v.array(v.number()), adjusted: v.array(v.number()) }),
  }),
});

describe('the whole table of reference values', () => {
  it.skipIf(!present)('25 pairs: chrF2 within 1e-7, exact match and F1 within 1e-9', () => {
    const { pairs } = readOracle();
    expect(pairs).toHaveLength(25);
    for (const pair of pairs) {
      expect(chrF2(pair.hypothesis, pair.references), pair.id).toBeCloseTo(pair.chrf.chrF2, 7);
      expect(exactMatch(pair.hypothesis, pair.references, 'squad'), pair.id).toBe(pair.squad_v2.exact === 1);
      expect(squadF1(pair.hypothesis, pair.references), pair.id).toBeCloseTo(pair.squad_v2.f1, 9);
    }
  });

  it.skipIf(!present)('every metric that npm run metrics compares, on all 25 pairs', () => {
    const lines = scoreFile(readFileSync(path, 'utf8'));
    expect(lines.filter(({ ok }) => !ok)).toEqual([]);
    // strict and SQuAD exact match, F1, chrF2, ROUGE 1, 2 and L, sentence BLEU: 8 × 25; corpus BLEU: 2
    expect(lines.reduce((sum, { compared }) => sum + compared, 0)).toBe(202);
  });

  it.skipIf(!present)('24 texts are normalised and split as Python does', () => {
    for (const { text, squad, split } of readOracle().normalizers) {
      expect(squadNormalise(text)).toBe(squad);
      expect(splitBlanks(text)).toEqual(split);
    }
  });

  it.skipIf(!present)('Wilson, McNemar, Holm, and the bootstrap within 1 percent', () => {
    const { uncertainty } = readOracle();
    for (const { k, n, wilson: interval } of uncertainty.proportion_ci_95) {
      expect(wilson(k, n).low).toBeCloseTo(interval[0], 9);
      expect(wilson(k, n).high).toBeCloseTo(interval[1], 9);
    }
    for (const { b, c, p } of uncertainty.mcnemar_exact) expect(mcnemarExact(b, c)).toBeCloseTo(p, 9);
    for (const [index, p] of holm(uncertainty.holm.p).entries()) {
      expect(p).toBeCloseTo(uncertainty.holm.adjusted[index] ?? Number.NaN, 12);
    }
    const { values, stderr } = uncertainty.bootstrap_of_mean;
    const ours = pairedBootstrap(new Array<number>(values.length).fill(0), values, 1, 50_000).standardError;
    expect(Math.abs(ours / stderr - 1)).toBeLessThan(0.01);
  });
});

function readOracle(): v.InferOutput<typeof oracleSchema> {
  return v.parse(oracleSchema, JSON.parse(readFileSync(path, 'utf8')));
}
