/** The plain data that crosses between the dataset worker, the trainer worker and the screen. No behaviour. */
import type { Tokens } from '../units';

export type Role = 'system' | 'user' | 'assistant' | 'tool';
/** One turn of a conversation. `weight` 0 leaves an assistant turn out of the loss. */
export interface Message {
  role: Role;
  content: string;
  weight?: 0 | 1;
}

/** What a model needs besides weights to read and write text: files of its repository, as parsed JSON. */
export interface ChatAssets {
  /** tokenizer.json */
  tokenizer: unknown;
  /** tokenizer_config.json; its special tokens are used */
  tokenizerConfig: unknown;
  /** Jinja source; null for a model that has none (rows are then plain text). */
  chatTemplate: string | null;
  /** Ids that end an answer: from generation_config.json or config.json and the template's end mark. */
  stopIds: number[];
  vocabSize: number;
}

/**
 * Rows of exactly `length` tokens. All arrays are [rows * length], row after row.
 * `targets[t]` is the id that position t must predict (the next token), or -1 where nothing is learned.
 * `documentStart[t]` is the index, within the row, of the first token of t's document; positions restart there.
 * Padding at the end of a row is a document of its own, with targets -1.
 */
export interface PackedRows {
  length: Tokens;
  rows: number;
  ids: Int32Array;
  targets: Int32Array;
  documentStart: Int32Array;
  /** Examples packed into these rows. */
  examples: number;
  /** Tokens with a target. */
  supervised: Tokens;
}

/** One held-out question: the prompt as the model will see it, and what it should answer. */
export interface EvalRow {
  promptIds: Int32Array;
  promptText: string;
  /** The last thing a person says in it, without the template's marks. */
  question: string;
  reference: string;
}

/** Held-out rows whose answer takes more are not asked: it would take a laptop longer than the training. */
export const LONGEST_ANSWER: Tokens = 512;

export interface TrainingData {
  name: string;
  /** sha256 of the file's bytes, hex */
  hash: string;
  train: PackedRows;
  validation: PackedRows;
  /** Locked until the end; when the set is too small for a third part these are the validation rows. */
  test: EvalRow[];
  /** True when `test` holds the validation rows. */
  testIsValidation: boolean;
  split: { rule: string; seed: number; train: number; validation: number; test: number };
  /** How its rows ask; absent in runs of an older version. */
  manner?: Manner;
}

/** How rows ask, so that what was learned from them is asked for in the same way. */
export interface Manner {
  /** chat: in the model's chat template. completion, text: the words as they stand. */
  kind: 'chat' | 'completion' | 'text';
  /** The system text that most rows have; null where they have none, or different ones. */
  system: string | null;
  /** Most rows hold reasoning, so that the template leaves it to the model. */
  thinking: boolean;
}
