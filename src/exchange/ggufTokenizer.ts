/**
 * The keys that tell llama.cpp how to split text, from a Hugging Face byte-level BPE tokenizer. Other kinds of tokenizer
 * are refused: llama.cpp would cut the same text into other tokens.
 */
import * as v from 'valibot';
import { SPLIT_RULES } from '../checkpoint/gguf/splitRules';
import { FormatError } from '../checkpoint/safetensors';
import type { ChatAssets } from '../protocol/data';
import type { GgufValue } from '../checkpoint/gguf/writer';

const addedToken = v.object({ id: v.number(), content: v.string(), special: v.boolean() });
const splitter = v.object({
  type: v.string(),
  use_regex: v.optional(v.boolean(), true),
  add_prefix_space: v.optional(v.boolean(), false),
  pattern: v.optional(v.object({ Regex: v.optional(v.string(), '') })),
});
const tokenizerSchema = v.object({
  added_tokens: v.optional(v.array(addedToken), []),
  normalizer: v.nullish(v.object({ type: v.string() })),
  pre_tokenizer: v.union([
    v.object({ type: v.literal('Sequence'), pretokenizers: v.array(splitter) }),
    splitter,
  ]),
  model: v.object({
    type: v.literal('BPE'),
    byte_fallback: v.optional(v.boolean(), false),
    vocab: v.record(v.string(), v.number()),
    merges: v.array(v.union([v.string(), v.pipe(v.array(v.string()), v.length(2))])),
  }),
});
type Tokenizer = v.InferOutput<typeof tokenizerSchema>;

const tokenText = v.union([v.string(), v.object({ content: v.string() })]);
const tokenizerConfigSchema = v.object({
  bos_token: v.nullish(tokenText),
  eos_token: v.nullish(tokenText),
  pad_token: v.nullish(tokenText),
  add_bos_token: v.nullish(v.boolean()),
});

const TOKEN_TYPE = { normal: 1, control: 3, userDefined: 4, unused: 5 };

export function ggufTokenizer(assets: ChatAssets): [string, GgufValue][] {
  const tokenizer = parse(tokenizerSchema, assets.tokenizer, 'tokenizer.json');
  const config = parse(tokenizerConfigSchema, assets.tokenizerConfig, 'tokenizer_config.json');
  // llama.cpp does not normalise. NFC leaves what keyboards type as it is; any other normaliser would change the tokens.
  if (tokenizer.model.byte_fallback || (tokenizer.normalizer?.type ?? 'NFC') !== 'NFC') {
    throw new FormatError(
      'Only byte-level BPE tokenizers that normalise by NFC at most can be written as GGUF.',
    );
  }
  const { tokens, types } = listTokens(tokenizer, assets.vocabSize);
  const merges = tokenizer.model.merges.map((pair) => (typeof pair === 'string' ? pair : pair.join(' ')));
  const keys: [string, GgufValue][] = [
    ['tokenizer.ggml.model', { type: 'string', value: 'gpt2' }],
    ['tokenizer.ggml.pre', { type: 'string', value: splitRule(tokenizer) }],
    ['tokenizer.ggml.tokens', { type: 'strings', value: tokens }],
    ['tokenizer.ggml.token_type', { type: 'i32s', value: types }],
    ['tokenizer.ggml.merges', { type: 'strings', value: merges }],
    ['tokenizer.ggml.add_bos_token', { type: 'bool', value: config.add_bos_token ?? false }],
  ];
  const special = { bos: config.bos_token, eos: config.eos_token, padding: config.pad_token };
  for (const [role, token] of Object.entries(special)) {
    const id = tokens.indexOf(typeof token === 'object' ? (token?.content ?? '') : (token ?? ''));
    if (id >= 0) keys.push([`tokenizer.ggml.${role}_token_id`, { type: 'u32', value: id }]);
  }
  if (assets.chatTemplate !== null) {
    keys.push(['tokenizer.chat_template', { type: 'string', value: assets.chatTemplate }]);
  }
  return keys;
}

/** Every row of the embedding gets a token; rows without one are marked unused. */
function listTokens(tokenizer: Tokenizer, size: number): { tokens: string[]; types: number[] } {
  const tokens = Array.from({ length: size }, (_, id) => `[UNUSED${id}]`);
  const types = tokens.map(() => TOKEN_TYPE.unused);
  const put = (text: string, id: number, type: number) => {
    if (!Number.isInteger(id) || id < 0 || id >= size) {
      throw new FormatError(
        `The token ${JSON.stringify(text)} has the id ${id}; the model has ${size} rows.`,
      );
    }
    tokens[id] = text;
    types[id] = type;
  };
  for (const [text, id] of Object.entries(tokenizer.model.vocab)) put(text, id, TOKEN_TYPE.normal);
  for (const { id, content, special } of tokenizer.added_tokens) {
    put(content, id, special ? TOKEN_TYPE.control : TOKEN_TYPE.userDefined);
  }
  return { tokens, types };
}

function splitRule({ pre_tokenizer: splitting }: Tokenizer): string {
  const steps = 'pretokenizers' in splitting ? splitting.pretokenizers : [splitting];
  const byteLevel = steps.at(-1);
  if (byteLevel?.type !== 'ByteLevel' || byteLevel.add_prefix_space) {
    throw new FormatError('Only byte-level BPE tokenizers without a prefix space can be written as GGUF.');
  }
  if (steps.length === 1 && byteLevel.use_regex) return 'gpt-2';
  const regex = steps.length === 2 && !byteLevel.use_regex ? (steps[0]?.pattern?.Regex ?? '') : '';
  const rule = SPLIT_RULES.find(({ patterns }) => patterns.length === 1 && patterns[0] === regex);
  const name = rule?.names[0];
  if (name === undefined) {
    throw new FormatError(
      `llama.cpp has no name for this tokenizer's splitting rule ${JSON.stringify(regex)}.`,
    );
  }
  return name;
}

function parse<T extends v.GenericSchema>(schema: T, input: unknown, file: string): v.InferOutput<T> {
  const result = v.safeParse(schema, input);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new FormatError(
    `${file} cannot be written as GGUF: ${v.getDotPath(issue) ?? 'it'}: ${issue.message}.`,
  );
}
