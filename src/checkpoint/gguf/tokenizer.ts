/**
 * tokenizer.json and tokenizer_config.json made from the tokenizer.ggml keys of a GGUF file: byte-level BPE ("gpt2") and
 * SentencePiece BPE ("llama"), each in the form transformers gives it. Other kinds are refused by name.
 */
import { FormatError } from '../safetensors';
import type { Metadata } from './metadata';
import { mergesFromScores } from './scoredMerges';
import { SPLIT_RULES, type SplitRule } from './splitRules';

/** tokenizer.ggml.token_type. */
const TYPE = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 };

interface Vocabulary {
  tokens: string[];
  types: number[];
}

/** File names to texts. `rows`: of the embedding; ids lie within them. */
export function tokenizerTexts(metadata: Metadata, rows: number): Map<string, string> {
  const kind = metadata.string('tokenizer.ggml.model') ?? '(none named)';
  const vocabulary = readVocabulary(metadata, rows);
  if (kind !== 'gpt2' && kind !== 'llama')
    throw new FormatError(
      `The GGUF file has a tokenizer of the kind ${kind}; gpt2 and llama are read. Add the tokenizer.json of the model’s own repository.`,
    );
  const parts = kind === 'gpt2' ? byteLevel(metadata, vocabulary) : sentencePiece(metadata, vocabulary);
  const special = specialTokens(metadata, vocabulary, kind);
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: addedTokens(
      vocabulary,
      kind === 'llama' && metadata.string('general.architecture') === 'phi3',
    ),
    ...parts,
    post_processor: special.addBos && special.bos !== null ? bosFirst(special.bos, vocabulary) : null,
  };
  const template = metadata.string('tokenizer.chat_template');
  const config = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    clean_up_tokenization_spaces: false,
    add_bos_token: special.addBos,
    add_eos_token: metadata.boolean('tokenizer.ggml.add_eos_token') ?? false,
    bos_token: special.bos,
    eos_token: special.eos,
    unk_token: special.unknown,
    pad_token: special.padding,
    ...(template === undefined ? {} : { chat_template: template }),
  };
  return new Map([
    ['tokenizer.json', JSON.stringify(tokenizer)],
    ['tokenizer_config.json', JSON.stringify(config)],
  ]);
}

function readVocabulary(metadata: Metadata, rows: number): Vocabulary {
  const tokens = metadata.strings('tokenizer.ggml.tokens');
  if (!tokens || tokens.length === 0) throw new FormatError('The GGUF file has no tokenizer.ggml.tokens.');
  if (tokens.length > rows)
    throw new FormatError(
      `The tokenizer has ${tokens.length} tokens; the model has ${rows} embedding rows. They do not belong together.`,
    );
  const types = metadata.numbers('tokenizer.ggml.token_type') ?? tokens.map(() => TYPE.normal);
  if (types.length !== tokens.length)
    throw new FormatError(`There are ${tokens.length} tokens and ${types.length} token types.`);
  const used = tokens.filter((_, id) => types[id] !== TYPE.unused);
  if (new Set(used).size !== used.length) {
    const twice = used.find((token, i) => used.indexOf(token) !== i);
    throw new FormatError(`The token ${JSON.stringify(twice)} occurs twice.`);
  }
  return { tokens, types };
}

function byteLevel(metadata: Metadata, { tokens, types }: Vocabulary): Record<string, unknown> {
  const merges = metadata.strings('tokenizer.ggml.merges');
  if (!merges) throw new FormatError('The GGUF file has no tokenizer.ggml.merges.');
  const name = metadata.string('tokenizer.ggml.pre') ?? 'default';
  const rule = SPLIT_RULES.find(({ names }) => names.includes(name));
  if (!rule)
    throw new FormatError(
      `The tokenizer cuts text by a rule called ${name}, which is not known. Add the tokenizer.json of the model’s own repository.`,
    );
  const vocab = entries(tokens, (id) => types[id] === TYPE.normal);
  const known = new Set(vocab.map(([token]) => token));
  return {
    // as the repositories of these models have it; llama.cpp leaves the step out
    normalizer: name === 'qwen2' ? { type: 'NFC' } : null,
    pre_tokenizer: splitting(rule),
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      ...bpe(
        vocab,
        merges.map((pair) => readMerge(pair, known)),
      ),
      ignore_merges: rule.ignoreMerges ?? false,
    },
  };
}

function readMerge(pair: string, known: ReadonlySet<string>): [string, string] {
  const space = pair.indexOf(' ', 1);
  const [left, right] = [pair.slice(0, space), pair.slice(space + 1)];
  if (space < 1 || right === '' || right.includes(' '))
    throw new FormatError(`The merge ${JSON.stringify(pair)} is not two pieces with a space between.`);
  for (const piece of [left, right, left + right])
    if (!known.has(piece))
      throw new FormatError(
        `The merge ${JSON.stringify(pair)} needs ${JSON.stringify(piece)}, which is no token.`,
      );
  return [left, right];
}

