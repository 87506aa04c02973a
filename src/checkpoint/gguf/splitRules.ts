/**
 * How text is cut before byte-level BPE. llama.cpp knows a rule by name (tokenizer.ggml.pre), tokenizer.json spells it out; this is
 * the table between them. (llama.cpp, llama-vocab.cpp; the tokenizer.json of the models)
 */

export interface SplitRule {
  /** The names llama.cpp gives it; the first is written. */
  names: string[];
  /** Regular expressions, applied one after the other; none: ByteLevel's own. */
  patterns: string[];
  /** A whole word that is in the vocabulary is taken without merging. */
  ignoreMerges?: boolean;
  /** Digits stand alone before the patterns. */
  digits?: boolean;
}

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const LETTERS = '[^\\r\\n\\p{L}\\p{N}]?\\p{L}+';
const REST = ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
const UPPER = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
const LOWER = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';
const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

export const SPLIT_RULES: readonly SplitRule[] = [
  {
    names: ['llama-bpe', 'llama3', 'llama-v3'],
    patterns: [`${CONTRACTIONS}|${LETTERS}|\\p{N}{1,3}|${REST}`],
    ignoreMerges: true,
  },
  {
    names: ['qwen2', 'deepseek-r1-qwen'],
    patterns: [`${CONTRACTIONS}|${LETTERS}|\\p{N}|${REST}`],
  },
  // SmolLM3; Phi-4
  { names: ['smaug-bpe', 'dbrx'], patterns: [`${CONTRACTIONS}|${LETTERS}|\\p{N}{1,3}|${REST}`] },
  // Phi-4-mini
  {
    names: ['gpt-4o'],
    patterns: [
      `[^\\r\\n\\p{L}\\p{N}]?${UPPER}*${LOWER}+${CONTRACTIONS}?|[^\\r\\n\\p{L}\\p{N}]?${UPPER}+${LOWER}*${CONTRACTIONS}?` +
        '|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+',
    ],
  },
  { names: ['gpt-2'], patterns: [] },
  { names: ['smollm'], patterns: [], digits: true },
  {
    names: ['tekken'],
    patterns: [
      `[^\\r\\n\\p{L}\\p{N}]?${UPPER}*${LOWER}+|[^\\r\\n\\p{L}\\p{N}]?${UPPER}+${LOWER}*` +
        '|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+',
    ],
    ignoreMerges: true,
  },
  // what llama.cpp does with a file that names no rule
  {
    names: ['default'],
    patterns: ['[\\p{P}\\$\\+<=>\\^~\\|]+', GPT2, '\\p{N}+', '[0-9][0-9][0-9]'],
  },
];
