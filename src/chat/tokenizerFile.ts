/** tokenizer.json, checked and adapted before it is run: ids, guards, and a twin that adds no word-start mark. */
import { DataProblem } from '../dataset/problem';
import { GUARD } from '../dataset/checkText';
import { field, isRow, type Row } from '../dataset/record';

export interface AddedToken {
  id: number;
  content: string;
  special: boolean;
}

/** Where a tokenizer puts a word-start mark in front of text: nowhere, at its very start, or after every added token too. */
export type PrefixScheme = 'never' | 'first' | 'always';

/** A tokenizer.json object; its vocabulary and its added tokens are checked. */
export function readAddedTokens(tokenizer: unknown, vocabSize: number): AddedToken[] {
  if (!isRow(tokenizer) || !isRow(field(tokenizer, 'model'))) {
    throw new DataProblem(
      'tokenizer.json holds no tokenizer model. Take the file of the model’s own repository.',
    );
  }
  const list = field(tokenizer, 'added_tokens') ?? [];
  if (!Array.isArray(list)) throw new DataProblem('tokenizer.json: added_tokens is not a list.');
  const seen = new Set<number>();
  const added = list.map((entry: unknown) => {
    const id = isRow(entry) ? field(entry, 'id') : undefined;
    const content = isRow(entry) ? field(entry, 'content') : undefined;
    if (
      typeof id !== 'number' ||
      !Number.isInteger(id) ||
      id < 0 ||
      typeof content !== 'string' ||
      content === ''
    ) {
      throw new DataProblem('tokenizer.json: an added token lacks a whole-number id or a text.');
    }
    if (seen.has(id)) throw new DataProblem(`tokenizer.json: two added tokens have the id ${id}.`);
    if (id >= vocabSize) {
      throw new DataProblem(
        `The tokenizer has the token id ${id}; the model has ${vocabSize} embedding rows. They do not belong together.`,
      );
    }
    seen.add(id);
    return { id, content, special: isRow(entry) && field(entry, 'special') === true };
  });
  checkVocabulary(field(tokenizer, 'model'), vocabSize);
  return added;
}

const KINDS = ['BPE', 'Unigram', 'WordPiece', 'WordLevel'];

/** Ids are whole, lie within the embedding and occur once; a BPE has merges, each of two pieces. */
function checkVocabulary(model: unknown, vocabSize: number): void {
  const vocab = isRow(model) ? field(model, 'vocab') : undefined;
  const type = isRow(model) ? field(model, 'type') : undefined;
  if (type !== undefined && !KINDS.some((kind) => kind === type))
    throw new DataProblem(
      `tokenizer.json has a model of the kind ${JSON.stringify(type)}; ${KINDS.join(', ')} are read.`,
    );
  // Unigram keeps a list of pieces with scores; an id is a place in it
  if (Array.isArray(vocab)) return checkId(`${vocab.length} pieces`, vocab.length - 1, vocabSize);
  if (!isRow(vocab)) throw new DataProblem('tokenizer.json: the model has no vocabulary (vocab).');
  const seen = new Set<number>();
  for (const token of Object.keys(vocab)) {
    const id = field(vocab, token);
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0)
      throw new DataProblem(
        `tokenizer.json: ${JSON.stringify(token)} has the id ${String(id)}, which is no whole number from 0.`,
      );
    checkId(JSON.stringify(token), id, vocabSize);
    if (seen.has(id)) throw new DataProblem(`tokenizer.json: two tokens have the id ${id}.`);
    seen.add(id);
  }
  if (isRow(model) && type === 'BPE') checkMerges(field(model, 'merges'));
}

function checkId(what: string, id: number, vocabSize: number): void {
  if (id >= vocabSize)
    throw new DataProblem(
      `The tokenizer has the token id ${id} (${what}); the model has ${vocabSize} embedding rows. They do not belong together.`,
    );
}

function checkMerges(merges: unknown): void {
  if (!Array.isArray(merges)) throw new DataProblem('tokenizer.json: the merges are missing.');
  const isPair = (merge: unknown) =>
    typeof merge === 'string'
      ? merge.includes(' ')
      : Array.isArray(merge) && merge.length === 2 && merge.every((piece) => typeof piece === 'string');
  const wrong: unknown = merges.find((merge) => !isPair(merge));
  if (wrong !== undefined)
    throw new DataProblem(`tokenizer.json: the merge ${JSON.stringify(wrong)} is not two pieces.`);
}

/**
 * The file as the engine runs it. The guard is taken out after added tokens were looked for and before anything is cut into
 * pieces, so that a guarded string is encoded as the letters it consists of.
 */
export function withGuard(tokenizer: Row): Row {
  const strip = { type: 'Replace', pattern: { String: GUARD }, content: '' };
  const own = field(tokenizer, 'pre_tokenizer') ?? null;
  return {
    ...tokenizer,
    pre_tokenizer: { type: 'Sequence', pretokenizers: own === null ? [strip] : [strip, own] },
  };
}

export function prefixScheme(tokenizer: Row): PrefixScheme {
  const parts = [
    ...partsOf(field(tokenizer, 'normalizer'), 'normalizers'),
    ...partsOf(field(tokenizer, 'pre_tokenizer'), 'pretokenizers'),
  ];
  for (const part of parts) {
    const type = field(part, 'type');
    if (type === 'Prepend') return 'always';
    if (type === 'Metaspace') {
      const scheme = field(part, 'prepend_scheme');
      if (scheme === 'first' || scheme === 'never' || scheme === 'always') return scheme;
      return field(part, 'add_prefix_space') === false ? 'never' : 'always';
    }
    if (type === 'ByteLevel' && field(part, 'add_prefix_space') === true) return 'always';
  }
  return 'never';
}

/** The same tokenizer without a word-start mark of its own: for text that goes on where other text ended. */
export function withoutPrefix(tokenizer: Row): Row {
  const normalizers = partsOf(field(tokenizer, 'normalizer'), 'normalizers').filter(
    (part) => field(part, 'type') !== 'Prepend',
  );
  const pretokenizers = partsOf(field(tokenizer, 'pre_tokenizer'), 'pretokenizers').map((part) => {
    const type = field(part, 'type');
    if (type === 'Metaspace') return { ...part, prepend_scheme: 'never', add_prefix_space: false };
    return type === 'ByteLevel' ? { ...part, add_prefix_space: false } : part;
  });
  return {
    ...tokenizer,
    normalizer: normalizers.length === 0 ? null : { type: 'Sequence', normalizers },
    pre_tokenizer: pretokenizers.length === 0 ? null : { type: 'Sequence', pretokenizers },
  };
}

/** The members of a (nested) sequence, or the thing itself. */
function partsOf(value: unknown, key: string): Row[] {
  if (!isRow(value)) return [];
  const inner = field(value, key);
  if (field(value, 'type') !== 'Sequence' || !Array.isArray(inner)) return [value];
  return inner.flatMap((part: unknown) => partsOf(part, key));
}