function splitting({ patterns, digits }: SplitRule): Record<string, unknown> {
  const steps = patterns.map((Regex) => ({
    type: 'Split',
    pattern: { Regex },
    behavior: 'Isolated',
    invert: false,
  }));
  const own = {
    type: 'ByteLevel',
    add_prefix_space: false,
    trim_offsets: true,
    use_regex: steps.length === 0,
  };
  const first = digits ? [{ type: 'Digits', individual_digits: true }] : [];
  return { type: 'Sequence', pretokenizers: [...first, ...steps, own] };
}

function sentencePiece(metadata: Metadata, { tokens, types }: Vocabulary): Record<string, unknown> {
  const scores = metadata.numbers('tokenizer.ggml.scores');
  if (scores?.length !== tokens.length)
    throw new FormatError(`There are ${tokens.length} tokens and ${scores?.length ?? 0} scores.`);
  if (scores.some((score) => Number.isNaN(score))) throw new FormatError('A score of a token is no number.');
  const prefix = metadata.boolean('tokenizer.ggml.add_space_prefix') ?? true;
  const vocab = entries(tokens, (id) => types[id] !== TYPE.unused && types[id] !== TYPE.userDefined);
  const toMark = { type: 'Replace', pattern: { String: ' ' }, content: '▁' };
  const toSpace = { type: 'Replace', pattern: { String: '▁' }, content: ' ' };
  const unknown = tokens.find((_, id) => types[id] === TYPE.unknown) ?? null;
  return {
    normalizer: {
      type: 'Sequence',
      normalizers: prefix ? [{ type: 'Prepend', prepend: '▁' }, toMark] : [toMark],
    },
    pre_tokenizer: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        toSpace,
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(prefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      ...bpe(vocab, mergesFromScores(vocab, scores)),
      unk_token: unknown,
      fuse_unk: true,
      byte_fallback: types.includes(TYPE.byte),
      ignore_merges: false,
    },
  };
}

function entries(tokens: string[], keeps: (id: number) => boolean): [string, number][] {
  return tokens.map((token, id): [string, number] => [token, id]).filter(([, id]) => keeps(id));
}

/** A token called __proto__ must become a key like any other. */
function bpe(vocab: [string, number][], merges: [string, string][]): Record<string, unknown> {
  return {
    type: 'BPE',
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    vocab: Object.fromEntries(vocab),
    merges,
  };
}

/** Phi-3's marks take the white space behind them along; no key says so, and llama.cpp knows it by the model's name. */
const KEEPS_SPACE = ['<unk>', '<s>', '<|endoftext|>'];

function addedTokens({ tokens, types }: Vocabulary, isPhi3: boolean): Record<string, unknown>[] {
  return tokens.flatMap((content, id) => {
    const type = types[id];
    const special = type === TYPE.control || type === TYPE.unknown;
    if ((!special && type !== TYPE.userDefined) || content === '') return [];
    const rstrip = isPhi3 && !KEEPS_SPACE.includes(content);
    return [{ id, content, single_word: false, lstrip: false, rstrip, normalized: false, special }];
  });
}

function specialTokens(metadata: Metadata, { tokens }: Vocabulary, kind: 'gpt2' | 'llama') {
  const text = (role: string): string | null => {
    const id = metadata.number(`tokenizer.ggml.${role}_token_id`);
    if (id === undefined) return null;
    const token = tokens[id];
    if (token === undefined)
      throw new FormatError(`tokenizer.ggml.${role}_token_id is ${id}; there are ${tokens.length} tokens.`);
    return token;
  };
  const isLlama3 = SPLIT_RULES[0]?.names.includes(metadata.string('tokenizer.ggml.pre') ?? '');
  return {
    bos: text('bos'),
    eos: text('eos'),
    unknown: text('unknown'),
    padding: text('padding'),
    // what llama.cpp does where the key is missing
    addBos: metadata.boolean('tokenizer.ggml.add_bos_token') ?? (kind === 'llama' || isLlama3 === true),
  };
}

function bosFirst(bos: string, { tokens }: Vocabulary): Record<string, unknown> {
  const first = { SpecialToken: { id: bos, type_id: 0 } };
  const part = (id: 'A' | 'B', type_id: number) => ({ Sequence: { id, type_id } });
  return {
    type: 'TemplateProcessing',
    single: [first, part('A', 0)],
    pair: [first, part('A', 0), { SpecialToken: { id: bos, type_id: 1 } }, part('B', 1)],
    special_tokens: { [bos]: { id: bos, ids: [tokens.indexOf(bos)], tokens: [bos] } },
  };
}
