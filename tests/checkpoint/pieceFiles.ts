/**
 * GGUF files that hold a SentencePiece vocabulary as Phi-3 and Gemma 3 use them, and no weights. The pieces are made up; their scores
 * say what is merged first.
 */
import type { GgufValue } from '../../src/checkpoint/gguf/writer';
import { ggufFile } from './ggufFile';

const TYPE = { normal: 1, unknown: 2, control: 3, userDefined: 4, byte: 6 };
interface Token {
  token: string;
  type: number;
  score: number;
}
const token = (text: string, type: number, score = 0): Token => ({ token: text, type, score });
const bytes = Array.from({ length: 256 }, (_, i) =>
  token(`<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`, TYPE.byte),
);
const PIECES = [
  '▁',
  'a',
  'b',
  'c',
  'h',
  'i',
  'S',
  'Y',
  '▁a',
  '▁h',
  'hi',
  '▁hi',
  'ab',
  '▁ab',
  'SY',
  '▁SY',
  '▁b',
  '▁c',
  'abc',
];
const pieces = PIECES.map((piece, i) => token(piece, TYPE.normal, -i - 1));

/** As the converter leaves Phi-3's: marks behind the vocabulary, `</s>` not special. */
export const PHI3_TOKENS = [
  token('<unk>', TYPE.unknown),
  token('<s>', TYPE.control),
  token('</s>', TYPE.userDefined, -1000),
  ...bytes,
  ...pieces,
  ...['<|endoftext|>', '<|user|>', '<|end|>', '<|assistant|>'].map((mark) =>
    token(mark, TYPE.control, -1000),
  ),
];
/** As it leaves Gemma 3's: runs of spaces and newlines are tokens of their own, their spaces plain. */
export const GEMMA_TOKENS = [
  token('<pad>', TYPE.control),
  token('<eos>', TYPE.control),
  token('<bos>', TYPE.control),
  token('<unk>', TYPE.unknown),
  ...['\n', '\n\n', '  ', '   '].map((run) => token(run, TYPE.userDefined, -1000)),
  ...['<start_of_turn>', '<end_of_turn>'].map((mark) => token(mark, TYPE.control, -1000)),
  ...bytes,
  ...pieces,
];

function file(
  architecture: string,
  name: string,
  tokens: Token[],
  prefix: boolean | null,
  ids: Record<string, number>,
) {
  const u32 = (value: number): GgufValue => ({ type: 'u32', value });
  const sizes = {
    block_count: 1,
    context_length: 64,
    embedding_length: 32,
    feed_forward_length: 64,
    'attention.head_count': 2,
    'attention.sliding_window': 16,
  };
  const pairs = new Map<string, GgufValue>([
    ['general.architecture', { type: 'string', value: architecture }],
    ['general.name', { type: 'string', value: name }],
    ...Object.entries(sizes).map(([key, value]): [string, GgufValue] => [
      `${architecture}.${key}`,
      u32(value),
    ]),
    [`${architecture}.attention.layer_norm_rms_epsilon`, { type: 'f32', value: 1e-6 }],
    ['tokenizer.ggml.model', { type: 'string', value: 'llama' }],
    ['tokenizer.ggml.pre', { type: 'string', value: 'default' }],
    ['tokenizer.ggml.tokens', { type: 'strings', value: tokens.map((one) => one.token) }],
    ['tokenizer.ggml.token_type', { type: 'i32s', value: tokens.map(({ type }) => type) }],
    ...Object.entries(ids).map(([role, id]): [string, GgufValue] => [
      `tokenizer.ggml.${role}_token_id`,
      u32(id),
    ]),
    ...(prefix === null
      ? []
      : [['tokenizer.ggml.add_space_prefix', { type: 'bool', value: prefix }] as [string, GgufValue]]),
  ]);
  return ggufFile(
    pairs,
    [],
    new Map([['tokenizer.ggml.scores', Float32Array.from(tokens, ({ score }) => score)]]),
  );
}

export const PHI3_FILE = file('phi3', 'Phi-3 mini', PHI3_TOKENS, null, { bos: 1, eos: 2, unknown: 0 });
export const GEMMA_FILE = file('gemma3', 'Gemma 3', GEMMA_TOKENS, false, {
  bos: 2,
  eos: 1,
  unknown: 3,
  padding: 0,
});
