/** Held-out questions put to a model without and with an adapter, and what came of it. */
import type { Tokens } from '../units';
import type { EvalRow } from './data';

export interface ScoreRequest {
  modelId: string;
  adapterId: string;
  rows: EvalRow[];
}

/** Held-out rows with different prompts; `repeated`: how many more ask the same again. */
export interface TestRows {
  rows: EvalRow[];
  repeated: number;
  testIsValidation: boolean;
}

export interface ScoredRow {
  /** All that the model was given. */
  prompt: string;
  /** The part of it that a person wrote last. */
  question: string;
  reference: string;
  base: string;
  tuned: string;
  baseRight: boolean;
  tunedRight: boolean;
}

export interface Proportion {
  right: number;
  of: number;
  share: number;
  /** Wilson 95 % interval. */
  low: number;
  high: number;
}

/** A mean over rows, 0 to 1, before and after, with the 95 % interval of the difference. */
export interface SecondaryScore {
  name: string;
  signature: string;
  base: number;
  tuned: number;
  difference: { mean: number; low: number; high: number };
}

export interface Scores {
  metric: string;
  base: Proportion;
  tuned: Proportion;
  /** McNemar's exact test on the discordant pairs. */
  fixed: number;
  broken: number;
  pValue: number;
  verdict: string;
  /** Figures beside the headline; they decide nothing. */
  others: SecondaryScore[];
  rows: ScoredRow[];
  seconds: number;
  /** Rows that were not asked, since their answer is too long or does not fit behind its prompt. */
  left: number;
  /** New tokens at most, in the longest answers; and how many answers of each model ended there. */
  limit: Tokens;
  cut: { base: number; tuned: number };
}
